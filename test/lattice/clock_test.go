package lattice_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/test/harness"
)

// Hosts whose clocks are an hour off tell that, and work together all the same; so
// does one that starts again after its clock was set back, which others must not take
// for one that ran earlier.
func TestClocksOfHostsDiffer(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	var off atomic.Int64
	off.Store(int64(time.Hour))
	right := l.Host(nil)
	other := l.Host(func(c *host.Config) {
		c.Restore, c.Now = true, func() time.Time { return time.Now().Round(0).Add(time.Duration(off.Load())) }
	})
	events, err := event.Subscribe(t.Context(), l.Conn, harness.Name, event.ComponentScaledName)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, events.Close()) })
	start := func(n *harness.Node, off time.Duration) {
		t.Helper()
		op, err := l.Control.Await(within(t), func(c *ctl.Client) error {
			_, err := c.ScaleComponent(within(t), n.ID, ctl.ScaleComponent{ComponentID: "c", ComponentRef: l.Image("types"), MaxInstances: 1})
			return err
		})
		require.NoError(t, err)
		require.Equal(t, lattice.OpDone, op.State, op.Cause)
		e, err := events.Next(within(t))
		require.NoError(t, err)
		for _, told := range []time.Time{op.Accepted, op.Ended, e.Time} {
			require.WithinDuration(t, time.Now().Add(off), told, time.Minute, "a host tells its own clock")
		}
	}
	start(right, 0)
	start(other, time.Hour)

	seen := func() bool {
		peers := right.Host.Peers()
		return len(peers) == 2 && peers[0].State == beat.Ready && peers[1].State == beat.Ready
	}
	l.Eventually("it is heard", seen)
	other.Stop()
	l.Eventually("it has left", func() bool { return len(right.Host.Peers()) == 1 })
	off.Store(-int64(time.Hour))
	other = other.Restart()
	l.Eventually("it is heard, though it says that it started two hours before", seen)
	l.Eventually("what it ran is there", func() bool {
		got, err := l.Call(within(t), other, "c", "example:types/values.sum([1, 2])")
		return err == nil && got.WAVE == "3"
	})
}
