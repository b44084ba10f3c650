// Package engine compiles core modules, instantiates them and calls them. It is
// the only package that imports wazero: what the rest of the runtime sees are
// the small types here, and traps of package trap.
//
// It knows modules, not components. It expects modules that package core has
// rewritten: without the checks that core inserts, a guest that loops stalls
// the garbage collector and with it the whole process.
//
// wazero's own interruption (WithCloseOnContextDone) is never used: it is slow
// and does not see recursion. See [Module.Interrupt].
//
// Code is compiled once for each module and plan, and kept in a directory that
// processes share: see cache.go. A start from there reads the code and little
// else.
//
// The behaviour of wazero that this package builds on is that of v1.12.0,
// several of its experimental APIs included. Read its call engine before
// changing the version.
package engine
