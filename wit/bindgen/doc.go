// Package bindgen writes Go bindings from WIT text. It runs when a developer
// types make generate, never in a running host.
//
// One WIT package becomes up to three Go packages:
//
//   - the contract, wit/<namespace>/<package>, beside the .wit: Go types, one
//     Go interface per WIT interface, and the same in the type model of
//     package wit;
//   - guest glue, host/bind/<namespace>/<package>: lifts a guest's arguments
//     out of its memory, calls the contract and lowers the result; for
//     interfaces that guests export, also callers, which go the other way;
//   - wRPC stubs, lattice/bind/<namespace>/<package>: a client that carries the
//     contract out over a lattice, and a server that serves it.
//
// The way through the code: [Load] parses WIT text (with wasm-tools, which
// go.bytecodealliance.org carries) into the small model of model.go; contract.go,
// glue.go with caller.go, and stub.go write the three parts from it. Layout comes from the type
// model of package wit, so that generated code and the runtime's own programs
// cannot disagree about an offset.
//
// What generated code looks like to its users is written down in the package
// comment of every contract.
package bindgen
