// Package lattice holds what every part of a lattice shares before anything
// crosses the wire: the names (subjects, headers, buckets, keys and ids, all in
// subject.go), links and inventories, the identity of a host, the errors that
// callers tell apart and the NATS connection.
//
// It knows NATS and JSON. It must not know WebAssembly, components, providers
// or any host's insides. The control interface, the events, the stored state,
// wRPC and the embedded NATS server live in the folders below and import this
// package, never the other way round.
//
// The wire is that of wasmCloud v1 (host tag v1.9.2) and of wRPC 0.0.1 over
// NATS. What Lath adds to it is invisible to v1 peers: headers named lath-…,
// subjects under lath.v1.{lattice} and one bucket, LATH_{lattice}.
package lattice
