// Package blobstore is the blob store capability: backends that carry out the
// contract wrpc:blobstore of package wit/wrpc/blobstore. [Memory] is the one in
// this package; others live in folders below it, and each passes the behaviour
// suite of blobstoretest.
//
// A backend is a plain Go value. It knows neither guests nor wires: the same value
// is called directly by a host that runs it and by lattice/wrpcblob for everyone
// else. It must not import host.
//
// What the contract's .wit leaves open is settled by its Go form, and the suite
// holds backends to it. What is over a limit is refused with the word limit in the
// error, and changes nothing.
//
// Sources: the wRPC package wrpc:blobstore 0.2.0 as wasmCloud v1.9.2 speaks it.
// v1's blobstore-fs leaves out the last byte of a range; Lath has it in, as
// wasi:blobstore says.
package blobstore
