// Package component runs WebAssembly components, on stock wazero, with limits
// that are on by default. It is a library on its own:
//
//	rt, err := component.New(ctx, component.Config{})
//	c, err := rt.Compile(ctx, wasm)              // decode, validate
//	t, err := c.Link(ctx, component.LinkConfig{}) // flatten, rewrite, compile
//	out, err := t.Call(ctx, t.Export("example:greeter/greeter", "greet"), params, nil)
//
// A [Component] is decoded and validated; it is immutable. A [Template] is a
// component whose imports are satisfied and whose code is compiled; it is
// immutable too, and shared by all calls. An [Instance] is one pristine copy
// of its state (a store, in the specification's words): memories, tables,
// globals and handle tables. An instance takes one call at a time, and a trap
// anywhere in it ends it for good.
//
// The package knows nothing of NATS, links or OCI. It meets the world by two
// seams: [HostInterface], for what the host implements itself through
// generated glue, and [Callee], for imported functions that somebody else
// carries out. The other way, Go code calls a guest by the wire's encoding
// ([Instance.Call]) or, where it knows the contract, by generated callers
// ([Instance.Outcall]).
//
// A store's guests may have resources of another store's: then an instance there is
// theirs for as long as they have handles of it. See [Pin].
//
// Below it: binary decodes, validate checks, link flattens, core rewrites core
// modules, engine (the only importer of wazero) compiles and runs them, memory
// owns linear memory, abi moves values.
//
// Source: component model, "Canonical ABI" (Runtime State, Canonical
// Definitions).
package component
