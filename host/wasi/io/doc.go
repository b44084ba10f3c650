// Package io carries out wasi:io: errors, pollables and byte streams, for the
// packages beside it to build their resources from.
//
// A guest that blocks here is one parked goroutine, which wakes when what it
// waits for is there or when its call's context ends, whichever comes first:
// no guest code runs meanwhile that could notice a deadline. A goroutine
// of a stream exists only while there is something to read or write, and the
// stream's Drop waits for its end.
//
// The package knows no source or sink by name: no file, socket or log.
// Source: WASI 0.2, package wasi:io.
package io
