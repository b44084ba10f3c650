package lattice_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/test/harness"
)

// reader is a component that returns its settings.
func reader(l *harness.Lattice) string {
	l.T.Helper()
	wasm, err := os.ReadFile("testdata/settings.wasm")
	require.NoError(l.T, err)
	return l.File("settings.wasm", wasm)
}

// Named configs reach a component merged in their order, on every host, and a
// change reaches one that runs.
func TestConfigReachesComponents(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	one, two := l.Host(nil), l.Host(nil)
	ctx := t.Context()
	require.NoError(t, l.Control.PutConfig(ctx, "base", map[string]string{"color": "red", "size": "1"}))
	require.NoError(t, l.Control.PutConfig(ctx, "special", map[string]string{"color": "blue"}))
	ref := reader(l)
	for _, n := range []*harness.Node{one, two} {
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref, MaxInstances: 1, Config: []string{"base", "special"}}))
	}
	read := func(n *harness.Node, key string) string {
		t.Helper()
		got, err := l.Call(ctx, n, "c", fmt.Sprintf(`test:settings/reader.read(%q)`, key))
		require.NoError(t, err)
		return got.WAVE
	}
	becomes := func(key, want string) {
		t.Helper()
		for _, n := range []*harness.Node{one, two} {
			l.Eventually("the change arrives", func() bool { return read(n, key) == want })
		}
	}
	for _, n := range []*harness.Node{one, two} {
		require.Equal(t, `some("blue")`, read(n, "color"))
		require.Equal(t, `some("1")`, read(n, "size"))
		require.Equal(t, `none`, read(n, "weight"))
	}

	told := l.Events()
	require.NoError(t, l.Control.PutConfig(ctx, "special", map[string]string{"color": "green", "weight": "7"}))
	require.Contains(t, string(told.Next().Data), `{"config_name":"special"}`)
	becomes("color", `some("green")`)
	becomes("weight", `some("7")`)
	require.NoError(t, l.Control.DeleteConfig(ctx, "special"))
	becomes("color", `some("red")`)
	becomes("weight", `none`)

	// Another list of configs, without another image.
	require.NoError(t, l.Control.PutConfig(ctx, "special", map[string]string{"color": "white"}))
	require.NoError(t, one.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref, MaxInstances: 1, Config: []string{"special", "base"}}))
	require.Equal(t, `some("red")`, read(one, "color"))
	require.NoError(t, one.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref, MaxInstances: 1}))
	require.Equal(t, `none`, read(one, "color"))

	err := one.Scale(ctl.ScaleComponent{ComponentID: "d", ComponentRef: ref, MaxInstances: 1, Config: []string{"nobody"}})
	require.EqualError(t, err, `start component "d": config nobody: not found: put it first, by: lath config put nobody KEY=VALUE`)
	err = one.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref, MaxInstances: 1, Config: []string{"nobody"}})
	require.ErrorContains(t, err, "put it first")
	require.Equal(t, `none`, read(one, "color"), "a bad command changes nothing")
}

func TestAuctions(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	kinds := func(c *host.Config) {
		c.Builtins = []provider.Builtin{{Name: "empty", Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
			return &provider.Capabilities{}, nil
		}}}
	}
	a := l.Host(func(c *host.Config) { c.Labels = map[string]string{"zone": "a"}; kinds(c) })
	b := l.Host(func(c *host.Config) { c.Labels = map[string]string{"zone": "b"}; kinds(c) })
	ctx := t.Context()
	bidders := func(constraints map[string]string) (ids []string) {
		t.Helper()
		bids, err := l.Control.AuctionComponent(ctx, ctl.ComponentAuction{ComponentRef: "r", ComponentID: "c", Constraints: constraints})
		require.NoError(t, err)
		for _, bid := range bids {
			ids = append(ids, bid.HostID)
		}
		return ids
	}
	require.ElementsMatch(t, []string{a.ID, b.ID}, bidders(nil))
	require.Equal(t, []string{a.ID}, bidders(map[string]string{"zone": "a"}))

	require.NoError(t, a.Start("c", "types", 1))
	require.Equal(t, []string{b.ID}, bidders(nil), "who runs it does not bid")

	// Labels decide as they are now.
	told := l.Events()
	require.NoError(t, l.Control.PutLabel(ctx, b.ID, "zone", "z"))
	require.Contains(t, string(told.Next().Data), `"zone":"z"`)
	require.Equal(t, []string{b.ID}, bidders(map[string]string{"zone": "z"}))
	require.NoError(t, l.Control.DeleteLabel(ctx, b.ID, "zone"))
	inv, err := l.Control.Inventory(ctx, b.ID)
	require.NoError(t, err)
	require.NotContains(t, inv.Labels, "zone")
	require.Contains(t, inv.Labels, "hostcore.os")

	require.NoError(t, b.StartProvider("kv", "empty"))
	bids, err := l.Control.AuctionProvider(ctx, ctl.ProviderAuction{ProviderRef: "r", ProviderID: "kv"})
	require.NoError(t, err)
	require.Len(t, bids, 1)
	require.Equal(t, a.ID, bids[0].HostID)
}

// The command that was accepted last is how it ends, also where it asks for the image
// that runs just now, while others wait for their turn.
func TestLastUpdateWins(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	ctx := t.Context()
	wasm, err := examples.Component("chain")
	require.NoError(t, err)
	one, two := l.Image("chain"), l.File("two.wasm", wasm)
	require.NoError(t, n.Start("c", "chain", 1))
	calling, giveUp := context.WithCancel(ctx)
	defer giveUp()
	go l.Call(calling, n, "c", "example:chain/step.run(0, spin)")
	l.Eventually("it spins", func() bool { return n.Runtime.MemoryInUse() > 0 })
	update := func(c *ctl.Client, ref string) error {
		_, err := c.UpdateComponent(ctx, n.ID, ctl.UpdateComponent{ComponentID: "c", NewComponentRef: ref})
		return err
	}
	image := func() string {
		inv, err := l.Control.Inventory(ctx, n.ID)
		require.NoError(t, err)
		return inv.Components[0].ImageRef
	}
	require.NoError(t, update(l.Control, two))
	l.Eventually("the new one runs, while the first command waits for calls of the old one", func() bool { return image() == two })
	require.NoError(t, update(l.Control, one))
	op, err := l.Control.Await(ctx, func(c *ctl.Client) error {
		err := update(c, two)
		giveUp()
		return err
	})
	require.NoError(t, err)
	require.Equal(t, lattice.OpDone, op.State, op.Cause)
	op, err = l.Control.Await(ctx, func(c *ctl.Client) error {
		_, err := c.ScaleComponent(ctx, n.ID, ctl.ScaleComponent{ComponentID: "c", ComponentRef: two, MaxInstances: 2})
		return err
	})
	require.NoError(t, err)
	require.Equal(t, lattice.OpDone, op.State, op.Cause)
	require.Equal(t, two, image())
}

func TestUpdateCommand(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	ctx := t.Context()
	require.NoError(t, l.Control.PutConfig(ctx, "c", map[string]string{"color": "red"}))
	update := func(ref string) (string, error) {
		return l.Control.UpdateComponent(ctx, n.ID, ctl.UpdateComponent{ComponentID: "c", NewComponentRef: ref})
	}
	one, two := l.Image("types"), reader(l)
	_, err := update(two)
	require.ErrorContains(t, err, "component c not found")
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: one, MaxInstances: 3, Config: []string{"c"},
		Annotations: map[string]string{"a": "b"}, Limits: &lattice.ComponentLimits{MaxMemory: "1048576"}}))
	message, err := update(one)
	require.NoError(t, err)
	require.Equal(t, "component c already updated to "+one, message)

	sub, err := event.Subscribe(ctx, l.Conn, harness.Name)
	require.NoError(t, err)
	defer sub.Close()
	message, err = update(two)
	require.NoError(t, err)
	require.Equal(t, "component c updating from "+one+" to "+two, message)
	told, err := sub.Wait(ctx, func(e event.Event) bool { _, ok := e.Data.(event.ComponentScaled); return ok })
	require.NoError(t, err)
	require.Equal(t, event.ComponentScaled{HostID: n.ID, ImageRef: two, ComponentID: "c", MaxInstances: 3, Annotations: map[string]string{"a": "b"}}, told.Data)
	got, err := l.Call(ctx, n, "c", `test:settings/reader.read("color")`)
	require.NoError(t, err)
	require.Equal(t, `some("red")`, got.WAVE, "its configs stay")
	inv, err := l.Control.Inventory(ctx, n.ID)
	require.NoError(t, err)
	require.Equal(t, lattice.ComponentDescription{ID: "c", ImageRef: two, MaxInstances: 3, Annotations: map[string]string{"a": "b"},
		Limits: &lattice.ComponentLimits{MaxMemory: "1048576"}}, inv.Components[0])

	// What cannot run leaves what runs, and says so.
	_, err = update(l.File("bad.wasm", []byte("no")))
	require.NoError(t, err)
	told, err = sub.Wait(ctx, func(e event.Event) bool { _, ok := e.Data.(event.ComponentScaleFailed); return ok })
	require.NoError(t, err)
	require.Contains(t, told.Data.(event.ComponentScaleFailed).Error, "bad.wasm")
	_, err = l.Call(ctx, n, "c", `test:settings/reader.read("color")`)
	require.NoError(t, err)
}

// An update by its own command loses no call.
func TestUpdateCommandUnderLoad(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	wasm, err := examples.Component("chain")
	require.NoError(t, err)
	refs := []string{l.File("one.wasm", wasm), l.File("two.wasm", wasm)}
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: refs[0], MaxInstances: 8}))
	ctx, stop := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if got, err := l.Call(t.Context(), n, "c", "example:chain/step.go(0, finish)"); err != nil || got.WAVE != "ok(1)" {
				failed <- fmt.Errorf("%q: %w", got.WAVE, err)
				return
			}
		}
		failed <- nil
	}()
	for i := range 10 {
		sub, err := event.Subscribe(t.Context(), l.Conn, harness.Name)
		require.NoError(t, err)
		_, err = l.Control.UpdateComponent(t.Context(), n.ID, ctl.UpdateComponent{ComponentID: "c", NewComponentRef: refs[(i+1)%2]})
		require.NoError(t, err)
		_, err = sub.Wait(t.Context(), func(e event.Event) bool { _, ok := e.Data.(event.ComponentScaled); return ok })
		require.NoError(t, err)
		require.NoError(t, sub.Close())
	}
	stop()
	require.NoError(t, <-failed)
}
