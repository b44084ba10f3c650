package lattice_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	t.Cleanup(cancel)
	return ctx
}

// Commands tell what became of them, with the cause of what failed.
func TestOutcomesOfCommands(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n, ctx := l.Host(nil), within(t)
	outcome := func(send func(c *ctl.Client) error) *lattice.Op {
		t.Helper()
		op, err := l.Control.Await(ctx, send)
		require.NoError(t, err)
		require.Equal(t, n.ID, op.HostID)
		require.False(t, op.Ended.IsZero())
		return op
	}
	scale := func(image string, most uint32) *lattice.Op {
		return outcome(func(c *ctl.Client) error {
			_, err := c.ScaleComponent(ctx, n.ID, ctl.ScaleComponent{ComponentID: "c", ComponentRef: image, MaxInstances: most})
			return err
		})
	}
	op := scale("file:///nowhere.wasm", 1)
	require.Equal(t, lattice.OpFailed, op.State)
	require.Contains(t, op.Cause, `start component "c": `)
	require.Contains(t, op.Cause, "nowhere.wasm")
	require.Equal(t, lattice.OpDone, scale(l.Image("types"), 1).State)
	got, err := l.Call(ctx, n, "c", "example:types/values.sum([1, 2])")
	require.NoError(t, err, "it ran when its command was done")
	require.Equal(t, "3", got.WAVE)

	op = outcome(func(c *ctl.Client) error {
		_, err := c.UpdateComponent(ctx, n.ID, ctl.UpdateComponent{ComponentID: "c", NewComponentRef: "file:///nowhere.wasm"})
		return err
	})
	require.Equal(t, lattice.OpFailed, op.State)
	require.Contains(t, op.Message, "component c updating from ")
	op = outcome(func(c *ctl.Client) error {
		_, err := c.UpdateComponent(ctx, n.ID, ctl.UpdateComponent{ComponentID: "c", NewComponentRef: l.Image("types")})
		return err
	})
	require.Equal(t, lattice.OpDone, op.State)
	require.Contains(t, op.Message, "component c already updated to ")
	op = outcome(func(c *ctl.Client) error {
		return c.StartProvider(ctx, n.ID, ctl.StartProvider{ProviderID: "p", ProviderRef: provider.Scheme + "nothing"})
	})
	require.Equal(t, lattice.OpFailed, op.State)
	require.Contains(t, op.Cause, "no built-in of that name")
	require.Equal(t, lattice.OpDone, scale(l.Image("types"), 0).State)
}

// The same command through two hosts is done once.
func TestCommandRepeatedThroughAnotherHost(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	hosts, ctx := []*harness.Node{l.Host(nil), l.Host(nil)}, within(t)
	told := l.Events()
	named := l.Control.WithCommandID(ctl.NewCommandID())
	for range 20 { // NATS chooses the host
		require.NoError(t, named.PutConfig(ctx, "c", map[string]string{"a": "1"}))
	}
	require.Contains(t, told.Next().Type, "config_set")
	require.NoError(t, l.Control.PutLabel(ctx, hosts[0].ID, "last", "one"))
	require.Contains(t, told.Next().Type, "labels_changed", "and no other config_set before it")
	ops, err := l.Control.Ops(ctx, 10)
	require.NoError(t, err)
	require.Len(t, ops, 2)
}

// A command whose host died in the middle stays accepted, and says by which host;
// another host tells it.
func TestCommandOfAHostThatDied(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	l.Host(nil)
	entered := make(chan struct{})
	n := l.Distant(func(c *host.Config) {
		c.Builtins = []provider.Builtin{{Name: "slow", Start: func(ctx context.Context, _ provider.Config) (*provider.Capabilities, error) {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		}}}
	})
	ctx := within(t)
	id := ctl.NewCommandID()
	start := func() error {
		return l.Control.WithCommandID(id).StartProvider(ctx, n.ID, ctl.StartProvider{ProviderID: "p", ProviderRef: provider.Scheme + "slow"})
	}
	require.NoError(t, start())
	<-entered
	require.NoError(t, start(), "a repeat while it is at it is accepted as the first one was, not refused as running")
	n.Kill()
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	op, err := l.Control.WaitOp(short, id)
	require.ErrorIs(t, err, lattice.ErrTimeout)
	if op == nil { // the wait was too short for an answer
		op, err = l.Control.Op(ctx, id)
		require.NoError(t, err)
	}
	require.Equal(t, lattice.OpAccepted, op.State)
	require.Equal(t, n.ID, op.HostID)

	// Nobody waits for what never comes.
	op, err = l.Control.WaitOp(ctx, id)
	require.ErrorIs(t, err, ctl.ErrHostGone)
	require.Equal(t, lattice.OpAccepted, op.State)
}

// A command to stop has ended when the host has left.
func TestOutcomeOfStoppingAHost(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n, other, ctx := l.Host(nil), l.Host(nil), within(t)
	require.NoError(t, n.Start("c", "types", 1))
	op, err := l.Control.Await(ctx, func(c *ctl.Client) error { return c.StopHost(ctx, n.ID, time.Second) })
	require.NoError(t, err)
	require.Equal(t, lattice.OpDone, op.State)
	require.NoError(t, n.Ended())
	stored, err := l.Control.Op(ctx, op.ID)
	require.NoError(t, err)
	require.Equal(t, op, stored)
	hosts, err := l.Control.PingHosts(ctx)
	require.NoError(t, err)
	require.Len(t, hosts, 1)
	require.Equal(t, other.ID, hosts[0].ID)
}

// While NATS is away an outcome waits for it.
func TestOutcomeWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	release := make(chan struct{})
	n := l.Host(func(c *host.Config) {
		c.Builtins = []provider.Builtin{{Name: "slow", Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
			<-release
			return nil, context.DeadlineExceeded
		}}}
	})
	ctx := within(t)
	id := ctl.NewCommandID()
	require.NoError(t, l.Control.WithCommandID(id).StartProvider(ctx, n.ID, ctl.StartProvider{ProviderID: "p", ProviderRef: provider.Scheme + "slow"}))
	l.StopNATS()
	l.Eventually("the host has lost NATS", func() bool { return !n.Conn.IsConnected() })
	close(release)
	l.RestartNATS()
	l.Eventually("the outcome is known", func() bool {
		op, err := l.Control.Op(ctx, id)
		return err == nil && op.State == lattice.OpFailed
	})
}
