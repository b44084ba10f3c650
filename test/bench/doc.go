// Command bench measures what calls cost and prints a table: into a guest, out
// of it, from component to component in one process and across NATS, and what
// a fresh instance costs, and what other runtimes take for the same. `make
// bench` runs it.
//
//	go run ./test/bench                      # the table, in some minutes
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
// # Bars
//
// Rows and figures of what this runtime is to reach have a bar, and end with
// whether it holds. Where nothing waits for another process, what counts is the
// time of the processor, beside that of the floor in the same round: other
// programs on the machine add little to it, and where there are none it is the
// time on the clock, which is printed too. What has to be measured in a process
// of its own, such as the memory of 5,000 instances, this program does as a
// child of itself.
//
// # Peers
//
// Floors named wasmtime, wazero and wazy are other runtimes with the same
// guests (test/bench/guests): the program of test/bench/peers, which is built
// from a module of its own and asked to measure in turns with this one.
// wasmtime needs a C compiler, samyfodil/wazy a checkout that WAZY_DIR names;
// rows without their peer are measured alone and say SKIPPED, as do those of
// guests that make test-guests builds (GUESTS_DIR). wasmtime's calls, instances
// and resets are loops in C, without cgo's crossing, which has rows of its own.
// Its instances are a store and a core module in it; a reset is the end of one
// and the next, with the pooling allocator's defaults or the first megabyte of a
// memory kept resident. wazy has no reset: it ends an instance and makes
// another.
//
//	go run ./test/bench -peers=false         # only this runtime
//	go run ./test/bench -results test/bench  # RESULTS.md and its plot
//
// Slow is not a failure. A call that gives a wrong answer is: every answer is
// checked, and the program then ends with status 1.
//
// It sits above everything, so it may import everything; nothing imports it.
package main
