// Package hostile runs the guests of folder guests against a runtime and
// against hosts, beside neighbours that must not notice.
//
// For each attack the tests ask: does it end, in the typed trap that it should
// (or is it refused before it runs)? Does a neighbour answer while it runs and
// afterwards? Is all that it took given back: linear memory, host objects,
// goroutines, heap? How soon it ends is measured by test/bench: a loaded
// machine is slow, not wrong.
package hostile
