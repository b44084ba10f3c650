// Package wave reads and prints values as WAVE, the text form of
// component-model values: what a person types after "lath call" and what they
// see as its answer. It knows types and text, and nothing of calls.
//
// Reading is directed by the type, so errors say what was expected, as WIT,
// what was found, and where. Text is bounded by [MaxText] and values by
// [MaxValues]; nesting is bounded by the type.
//
// Beyond the README of wasm-wave:
//
//   - A map is written as the list of its entries, [("a", 1)], and a list of
//     fixed length as a list.
//   - A stream is written as the list of everything it carries. A stream
//     without a type, a future, a resource handle and an error-context have no
//     text and are refused.
//   - A function call is "instance.function(arguments)", see [ParseCall].
//
// Source: bytecodealliance/wasm-tools, crates/wasm-wave/README.md.
package wave
