package lattice_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// wrpcCounter is a component that counts in the store that it is linked to.
func wrpcCounter(l *harness.Lattice) string {
	l.T.Helper()
	wasm, err := os.ReadFile("testdata/wrpc-counter.wasm")
	require.NoError(l.T, err)
	return l.File("wrpc-counter.wasm", wasm)
}

// A component that exports wasi:keyvalue is a provider like any other: to components
// of its host, of other hosts, and to callers of wrpc:keyvalue.
func TestKeyvalueByComponent(t *testing.T) {
	t.Parallel()
	for _, reuse := range []string{"pristine", "sticky", "fresh"} {
		for _, together := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/together=%v", reuse, together), func(t *testing.T) {
				t.Parallel()
				l := harness.New(t)
				few := func(c *host.Config) {
					offerMemory(c)
					c.Limits.Handles = 12 // a bucket that is left open counts
				}
				a := l.Host(few)
				b := a
				if !together {
					b = l.Host(few)
				}
				require.NoError(t, b.StartProvider("memory", "memory"))
				require.NoError(t, b.Scale(ctl.ScaleComponent{ComponentID: "kv", ComponentRef: l.Image("prefix"), MaxInstances: 4,
					Annotations: map[string]string{lattice.AnnotationReuse: reuse}}))
				require.NoError(t, a.Start("count", "counter", 4))
				require.NoError(t, a.Start("direct", "counter", 4))
				require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
				require.NoError(t, l.Link("kv", "memory", "wasi:keyvalue/store,atomics"))
				require.NoError(t, l.Link("direct", "memory", "wasi:keyvalue/store,atomics"))
				s, why := status(t, l, "count", "kv")
				require.Equal(t, lattice.LinkReady, s, why)
				is := func(n *harness.Node, id, expr, want string) {
					t.Helper()
					got, err := l.Call(t.Context(), n, id, expr)
					require.NoError(t, err, expr)
					require.Equal(t, want, got.WAVE, expr)
				}
				for n := range 30 {
					is(a, "count", `example:counter/counter.increment("k")`, fmt.Sprintf("ok(%d)", n+1))
				}
				is(a, "count", `example:counter/counter.get("k")`, "ok(some(30))")
				is(a, "count", `example:counter/counter.get("other")`, "ok(none)")
				is(a, "direct", `example:counter/counter.get("app/k")`, "ok(some(30))")
				is(a, "direct", `example:counter/counter.get("k")`, "ok(none)")

				is(b, "kv", `wrpc:keyvalue/store@0.2.0-draft.set("default", "x", [1, 2])`, "ok")
				is(b, "kv", `wrpc:keyvalue/store@0.2.0-draft.get("default", "x")`, "ok(some([1, 2]))")
				is(b, "kv", `wrpc:keyvalue/store@0.2.0-draft.get("elsewhere", "x")`, "ok(none)")
				is(b, "kv", `wrpc:keyvalue/store@0.2.0-draft.exists("default", "x")`, "ok(true)")
				is(b, "kv", `wrpc:keyvalue/store@0.2.0-draft.delete("default", "x")`, "ok")
				is(b, "kv", `wrpc:keyvalue/store@0.2.0-draft.list-keys("default", none)`, `ok({keys: ["k"]})`)

				// A component that imports wrpc:keyvalue itself.
				require.NoError(t, a.Scale(ctl.ScaleComponent{ComponentID: "raw", ComponentRef: wrpcCounter(l), MaxInstances: 1}))
				require.NoError(t, l.Link("raw", "kv", "wrpc:keyvalue/atomics"))
				is(a, "raw", `test:wrpc/counter.increment("raw")`, "1")
				is(a, "raw", `test:wrpc/counter.increment("raw")`, "2")

				// Its own errors are values at the end of the chain.
				require.NoError(t, l.Control.DeleteLink(t.Context(), lattice.LinkKey{SourceID: "kv", WITNamespace: "wasi", WITPackage: "keyvalue"}))
				l.Eventually("the link is gone", func() bool {
					got, err := l.Call(t.Context(), a, "count", `example:counter/counter.increment("k")`)
					require.NoError(t, err)
					return got.WAVE == `err("increment: component \"kv\", link \"default\", wasi:keyvalue/atomics@0.2.0-draft.increment: `+
						"refused: no link \\\"default\\\" for wasi:keyvalue/atomics: set one with `lath link put kv TARGET --interface wasi:keyvalue/atomics`"+`")`
				})
			})
		}
	}
}

// What it exports less than all of an interface, or nothing, is refused.
func TestKeyvalueByComponentRefused(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a := l.Host(nil)
	require.NoError(t, a.Start("kv", "prefix", 1))
	require.NoError(t, a.Start("count", "counter", 1))
	err := l.Link("count", "kv", "wasi:keyvalue/batch")
	require.ErrorContains(t, err, `component "count" does not import wasi:keyvalue/batch`)
	err = l.Link("nobody", "kv", "wasi:keyvalue/batch")
	require.ErrorContains(t, err, `target "kv" does not export wrpc:keyvalue/batch@0.2.0-draft; it exports wasi:keyvalue/atomics@0.2.0-draft, `+
		`wasi:keyvalue/store@0.2.0-draft, wrpc:keyvalue/atomics@0.2.0-draft, wrpc:keyvalue/store@0.2.0-draft`)
}
