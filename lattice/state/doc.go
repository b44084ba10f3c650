// Package state is what a lattice remembers: the specs of its components and
// providers, each with the links that start from it, in the JetStream KV bucket
// and the keys of wasmCloud v1, so that v1's hosts and tools see the same.
//
// Store has three parts. Writes (write.go) change one spec by compare-and-set.
// The cache (cache.go) holds every spec in memory, so that reads never touch the
// network and go on while NATS is away. The sync loop (sync.go) keeps the cache
// equal to the bucket: it watches first and lists second, starts over after
// every reconnect, and takes a spec away only when the bucket said so. Watchers
// (watcher.go) tell a host what changed, merged, and never lose a change.
//
// The package must not know who runs what: hosts ask it for links and act. The
// source of the format is wasmCloud v1.9.2 (crates/host/src/wasmbus/jetstream.rs).
package state
