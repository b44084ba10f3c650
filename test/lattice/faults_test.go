package lattice_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// What tests of failures stand on: a host whose wire is paused is there and says
// nothing, one that is cut off is gone and comes back, one that is killed tells
// nobody.
func TestDistantHosts(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Distant(func(c *host.Config) { c.Restore = true })
	require.NoError(t, n.Start("c", "chain", 3))
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := l.Control.Inventory(ctx, n.ID)
		return err
	}
	require.NoError(t, ask())

	n.Wire.Pause()
	require.ErrorIs(t, ask(), lattice.ErrTimeout, "it takes the question and does not answer")
	require.True(t, n.Conn.IsConnected())
	n.Wire.Resume()
	l.Eventually("it answers again", func() bool { return ask() == nil })

	n.Wire.Cut()
	l.Eventually("nobody is there", func() bool { return errors.Is(ask(), lattice.ErrNotFound) })
	require.False(t, n.Conn.IsConnected())
	n.Wire.Heal()
	l.Eventually("it comes back by itself", func() bool { return ask() == nil })

	told := l.Events()
	n.Kill()
	l.Eventually("nobody is there", func() bool { return errors.Is(ask(), lattice.ErrNotFound) })
	again := n.Restart()
	require.Equal(t, n.ID, again.ID)
	require.Equal(t, "com.wasmcloud.lattice.host_started", told.Next().Type, "a host that was killed said no goodbye")
	l.Eventually("it runs what it ran", func() bool {
		inv, err := l.Control.Inventory(t.Context(), again.ID)
		return err == nil && len(inv.Components) == 1 && inv.Components[0].MaxInstances == 3
	})
}

// A host that is cut off while it carries out a call tells its caller when it is back
// what the call came to.
func TestCallOutlivesItsHostsConnection(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	slow := newGate()
	n := l.Distant(slow.offer)
	require.NoError(t, n.StartProvider("kv", "gate"))
	require.NoError(t, n.Start("count", "counter", 2))
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	ended := make(chan error, 1)
	go func() {
		target := wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "count"), Instance: "example:counter/counter", Func: "increment"}
		_, _, err := l.Calls.Call(context.Background(), target, wrpc.Meta{}, []byte{1, 'x'})
		ended <- err
	}()
	<-slow.reached
	n.Wire.Cut()
	l.Eventually("the host notices", func() bool { return !n.Conn.IsConnected() })
	close(slow.open)
	l.Eventually("the call is over", func() bool {
		count := n.Host.Stats().Components[0]
		return count.Calls == 1 && count.Running == 0
	})
	n.Wire.Heal()
	require.NoError(t, <-ended)
}
