package lattice_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
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

	// Whoever scales to 0 is right for good.
	require.NoError(t, two.Scale(ctl.ScaleComponent{ComponentID: "full", ComponentRef: "x", MaxInstances: 0}))
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
