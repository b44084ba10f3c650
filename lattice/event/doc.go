// Package event is what the hosts of a lattice tell everyone: wasmCloud v1's
// CloudEvents on wasmbus.evt.{lattice}.{name}. Publisher tells; Subscription
// hears, one event at a time, and is how the CLI waits for the outcome of a
// command that a host has only accepted.
//
// The bodies are typed, one Go type per kind of event, in data.go; a new kind is
// one more type there and one more line in its table. The package must not know
// why an event happens. The source of the format is wasmCloud v1.9.2
// (crates/host/src/wasmbus/event.rs); which fields are mandatory is what wadm
// v0.21.1 refuses to do without.
package event
