// Package natsservertest is for tests that start and stop NATS servers: on ports that
// nobody takes meanwhile, and without what clusters of them leave behind in a process.
package natsservertest

import (
	"testing"

	"go.uber.org/goleak"
)

// VerifyTestMain is [goleak.VerifyTestMain] for tests of clusters. A server that is stopped while
// it makes a Raft group forgets the log that it opened for it (v2.15.2: initRaftNode
// returns without closing it once the system account is gone), and with it the log's
// goroutine and the clock of all logs. A server of our own process ends with it, so that
// this costs its users nothing.
func VerifyTestMain(m *testing.M, options ...goleak.Option) {
	goleak.VerifyTestMain(m, append(options,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))...)
}
