// Package external runs a capability provider that is a process of its own: it
// starts it with its host data, tells it its links and its configuration, asks
// how it is, starts it again when it ends, and ends it.
//
// The process serves its contracts on the lattice by itself; calls do not pass
// through here. What is said to it is v1's, in lattice/provider; how a process
// is run is host/process's.
//
// Source: wasmCloud 1.9, protocol §3 (health) and §7. Where v1 restarts without
// end and without a word, this backs off and says so; where v1 loses a link that
// is put while the process starts, this tells it again.
package external
