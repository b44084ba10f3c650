// Package harness runs lattices inside a test process: an embedded NATS
// server and any number of hosts on it, each with its own connection.
package harness
