// Package workload is one component that runs on a host: its template, the
// calls that are admitted to it, and its exports as subjects of the lattice.
//
// Every call runs on a pristine instance of its own, under the component's
// limits and what is left of the caller's time, whether it comes from NATS or
// from a component of the same host.
package workload
