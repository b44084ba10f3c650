// Package sim drives a lattice of some hosts, all in this process, by a schedule
// that a seed makes, and checks what must hold.
//
// The steps are commands (components, providers, links, configs, labels), calls,
// clocks of hosts that are set by minutes, and faults: hosts that are killed, paused,
// cut off and started again, and a NATS server that restarts or, of a cluster of three,
// servers that stop, are killed, and do not reach each other. Few steps wait for
// anything, so that commands, calls and faults meet each other in all ways. Every now
// and then all faults are healed and the lattice is compared with a model:
//
//   - A command that was acknowledged has taken effect, or an event told why not.
//     One that got no answer has taken effect or has not, and may still do so for
//     a while; nothing else happens on its own.
//   - Links and configs are equal on all hosts and in their buckets.
//   - Every host runs what commands left there, with the counts that they named,
//     also after it was killed and has started again.
//   - No call ran twice, one that returned ran once, one that failed without "may
//     have run" did not run, and no more calls ran at a time than the count allows.
//   - A call whose way is all there succeeds, and after each check there is one: what
//     commands have not left there of it is made.
//   - Each tick of a schedule is fired at most once and when it is due, and ticks go
//     on, whatever the hosts' clocks say.
//   - Goroutines and memory do not grow.
//
// The same seed makes the same steps. What they meet is up to the machine, so that
// a violation may need some runs to come back.
//
// The model is pure: it knows no hosts, and time is told to it. The package needs no
// test, so that a soak of hours is a program (test/soak) and not a test.
package sim
