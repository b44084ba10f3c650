// Command demo plays the main story with the real binary, as a person would
// type it: a registry, two hosts, two components and a key-value store, linked
// and called. It checks every step, and that nothing is left behind.
//
// Its exit status is 0 only if every step did what it says. make demo runs it.
package main
