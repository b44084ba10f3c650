// Package memory owns the linear memories of guests: it reserves their address
// space, grows them in place, accounts for them and releases them.
//
// A [Linear] satisfies the engine's memory hook by shape alone, so this package
// knows no engine, no module and no component. Linear memory lives outside the
// Go heap, where neither the garbage collector nor GOMEMLIMIT sees it; a
// [Budget] is what bounds it instead.
//
// Views of a memory ([Linear.Bytes]) alias the mapping: one that is used after
// [Linear.Close] faults the whole process, not the guest. Whoever hands out a
// view keeps the memory open until the last use of it.
//
// Source: WebAssembly core specification 2.0, "Memory Instances".
package memory
