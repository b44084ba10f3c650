package lattice_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// NATS goes away while calls run: what is on one host goes on there, also with
// calls that begin now, other hosts are out of reach, and when NATS is back
// everything works again.
func TestNATSLost(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	inside, outside := newGate(), newGate()
	a, b := l.Host(inside.offer), l.Host(outside.offer)
	require.NoError(t, a.Start("front", "greeter", 4))
	require.NoError(t, a.Start("count", "counter", 1))
	require.NoError(t, a.StartProvider("near", "gate"))
	require.NoError(t, b.StartProvider("far", "gate"))
	require.NoError(t, a.Start("count-far", "counter", 4))
	require.NoError(t, l.Link("front", "count", "example:counter/counter"))
	require.NoError(t, l.Link("count", "near", "wasi:keyvalue/store,atomics"))
	require.NoError(t, l.Link("count-far", "far", "wasi:keyvalue/store,atomics"))

	ended := make(chan error, 3)
	call := func(id, expr string) {
		_, err := l.Call(context.Background(), a, id, expr)
		ended <- err
	}
	// One call has the only instance of count and waits at near; greet is behind
	// it; a third one waits on the other host.
	go call("count", `example:counter/counter.increment("x")`)
	<-inside.reached
	memory := a.Runtime.MemoryInUse()
	go call("front", `example:greeter/greeter.greet("Ada")`)
	l.Eventually("front runs", func() bool { return a.Runtime.MemoryInUse() > memory })
	go call("count-far", `example:counter/counter.increment("x")`)
	<-outside.reached

	l.StopNATS()
	for range 3 {
		err := <-ended
		require.ErrorIs(t, err, wrpc.ErrLost, "the caller is told at once, not at its deadline")
		require.ErrorIs(t, err, wrpc.ErrMayHaveRun)
		require.ErrorContains(t, err, "(may have run)")
	}
	close(inside.open)
	// The first answer lets front's call of count in: component to component to
	// provider, all without NATS.
	l.Eventually("calls in the process go on", func() bool { return inside.answered.Load() == 2 })
	l.Eventually("and end, also the one that has lost the other host", func() bool { return a.Runtime.MemoryInUse() == 0 })
	// New calls fail at once.
	start := time.Now()
	_, _, err := l.Calls.Call(t.Context(), wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "front"), Instance: "example:greeter/greeter", Func: "greet"}, wrpc.Meta{}, []byte{0})
	require.ErrorIs(t, err, wrpc.ErrDisconnected)
	require.ErrorContains(t, err, "not connected to NATS")
	_, err = l.Control.Inventory(t.Context(), a.ID)
	require.ErrorContains(t, err, "not connected to NATS")
	require.Less(t, time.Since(start), 5*time.Second)

	l.RestartNATS()
	close(outside.open)
	l.Eventually("calls on one host work again", func() bool {
		got, err := l.Call(t.Context(), a, "front", `example:greeter/greeter.greet("Ada")`)
		return err == nil && got.WAVE[:3] == "ok("
	})
	l.Eventually("calls to another host work again", func() bool {
		got, err := l.Call(t.Context(), a, "count-far", `example:counter/counter.increment("x")`)
		return err == nil && got.WAVE == "ok(1)"
	})
	l.Eventually("the state is written and heard again", func() bool {
		return l.Control.PutLink(t.Context(), lattice.Link{SourceID: "late", Target: "count", WITNamespace: "example", WITPackage: "counter", Interfaces: []string{"counter"}}) == nil
	})
	require.NoError(t, b.Start("late", "greeter", 1))
	l.Eventually("a link of later works", func() bool {
		got, err := l.Call(t.Context(), b, "late", `example:greeter/greeter.greet("Bob")`)
		return err == nil && got.WAVE[:3] == "ok("
	})
}

func TestHostStopsWithoutNATS(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a := l.Host((&identity{}).offer)
	require.NoError(t, a.Start("count", "counter", 1))
	require.NoError(t, a.StartProvider("kv", "witness"))
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	l.StopNATS()
	l.Eventually("the host notices", func() bool { return !a.Conn.IsConnected() })
	start := time.Now()
	a.Stop()
	require.Less(t, time.Since(start), host.DefaultDrain/2, "it does not wait for a server that is gone")
	require.Zero(t, a.Runtime.MemoryInUse())
}
