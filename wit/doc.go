// Package wit is the one model of what a contract is: value types with their
// canonical layout and flattening, functions, interfaces, worlds and names.
//
// The component runtime, the wire codec, the CLI and the binding generator all
// speak in these types, so a fact about a type (its size, whether it carries a
// handle) is computed in one place. Package wit imports the standard library
// only and knows no engine and no network.
//
//   - wit/wave reads and prints values as WAVE text.
//   - wit/wire encodes values as wRPC does.
//   - wit/text reads WIT text, for tools only.
//   - wit/bindgen writes Go bindings.
//   - wit/<namespace>/<package> holds the contracts themselves.
//
// [Print] writes a world as WIT text and [ParseWorld] reads it back; hosts
// exchange contracts in that form, and it needs no other tools.
//
// Types are immutable once made: build them with the New functions, which
// check the rules and compute the layout, and never write to their fields.
// Immutable types may be shared by any number of goroutines.
//
// Source: the component model's "Canonical ABI" (sections Alignment, Element
// Size, Flattening) and "Component Model Explainer" (Type Definitions).
package wit
