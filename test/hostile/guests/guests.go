// Package guests is a corpus of components that mean harm: each tries to take
// more than its share, to hurt its host or its neighbours, or to break a rule
// of the canonical ABI. What they do is told at the head of their sources, the
// .wat files; wasm-tools makes the .wasm beside each of them:
//
//	wasm-tools parse X.wat -o X.wasm
//
// The package only reads its files. The tests of host/component use the guests
// one by one, those of test/hostile run them all beside neighbours.
package guests

import "embed"

//go:embed *.wasm
var files embed.FS

// Component returns a guest by its name: "loops".
func Component(name string) ([]byte, error) { return files.ReadFile(name + ".wasm") }
