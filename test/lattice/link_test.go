package lattice_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// status returns the state and reason of the one link from source to target.
func status(t *testing.T, l *harness.Lattice, source, target string) (lattice.LinkState, string) {
	t.Helper()
	list, err := l.Control.LinkStatuses(t.Context())
	require.NoError(t, err)
	for _, s := range list {
		if s.SourceID == source && s.Target == target {
			return s.State, s.Reason
		}
	}
	return "absent", ""
}

func TestLinkStates(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a, b := l.Host(nil), l.Host((&identity{}).offer)
	is := func(state lattice.LinkState, reason string) {
		t.Helper()
		s, r := status(t, l, "count", "kv")
		require.Equal(t, state, s)
		require.Equal(t, reason, r)
	}
	is("absent", "")
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	const noTarget = `target "kv" does not run, or does not tell what it exports`
	is(lattice.LinkPending, `source "count" does not run; `+noTarget)
	require.NoError(t, a.Start("count", "counter", 1))
	is(lattice.LinkPending, noTarget)
	got, err := l.Call(t.Context(), a, "count", `example:counter/counter.increment("x")`)
	require.NoError(t, err)
	require.Equal(t, `err("increment: component \"count\", link \"default\" to \"kv\", wasi:keyvalue/atomics@0.2.0-draft.increment: `+
		`no responders: no host of lattice \"default\" runs it with this function; see `+"`lath get inventory`"+`")`, got.WAVE)
	require.NoError(t, b.StartProvider("kv", "witness"))
	is(lattice.LinkReady, "")
	got, err = l.Call(t.Context(), a, "count", `example:counter/counter.increment("x")`)
	require.NoError(t, err)
	require.Equal(t, "ok(7)", got.WAVE)
	require.NoError(t, l.Control.StopProvider(t.Context(), b.ID, "kv"))
	is(lattice.LinkPending, noTarget)

	require.NoError(t, l.Control.DeleteLink(t.Context(), lattice.LinkKey{SourceID: "count", WITNamespace: "wasi", WITPackage: "keyvalue"}))
	is("absent", "")
	l.Eventually("both hosts know", func() bool {
		got, err := l.Call(t.Context(), a, "count", `example:counter/counter.increment("x")`)
		require.NoError(t, err)
		return got.WAVE == `err("increment: component \"count\", link \"default\", wasi:keyvalue/atomics@0.2.0-draft.increment: `+
			"refused: no link \\\"default\\\" for wasi:keyvalue/atomics: set one with `lath link put count TARGET --interface wasi:keyvalue/atomics`"+`")`
	})
}

func TestLinkRefused(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a, b := l.Host(nil), l.Host((&identity{}).offer)
	require.NoError(t, a.Start("relay", "relay", 1))
	require.NoError(t, a.Start("count", "counter", 1))
	require.NoError(t, b.Start("types", "types", 1))
	require.NoError(t, b.Start("chain", "chain", 1))
	require.NoError(t, b.StartProvider("kv", "witness"))
	wasm, err := examples.Component("types")
	require.NoError(t, err)
	// The same functions, but what they take has changed places.
	for _, swap := range [][2]string{{"echo-u16", "echo-???"}, {"echo-s16", "echo-u16"}, {"echo-???", "echo-s16"}} {
		wasm = bytes.ReplaceAll(wasm, []byte(swap[0]), []byte(swap[1]))
	}
	swapped := l.File("swapped.wasm", wasm)
	require.NoError(t, b.Scale(ctl.ScaleComponent{ComponentID: "swapped", ComponentRef: swapped, MaxInstances: 1}))

	told := l.Events()
	for _, c := range []struct{ source, target, ifaces, reason string }{
		{"count", "chain", "wasi:keyvalue/store", `target "chain" does not export wrpc:keyvalue/store@0.2.0-draft; it exports example:chain/step`},
		{"chain", "types", "example:types/values", `component "chain" does not import example:types/values; it imports example:chain/step`},
		{"chain", "nobody", "example:chain/stepp", `component "chain" does not import example:chain/stepp; it imports example:chain/step`},
		{"relay", "kv", "example:types/values", `target "kv" does not export example:types/values; it exports wrpc:keyvalue/atomics@0.2.0-draft, wrpc:keyvalue/store@0.2.0-draft`},
		{"relay", "swapped", "example:types/values", `example:types/values.echo-u16: component "relay" wants func(v: u16) -> u16, target "swapped" has func(v: s16) -> s16`},
	} {
		err := l.Link(c.source, c.target, c.ifaces)
		require.Error(t, err, c.reason)
		require.Equal(t, "link.put: link refused: "+c.reason, err.Error())
		e := told.Next()
		require.Equal(t, "com.wasmcloud.lattice.linkdef_set_failed", e.Type)
		require.Contains(t, string(e.Data), `"source_id":"`+c.source+`"`)
		require.Contains(t, string(e.Data), `"error":"link refused: `)
		require.False(t, l.Knows(c.source, c.target), "a refused link is not stored")
	}

	require.NoError(t, l.Link("relay", "types", "example:types/values"))
	err = l.Link("relay", "swapped2", "example:types/values")
	require.EqualError(t, err, "link.put: link already exists with different target, consider deleting the existing link or using a different link name")
	require.NoError(t, l.Link("relay", "types", "example:types/values"), "the same again does no harm")
}

// A link that was put before its ends, and that they do not fit, is refused
// when they are there: no call takes one type for another, on either route.
func TestLinkRefusedLater(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		l := harness.New(t)
		a := l.Host(nil)
		b := a
		if !together {
			b = l.Host(nil)
		}
		require.NoError(t, l.Link("relay", "types", "example:types/values"))
		require.NoError(t, a.Start("relay", "relay", 1))
		wasm, err := examples.Component("types")
		require.NoError(t, err)
		for _, swap := range [][2]string{{"echo-u16", "echo-???"}, {"echo-s16", "echo-u16"}, {"echo-???", "echo-s16"}} {
			wasm = bytes.ReplaceAll(wasm, []byte(swap[0]), []byte(swap[1]))
		}
		require.NoError(t, b.Scale(ctl.ScaleComponent{ComponentID: "types", ComponentRef: l.File("swapped.wasm", wasm), MaxInstances: 1}))
		const reason = `example:types/values.echo-u16: component "relay" wants func(v: u16) -> u16, target "types" has func(v: s16) -> s16`
		s, r := status(t, l, "relay", "types")
		require.Equal(t, lattice.LinkRefused, s)
		require.Equal(t, reason, r)
		l.Eventually("the call is refused", func() bool {
			_, err = l.Call(t.Context(), a, "relay", "example:types/values.echo-u16(65535)")
			return err != nil && strings.Contains(err.Error(), "the link is refused")
		})
		require.ErrorContains(t, err, `component "relay", link "default" to "types", example:types/values.echo-u16: refused: the link is refused: `+reason)
		// The right component in its place mends it.
		require.NoError(t, b.Scale(ctl.ScaleComponent{ComponentID: "types", ComponentRef: l.Image("types"), MaxInstances: 1, AllowUpdate: true}))
		l.Eventually("the call goes through", func() bool {
			got, err := l.Call(t.Context(), a, "relay", "example:types/values.echo-u16(65535)")
			return err == nil && got.WAVE == "65535"
		})
	}
}

func TestLinksOutliveHosts(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a := l.Host(nil)
	require.NoError(t, l.Link("source", "target", "example:chain/step"))
	id, err := lattice.NewIdentity("")
	require.NoError(t, err)
	again := func(c *host.Config) { c.Identity = id }
	b := l.Host(again)
	calls := func(n *harness.Node) {
		t.Helper()
		require.NoError(t, n.Start("source", "chain", 2))
		require.NoError(t, n.Start("target", "chain", 2))
		got, err := l.Call(t.Context(), n, "source", "example:chain/step.go(1, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(2)", got.WAVE)
	}
	calls(b)
	b.Stop()
	b = l.Host(again)
	require.Equal(t, id.ID, b.ID)
	calls(b) // a restarted host
	calls(a)
	a.Stop()
	b.Stop()
	calls(l.Host(nil)) // a host that was never there when the link was put
}

func TestLinkSeenByAll(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	nodes := []*harness.Node{l.Host(nil), l.Host(nil), l.Host(nil)}
	for _, n := range nodes {
		require.NoError(t, n.Start("source", "chain", 2))
		require.NoError(t, n.Start("target", "chain", 2))
	}
	all := func(want string) {
		for _, n := range nodes {
			l.Eventually(want, func() bool {
				got, err := l.Call(t.Context(), n, "source", "example:chain/step.go(1, finish)")
				require.NoError(t, err)
				return got.WAVE == want
			})
		}
	}
	const none = "err(\"component \\\"source\\\", link \\\"default\\\", example:chain/step.go: refused: no link \\\"default\\\" for example:chain/step: " +
		"set one with `lath link put source TARGET --interface example:chain/step`\")"
	all(none)
	require.NoError(t, l.Link("source", "target", "example:chain/step")) // answered by one of the three
	all("ok(2)")
	require.NoError(t, l.Control.DeleteLink(context.Background(), lattice.LinkKey{SourceID: "source", WITNamespace: "example", WITPackage: "chain"}))
	all(none)
}
