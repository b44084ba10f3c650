package lattice_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/test/harness"
)

// offerMemory gives a host the built-in store in memory.
func offerMemory(c *host.Config) {
	c.Builtins = []provider.Builtin{{Name: "memory", Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
		s := keyvalue.NewMemory(keyvalue.MemoryConfig{})
		return &provider.Capabilities{KeyvalueStore: s, KeyvalueAtomics: s, KeyvalueBatch: s}, nil
	}}}
}

// linkNamed puts a link of a name, and waits until all these hosts know it.
func linkNamed(t *testing.T, l *harness.Lattice, name, source, target, pkg string, interfaces []string, hosts ...*harness.Node) {
	t.Helper()
	ns, pkg, _ := strings.Cut(pkg, ":")
	require.NoError(t, l.Control.PutLink(t.Context(), lattice.Link{SourceID: source, Target: target, Name: name,
		WITNamespace: ns, WITPackage: pkg, Interfaces: interfaces}))
	for _, n := range hosts {
		l.Eventually("all hosts know the link", func() bool {
			return slices.ContainsFunc(n.Host.Links(), func(x lattice.Link) bool { return x.SourceID == source && x.Name == name && x.Target == target })
		})
	}
}

// choosers starts two stores, and a component that is linked to both of them and
// to another component for what it relays.
func choosers(t *testing.T, image, reuse string, together bool) (*harness.Lattice, *harness.Node) {
	t.Helper()
	l := harness.New(t)
	a := l.Host(offerMemory)
	b := a
	if !together {
		b = l.Host(offerMemory)
	}
	start := func(n *harness.Node, id string) {
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: l.Image(image), MaxInstances: 4,
			Annotations: map[string]string{lattice.AnnotationReuse: reuse}}))
	}
	start(a, "c")
	start(b, "next")
	for _, id := range []string{"one", "two"} {
		require.NoError(t, b.StartProvider(id, "memory"))
	}
	kv := []string{"store", "atomics"}
	linkNamed(t, l, "default", "c", "one", "wasi:keyvalue", kv, a, b)
	linkNamed(t, l, "second", "c", "two", "wasi:keyvalue", kv, a, b)
	linkNamed(t, l, "default", "next", "one", "wasi:keyvalue", kv, a, b)
	linkNamed(t, l, "second", "next", "two", "wasi:keyvalue", kv, a, b)
	linkNamed(t, l, "default", "c", "next", "example:stores", []string{"stores"}, a, b)
	return l, a
}

// A call chooses its store by the name of a link; the choice ends with the call, and
// neither what it calls nor the next call of the same instance knows it.
func TestChoosesPerCall(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"stores", "stores-v1"} {
		for _, reuse := range []string{"pristine", "sticky", "fresh"} {
			for _, together := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/together=%v", image, reuse, together), func(t *testing.T) {
					t.Parallel()
					l, n := choosers(t, image, reuse, together)
					is := func(expr, want string) {
						t.Helper()
						got, err := l.Call(t.Context(), n, "c", "example:stores/stores."+expr)
						require.NoError(t, err, expr)
						require.Equal(t, want, got.WAVE, expr)
					}
					is(`increment("second", "k")`, "ok(1)")
					is(`increment("", "k")`, "ok(1)")
					is(`increment("", "k")`, "ok(2)")
					is(`increment("second", "k")`, "ok(2)")
					is(`increment("default", "k")`, "ok(3)")
					is(`relay("second", "k")`, "ok(4)")
					is(`increment("second", "k")`, "ok(3)")
				})
			}
		}
	}
}

// Calls at the same time do not choose for each other.
func TestChoosesApart(t *testing.T) {
	t.Parallel()
	l, n := choosers(t, "stores", "sticky", true)
	var calling sync.WaitGroup
	for _, link := range []string{"", "second", "", "second"} {
		calling.Go(func() {
			for range 25 {
				if _, err := l.Call(t.Context(), n, "c", fmt.Sprintf(`example:stores/stores.increment(%q, "k")`, link)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calling.Wait()
	for _, link := range []string{"", "second"} {
		got, err := l.Call(t.Context(), n, "c", fmt.Sprintf(`example:stores/stores.increment(%q, "k")`, link))
		require.NoError(t, err)
		require.Equal(t, "ok(51)", got.WAVE)
	}
}

// A link that is not there is an error of wasmcloud:bus in its second version, and
// of the calls that would follow it in its first.
func TestChoosesNoLink(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{
		"stores": "err(\"interface `wasi:keyvalue/store` does not have an existing link with name `third`\")",
		"stores-v1": `err("component \"c\", link \"third\", wasi:keyvalue/atomics@0.2.0-draft.increment: refused: ` +
			"link `third` not found for instance `wasi:keyvalue/atomics`: set one with `lath link put c TARGET --name third --interface wasi:keyvalue/atomics`\")",
	} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			l, n := choosers(t, image, "pristine", true)
			got, err := l.Call(t.Context(), n, "c", `example:stores/stores.increment("third", "k")`)
			require.NoError(t, err)
			require.Equal(t, want, got.WAVE)
			// Once it is there, the next call follows it.
			linkNamed(t, l, "third", "c", "two", "wasi:keyvalue", []string{"store", "atomics"}, n)
			got, err = l.Call(t.Context(), n, "c", `example:stores/stores.increment("third", "k")`)
			require.NoError(t, err)
			require.Equal(t, "ok(1)", got.WAVE)
		})
	}
}
