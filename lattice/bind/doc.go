// Package bind is what generated wRPC stubs stand on: the two narrow
// interfaces that they need of a transport, and the writer of values. The
// stubs themselves are below, one package for each WIT package:
// lattice/bind/<namespace>/<package>.
//
// A client stub implements a contract by calling an [Invoker]; a server stub
// registers an implementation of a contract with a [Registrar]. Neither knows
// NATS, subjects or targets: an Invoker has its target already.
//
// Stubs carry plain values. Interfaces with resources, streams or futures have
// no stubs.
//
// Source: wRPC 0.0.1 as wasmCloud 1.9 speaks it.
package bind
