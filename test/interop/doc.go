// Package interop is Lath against wasmCloud v1's own Go code over a real NATS
// server, in both directions: its key-value example provider serves Lath's
// client and runs under Lath's host, its wRPC client calls Lath's in-memory
// provider, with the whole behaviour suite, and its control and event clients
// drive a lattice through every verb and read every event.
//
// The peers are processes, built from checkouts that are named by environment
// variables; without them the tests are skipped and say so:
//
//	WASMCLOUD_GO_DIR   github.com/wasmCloud/go, main
//	WRPC_GO_DIR        github.com/bytecodealliance/wrpc, tag go/v0.1.0, folder go
//
// Each peer is built in the example provider's own module, with its own
// versions of everything, so it is what upstream would ship. go.mod and go.sum
// of that module are copied to a temporary folder and replaced by -modfile, so
// that wrpc.io/go is the checkout; nothing is written to the checkouts.
// testdata/client and testdata/control are our programs around their clients; they
// come into their modules by -overlay. Modules that they need come through the Go module proxy.
package interop
