// Command bench measures what calls cost and prints a table: into a guest, out
// of it, from component to component in one process and across NATS, and what
// a fresh instance costs. `make bench` runs it.
//
//	go run ./test/bench                      # the table, in under a minute
//	go run ./test/bench -row 'u32' -rounds 31 -time 100ms
//	go run ./test/bench -json bench.json     # every sample too
//
// # How to read it
//
// Each row has a floor: the cheapest thing that could do the same job, a Go
// call through an interface or a bare NATS request of the same payload. Row and
// floor are measured one right after the other, in many short rounds, in turns
// of who is first; the ratio is the median of the rounds' ratios. So a machine
// that is busy or changes its clock moves both, and the ratio stays: compare
// ratios between machines and commits, and times only within one run.
//
// The spread is from the least to the most of the rounds, each of which is a
// mean. Allocations are the whole process': across NATS that is both ends and
// the embedded server. A row that begins with "=" is the difference of two
// rows, measured one after the other: what the step between them costs.
//
// Guests stay between calls, except those that are "fresh": made for the call
// and ended after it, which is how deployed components run. Calls have a
// deadline, as they have in the product, which costs a registration with their
// context; rows with "no deadline" show what is left without it. "link" is the
// product's whole way: router, admission, hops, contexts.
//
// A second table says what hostile guests can do to others: how long after its
// deadline a call of theirs goes on, what a neighbour's calls take beside them,
// how long a garbage collection must wait. Each figure is the worst of all
// rounds and has a bar, and ends with whether it holds. The neighbour is called
// by as many callers as there are cores, without a pause, so that all cores are
// busy before the guest wants its share; its p99 is over all rounds, and so is
// that alone, measured in turns. These need a machine that does nothing else.
//
// Slow is not a failure. A call that gives a wrong answer is: every answer is
// checked, and the program then ends with status 1.
//
// It sits above everything, so it may import everything; nothing imports it.
package main
