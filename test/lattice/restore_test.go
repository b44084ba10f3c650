package lattice_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/state"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// A host that comes back with its identity runs again what commands have started
// on it, as the last of them had it, and nothing that they have stopped.
func TestRestore(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	identity, err := lattice.NewIdentity("")
	require.NoError(t, err)
	start := func(restore bool) *harness.Node {
		return l.Host(func(c *host.Config) {
			c.Identity, c.Restore = identity, restore
			c.Builtins = []provider.Builtin{{Name: "empty", Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
				return &provider.Capabilities{}, nil
			}}}
		})
	}
	ctx := t.Context()
	one := start(true)
	require.NoError(t, l.Control.PutConfig(ctx, "c", map[string]string{"color": "red"}))
	full := ctl.ScaleComponent{ComponentID: "full", ComponentRef: reader(l), MaxInstances: 7, Config: []string{"c"},
		Annotations: map[string]string{"a": "b"}, Limits: &lattice.ComponentLimits{MaxMemory: "1048576"}}
	require.NoError(t, one.Scale(full))
	full.MaxInstances = 3
	require.NoError(t, one.Scale(full))
	require.NoError(t, one.Start("stopped", "types", 1))
	require.NoError(t, one.Scale(ctl.ScaleComponent{ComponentID: "stopped", ComponentRef: "x", MaxInstances: 0}))
	require.Error(t, one.Scale(ctl.ScaleComponent{ComponentID: "failed", ComponentRef: l.File("bad.wasm", []byte("no")), MaxInstances: 1}))
	require.NoError(t, one.StartProvider("kv", "empty"))
	require.NoError(t, one.StartProvider("gone", "empty"))
	require.NoError(t, l.Control.StopProvider(ctx, one.ID, "gone"))
	before, err := l.Control.Inventory(ctx, one.ID)
	require.NoError(t, err)
	one.Stop()

	two := start(true)
	require.Equal(t, one.ID, two.ID)
	var after *lattice.Inventory
	l.Eventually("all of it runs again", func() bool {
		after, err = l.Control.Inventory(ctx, two.ID)
		return err == nil && len(after.Components)+len(after.Providers) == 2
	})
	require.Equal(t, before.Components, after.Components)
	require.Equal(t, before.Providers, after.Providers)
	got, err := l.Call(ctx, two, "full", `test:settings/reader.read("color")`)
	require.NoError(t, err)
	require.Equal(t, `some("red")`, got.WAVE)

	// Whoever scales to 0 is right for good: also a client that speaks v1 alone.
	answer, err := l.Conn.Request("wasmbus.ctl.v1.default.component.scale."+two.ID,
		[]byte(`{"component_id":"full","component_ref":"x","host_id":"`+two.ID+`","max_instances":0}`), harness.Wait)
	require.NoError(t, err)
	require.Contains(t, string(answer.Data), `"success":true`)
	l.Eventually("it has stopped", func() bool {
		after, err = l.Control.Inventory(ctx, two.ID)
		return err == nil && len(after.Components) == 0
	})
	two.Stop()
	three := start(true)
	l.Eventually("the provider runs again", func() bool {
		after, err = l.Control.Inventory(ctx, three.ID)
		return err == nil && len(after.Providers) == 1
	})
	require.Empty(t, after.Components)
	three.Stop()

	four := start(false)
	require.NoError(t, four.Start("new", "types", 1))
	after, err = l.Control.Inventory(ctx, four.ID)
	require.NoError(t, err)
	require.Len(t, after.Components, 1)
	require.Empty(t, after.Providers, "nothing is started again unless asked for")
}

// What cannot be started again when the host comes back is tried again, until it
// runs or a command takes it away.
func TestRestoreTriesAgain(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	l.Host(nil) // somebody has to answer while the other one is away
	n := l.Distant(func(c *host.Config) { c.Restore = true })
	ctx := t.Context()
	for _, id := range []string{"again", "never"} {
		require.NoError(t, l.Control.PutConfig(ctx, id, map[string]string{"a": "b"}))
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: l.Image("chain"), MaxInstances: 2, Config: []string{id}}))
	}
	n.Kill()
	for _, id := range []string{"again", "never"} {
		require.NoError(t, l.Control.DeleteConfig(ctx, id))
	}
	n = n.Restart()
	_, err := l.Control.ScaleComponent(ctx, n.ID, ctl.ScaleComponent{ComponentID: "never", ComponentRef: l.Image("chain")})
	require.NoError(t, err)
	for _, id := range []string{"never", "again"} {
		require.NoError(t, l.Control.PutConfig(ctx, id, map[string]string{"a": "b"}))
	}
	runs := func() []string {
		inv, err := l.Control.Inventory(ctx, n.ID)
		require.NoError(t, err)
		var ids []string
		for _, c := range inv.Components {
			ids = append(ids, c.ID)
		}
		return ids
	}
	l.Eventually("what is wanted runs, and nothing else", func() bool { return slices.Equal(runs(), []string{"again"}) })
}

// A command that stops a component has taken effect when calls that did not end in
// time were cut off: it is told so, and the component stays away.
func TestRestoreLeavesWhatWasCutOff(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Distant(func(c *host.Config) { c.Restore, c.Drain = true, 100*time.Millisecond })
	require.NoError(t, n.Start("c", "chain", 1))
	ended := make(chan error, 1)
	go func() {
		_, err := l.Call(context.Background(), n, "c", "example:chain/step.run(0, spin)")
		ended <- err
	}()
	l.Eventually("it spins", func() bool { return n.Runtime.MemoryInUse() > 0 })
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: l.Image("chain")}))
	require.ErrorIs(t, <-ended, wrpc.ErrLost)
	n.Kill()
	n = n.Restart()
	inv, err := l.Control.Inventory(t.Context(), n.ID)
	require.NoError(t, err)
	require.Empty(t, inv.Components)
}

// A command that stops a component has taken effect also when the end of the host cuts
// off the calls that it waits for: it is told so, and the component stays away.
func TestRestoreLeavesWhatTheEndCutOff(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(func(c *host.Config) { c.Restore = true })
	require.NoError(t, n.Start("c", "chain", 1))
	ended := make(chan error, 1)
	go func() {
		_, err := l.Call(context.Background(), n, "c", "example:chain/step.run(0, spin)")
		ended <- err
	}()
	l.Eventually("it spins", func() bool { return n.Runtime.MemoryInUse() > 0 })
	ctx := t.Context()
	stopped := make(chan error, 1)
	go func() {
		op, err := l.Control.Await(ctx, func(c *ctl.Client) error {
			_, err := c.ScaleComponent(ctx, n.ID, ctl.ScaleComponent{ComponentID: "c", ComponentRef: l.Image("chain")})
			return err
		})
		if err == nil && op.State != lattice.OpDone {
			err = errors.New(op.Cause)
		}
		stopped <- err
	}()
	l.Eventually("it has taken effect", func() bool {
		inv, err := l.Control.Inventory(ctx, n.ID)
		return err == nil && len(inv.Components) == 0
	})
	require.NoError(t, l.Control.StopHost(ctx, n.ID, time.Second))
	require.NoError(t, <-stopped)
	require.ErrorIs(t, <-ended, wrpc.ErrLost)
	_ = n.Ended() // it may say that it took all of its time
	store, err := state.Open(ctx, l.Conn, harness.Name, state.Options{})
	require.NoError(t, err)
	defer store.Close()
	want, err := store.Want(ctx, n.ID)
	require.NoError(t, err)
	require.Empty(t, want.Components)
}

// Commands for one provider do not meet: one that is being started cannot be
// stopped yet, and one that was stopped is not wanted.
func TestRestoreOfProviders(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	n := l.Distant(func(c *host.Config) {
		c.Restore = true
		c.Builtins = []provider.Builtin{{Name: "slow", Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
			begun <- struct{}{}
			<-goOn
			return &provider.Capabilities{}, nil
		}}}
	})
	ctx := t.Context()
	started := make(chan error, 1)
	go func() { started <- n.StartProvider("p", "slow") }()
	<-begun
	require.ErrorContains(t, l.Control.StopProvider(ctx, n.ID, "p"), "try again in a moment")
	close(goOn)
	require.NoError(t, <-started)
	require.NoError(t, l.Control.StopProvider(ctx, n.ID, "p"))
	n.Kill()
	n = n.Restart()
	inv, err := l.Control.Inventory(ctx, n.ID)
	require.NoError(t, err)
	require.Empty(t, inv.Providers)
	require.Empty(t, begun, "it was not even tried")
}
