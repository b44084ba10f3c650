// Package event is what the hosts of a lattice tell everyone: wasmCloud v1's
// CloudEvents on wasmbus.evt.{lattice}.{name}, and what v1 has no event for, on
// lath.v1.{lattice}.evt.{name}. Publisher tells; Subscription hears, one event at
// a time, and is how the CLI waits for the outcome of a command that a host has
// only accepted.
//
// The bodies are typed, one Go type per kind of event, v1's in data.go and Lath's
// own in own.go; a new kind is one more type there, one more name and one more
// line in the table of json.go. The package must not know why an event happens.
//
// Who sent an event is what it says, not a proof: whoever may publish on the
// lattice's account can tell anything. Readers may look closer because of an
// event; nothing is removed because of one.
//
// The source of the format is wasmCloud v1.9.2
// (crates/host/src/wasmbus/event.rs); which fields are mandatory is what wadm
// v0.21.1 refuses to do without. Lath's own events have a subject of their own
// because wadm keeps all that comes on v1's in a stream and takes it in one at a
// time, also what it skips then: a storm of traps would hold up what it waits for.
package event
