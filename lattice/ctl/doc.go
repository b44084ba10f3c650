// Package ctl is the control interface of wasmCloud v1: how the CLI, wash and
// wadm drive hosts. Server mounts a host's Handler on the subjects and queue
// groups of v1; Client is the typed other side. Both speak v1's JSON to the
// byte. Beside it stand questions that v1 lacks: a component's contract (contract.go),
// and lists that are told in parts because one message may not carry them (lists.go):
// links with their state, configs, claims, inventories, counts, and commands.
//
// A request enters at Server's subscriptions, waits in a bounded queue, is
// decoded by the entry of its verb in verbs.go and handled by one method of
// Handler; a new verb is one more entry there and one more method. A command that
// has an id (op.go) is first recorded in an OpStore, which all hosts share: whoever
// comes second answers what the first did. Its outcome is recorded when the work has
// ended, and a client waits for that by the id (opclient.go).
//
// The package must not know what a component or a provider is. The source of
// the format is the control interface of wasmCloud v1.9.2
// (crates/control-interface and crates/host/src/wasmbus).
package ctl
