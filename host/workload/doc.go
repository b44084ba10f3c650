// Package workload is one component that runs on a host: its template, the
// calls that are admitted to it, its exports as subjects of the lattice, and what
// is counted of it.
//
// Every call has an instance to itself, which finds nothing of the calls before
// it unless the component is to keep its state, under the component's limits and
// what is left of the caller's time, whether it comes from NATS or from a
// component of the same host.
//
// A caller on this host that has handles of the component's resources keeps an
// instance: it counts as a call that runs, until the last handle is dropped or the
// caller ends. Destructors of what a caller leaves behind have a second together. A
// caller that keeps its own state from call to call keeps its handles too, and the
// instance with them. A workload that stops waits for handles as it waits for calls,
// and then takes the instances away: handles of them are refused from then on.
//
// # Overload
//
// A component runs so many calls at a time. Others wait in line, in the order of
// arrival, so many of them and for so long; who gets no instance in time, and who
// finds no memory left on the host, is told "busy": nothing was executed. Callers
// of v1 cannot be told, and wait on. When the load ends, the next call waits for
// nothing.
package workload
