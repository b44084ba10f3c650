// Package state is what a lattice remembers: the specs of its components and
// providers, each with the links that start from it, in the JetStream KV bucket
// and the keys of wasmCloud v1, so that v1's hosts and tools see the same.
//
// Store has three parts. Writes (write.go, config.go, claims.go, want.go, op.go)
// change one key; a spec, which depends on what it was, by compare-and-set. The caches
// (cache.go, specs.go) hold every spec and every named config in memory, so that
// reads never touch the network and go on while NATS is away. A mirror (sync.go)
// keeps a cache equal to its bucket: it watches first and lists second, starts over
// after every reconnect, and takes a value away only when the bucket said so.
// Watchers (watcher.go) tell a host what links changed, merged, and never lose a
// change. Claims, commands and what a host is to run are read
// when they are asked for.
//
// The package must not know who runs what: hosts ask it for links and act. The
// source of the format is wasmCloud v1.9.2 (crates/host/src/wasmbus/jetstream.rs).
package state
