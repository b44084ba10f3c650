// Command lath runs the hosts of a lattice and drives them: flags, tables,
// progress and exit codes. What it does, it asks the rooms below for.
//
// main calls run; run builds the tree of verbs, one file each, and turns what
// they return into an exit code: 0 done, 1 failed, 2 wrong use. Results go to
// standard output, everything else to standard error; --output json does the
// same for programs.
//
// It must not know what it could ask a room for. builtins.go is the one place
// where providers and the host meet.
package main
