package lattice_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// v1Provider answers atomics.increment the way a provider of v1 does, written
// by hand on plain NATS: no headers of ours, no trailers.
type v1Provider struct {
	nc     *nats.Conn
	calls  chan *nats.Msg
	answer atomic.Pointer[v1Answer]
}

// v1Answer is what comes after the handshake; nil: not even that.
type v1Answer func(nc *nats.Conn, results string)

func startV1Provider(t *testing.T, l *harness.Lattice) *v1Provider {
	t.Helper()
	nc, err := nats.Connect(l.URL)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	p := &v1Provider{nc: nc, calls: make(chan *nats.Msg, 16)}
	const subject = "default.kv.wrpc.0.0.1.wrpc:keyvalue/atomics@0.2.0-draft.increment"
	_, err = nc.QueueSubscribe(subject, "default.kv", func(m *nats.Msg) {
		p.calls <- m
		answer := *p.answer.Load()
		if answer == nil {
			return
		}
		_ = nc.PublishRequest(m.Reply, nc.NewInbox(), nil)
		answer(nc, m.Reply+".results")
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return p
}

// says sends messages, and then the empty one that ends the results.
func says(messages ...string) v1Answer {
	return func(nc *nats.Conn, results string) {
		for _, m := range messages {
			_ = nc.Publish(results, []byte(m))
		}
		_ = nc.Publish(results, nil)
	}
}

func TestV1Provider(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(func(c *host.Config) { c.LinkTime = 300 * time.Millisecond })
	require.NoError(t, n.Start("count", "counter", 4))
	p := startV1Provider(t, l)
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	state, _ := status(t, l, "count", "kv")
	require.Equal(t, lattice.LinkPending, state, "v1 has no contracts to ask for")

	const link = `err("increment: component \"count\", link \"default\" to \"kv\", wasi:keyvalue/atomics@0.2.0-draft.increment: `
	for _, c := range []struct {
		name   string
		answer v1Answer
		want   string
	}{
		{"a value", says("\x00\xac\x02"), "ok(300)"},
		{"in pieces", says("\x00", "\xac", "\x02"), "ok(300)"},
		{"its own error", says("\x01\x02\x04boom"), `err("increment: boom")`},
		{"another of its errors", says("\x01\x00"), `err("increment: no such store")`},
		{"nothing, as after a panic", says(), link + `ended without a result, cause unknown")`},
		{"half of it, as when it dies", says("\x00\xac"), link + `ended without a result, cause unknown")`},
		{"nonsense", says("\x07"), link + `protocol error`},
		{"too much", says("\x00\x01\x01"), link + `protocol error`},
		{"a handshake and no more", func(*nats.Conn, string) {}, link + `timeout")`},
		{"not even a handshake", nil, link + `timeout")`},
	} {
		p.answer.Store(&c.answer)
		got, err := l.Call(t.Context(), n, "count", `example:counter/counter.increment("counter")`)
		require.NoError(t, err, c.name)
		require.Contains(t, got.WAVE, c.want, c.name)
		m := <-p.calls
		require.Equal(t, "\x07default\x07counter\x01", string(m.Data), "the bytes of protocol §5.6(b)")
		require.Equal(t, []string{"count"}, m.Header["source-id"])
		require.Equal(t, []string{"default"}, m.Header["link-name"])
	}
	p.nc.Close()
	l.Eventually("it is gone", func() bool {
		got, err := l.Call(t.Context(), n, "count", `example:counter/counter.increment("counter")`)
		require.NoError(t, err)
		return got.WAVE == link+"no responders: no host of lattice \\\"default\\\" runs it with this function; see `lath get inventory`\")"
	})
}

// v1Caller makes a call as v1 does: no header of ours, parameters in one piece.
type v1Caller struct {
	t     *testing.T
	l     *harness.Lattice
	inbox string
	got   chan *nats.Msg
}

func newV1Caller(t *testing.T, l *harness.Lattice) *v1Caller {
	c := &v1Caller{t: t, l: l, inbox: l.Conn.NewInbox(), got: make(chan *nats.Msg, 64)}
	for _, subject := range []string{c.inbox, c.inbox + ".>"} {
		sub, err := l.Conn.ChanSubscribe(subject, c.got)
		require.NoError(t, err)
		t.Cleanup(func() { _ = sub.Unsubscribe() })
	}
	return c
}

func (c *v1Caller) call(fn, params string) {
	m := nats.NewMsg("default.c.wrpc.0.0.1.example:chain/step." + fn)
	m.Reply, m.Data = c.inbox, []byte(params)
	m.Header["source-id"] = []string{"wash"}
	require.NoError(c.t, c.l.Conn.PublishMsg(m))
}

func (c *v1Caller) next() *nats.Msg {
	select {
	case m := <-c.got:
		require.Empty(c.t, m.Header, "a v1 caller gets no header of ours")
		return m
	case <-time.After(harness.Wait):
		c.t.Fatal("no answer")
		return nil
	}
}

// accepted reads the handshake and returns the callee's inbox.
func (c *v1Caller) accepted() string {
	m := c.next()
	require.Equal(c.t, c.inbox, m.Subject)
	require.Empty(c.t, m.Data)
	require.NotEmpty(c.t, m.Reply)
	return m.Reply
}

// results reads until the empty message on C.results.
func (c *v1Caller) results() (out string) {
	for {
		m := c.next()
		require.Equal(c.t, c.inbox+".results", m.Subject)
		if len(m.Data) == 0 {
			return out
		}
		out += string(m.Data)
	}
}

func TestV1Caller(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(func(c *host.Config) { c.MaxWait = 100 * time.Millisecond })
	require.NoError(t, n.Start("c", "chain", 1))
	c := newV1Caller(t, l)
	const finish, fail, trap = "\x00", "\x01", "\x02"

	c.call("go", "\x00"+finish)
	callee := c.accepted()
	require.NoError(t, l.Conn.Publish(callee+".params", nil)) // as v1 always does
	require.Equal(t, "\x00\x01", c.results())
	c.call("go", "\x00"+fail)
	c.accepted()
	require.Equal(t, "\x01\x0dasked to fail", c.results())
	c.call("go", "\x00"+trap)
	c.accepted()
	require.Empty(t, c.results(), "in v1 a failure is results that end before they begin")

	// Parameters in two pieces.
	c.call("go", "\x00")
	callee = c.accepted()
	require.NoError(t, l.Conn.Publish(callee+".params", []byte(finish)))
	require.Equal(t, "\x00\x01", c.results())

	for what, params := range map[string]string{
		"an enum case that is not there": "\x00\x09",
		"a number without end":           "\xff\xff\xff\xff\xff\xff\xff",
		"more than the parameters":       "\x00\x00\x00\x00",
	} {
		c.call("go", params)
		c.accepted()
		require.Empty(t, c.results(), what)
	}
	c.call("go", "")
	callee = c.accepted()
	require.NoError(t, l.Conn.Publish(callee+".params", nil))
	require.Empty(t, c.results(), "no parameters at all")

	// Calls that nobody could answer, and strange messages to a callee's inbox.
	require.NoError(t, l.Conn.Publish("default.c.wrpc.0.0.1.example:chain/step.go", []byte("\x00\x00")))
	for _, tail := range []string{"", ".params.9.9", ".credit.results.0", ".cancel", ".nonsense"} {
		require.NoError(t, l.Conn.Publish(callee+tail, []byte("junk")))
	}
	m := nats.NewMsg("default.c.wrpc.0.0.1.example:chain/step.go")
	m.Reply, m.Data = c.inbox, []byte("\x00\x00")
	for _, k := range []string{"lath-path", "lath-window", "lath-timeout-ms", "source-id", "traceparent"} {
		m.Header[k] = []string{"\x01" + string(make([]byte, 3000))}
	}
	m.Header = nats.Header{"lath-path": {",,,"}, "lath-window": {"-1"}, "lath-timeout-ms": {"1e9"}}
	require.NoError(t, l.Conn.PublishMsg(m))
	c.accepted()
	require.Equal(t, "\x00\x01", c.results())

	// With its one instance taken, the component makes v1 callers wait their turn,
	// for longer than those who can be told.
	ctx, cancel := context.WithCancel(t.Context())
	spinning := make(chan error, 1)
	go func() {
		_, err := l.Call(ctx, n, "c", "example:chain/step.run(0, spin)")
		spinning <- err
	}()
	l.Eventually("it spins", func() bool { return n.Runtime.MemoryInUse() > 0 })
	c.call("go", "\x00"+finish)
	_, err := l.Call(t.Context(), n, "c", "example:chain/step.go(0, finish)")
	require.ErrorIs(t, err, wrpc.ErrBusy)
	require.ErrorContains(t, err, "became free within 100ms")
	cancel()
	require.ErrorIs(t, <-spinning, context.Canceled)
	c.accepted()
	require.Equal(t, "\x00\x01", c.results())
	l.Eventually("nothing is left", func() bool { return n.Runtime.MemoryInUse() == 0 })
}
