// Package core reads core WebAssembly modules and rewrites them, so that the
// engine can run code that nobody trusts.
//
// [Parse] reads everything outside function bodies and bounds it by [Limits].
// [Rewrite] then makes, in one pass over the bodies, the module that is really
// compiled:
//
//   - imports get the names of the place where the module is instantiated
//     (the engine refuses empty module names, which real components use);
//   - memories and tables are capped;
//   - loops, calls and long runs of code pay into a budget, and a guest that
//     has used it up leaves native code, so that the Go runtime can stop it
//     for garbage collection and the host can stop it for good (checks.go,
//     loops.go);
//   - bulk memory instructions work in chunks, with checks between them;
//   - ref.func becomes a look-up in a hidden table, because the engine leaks
//     memory for each time that it is executed;
//   - active element segments are checked, which the engine forgets;
//   - the start function becomes an export, so that it can be stopped too;
//   - mutable globals are exported, for a later reset;
//   - data can be taken out, into a memory image that instances share.
//
// What the rewriter appends comes after everything that the module has in each
// index space, so no index shifts. For that to be safe every index in the
// module is checked against the module's own counts: a guest must not be able
// to name what was appended.
//
// Types are not checked here: the engine validates the rewritten module. A
// module that is rewritten without error may still fail to compile.
//
// The package knows no engine and no component. Source: WebAssembly core
// specification 2.0 (binary format), and the tail call, extended constant
// expressions, exception handling and threads proposals.
package core
