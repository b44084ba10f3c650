// Package natsserver runs a NATS server with JetStream inside this process: what
// `lath up` offers to a lattice, and what the tests of this project talk to.
//
// It wraps github.com/nats-io/nats-server and adds what an embedded server
// lacks: errors that come back instead of ending the process, a store that no
// second server can open, and a shutdown that is waited for. It knows nothing of
// lattices; any NATS server or cluster can stand in its place.
package natsserver
