// Package v1 is what wasmCloud v1.9.2 writes, as tables: each event and control
// message with its fields and their types. Its decoder is stricter than any peer:
// a type that it does not know, a null, a field that is missing, one that is too
// many or one that comes twice fails. Tests hold what Lath writes to it.
//
// The tables were made of v1's Rust types (crates/host/src/wasmbus/event.rs,
// crates/control-interface/src/types), and are written anew here: they share
// nothing with the Go types that they check.
package v1
