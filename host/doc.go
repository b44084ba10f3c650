// Package host is one node of a lattice: the components and providers that it
// runs, the links that join them, and the control interface that drives it.
//
// [New] does no I/O; [Host.Run] joins the lattice, serves until it is told to
// stop or its context ends, drains and leaves. The rooms below do the work:
// oci fetches, component compiles and runs, workload admits and serves, link
// routes, provider and capability carry out what components import.
//
// It must not know flags or terminals.
package host
