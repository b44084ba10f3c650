package lattice_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// linksOf writes the links of a source at once, as a v1 host would have stored
// them one by one.
func linksOf(l *harness.Lattice, source string, n int) {
	l.T.Helper()
	js, err := jetstream.New(l.Conn)
	require.NoError(l.T, err)
	kv, err := js.KeyValue(l.T.Context(), lattice.LatticeBucket(harness.Name))
	require.NoError(l.T, err)
	links := make([]lattice.Link, n)
	for i := range links {
		links[i] = lattice.Link{SourceID: source, Target: fmt.Sprintf("target%04d", i), Name: fmt.Sprintf("link%04d", i),
			WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"}}
	}
	data, err := lattice.EncodeJSON(map[string]any{"url": "", "links": links})
	require.NoError(l.T, err)
	_, err = kv.Put(l.T.Context(), lattice.SpecKey(source), data)
	require.NoError(l.T, err)
}

// A lattice with more links than one message carries is told in parts, and what
// v1's verb cannot tell names the limit and the verb that can; what would not fit
// the store is refused when it is put, with the numbers.
func TestThreeThousandLinks(t *testing.T) {
	t.Parallel()
	const each = 3000
	l := harness.NewWith(t, "max_payload: 700000\n")
	n := l.Host(nil)
	require.NoError(t, n.Start("hub", "counter", 1))
	linksOf(l, "hub", each)
	linksOf(l, "other", each)
	ctx := within(t)
	l.Eventually("the links are known", func() bool {
		all, err := l.Control.LinksFrom(ctx, "")
		return err == nil && len(all) == 2*each
	})
	_, err := l.Control.Links(ctx)
	var refused *ctl.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Regexp(t, `^the answer has \d+ bytes, more than the 700000 that NATS carries \(max_payload\); get it in parts, by: lath get links$`, refused.Message)

	states, err := l.Control.LinkStatuses(ctx)
	require.NoError(t, err)
	require.Len(t, states, 2*each)
	require.Equal(t, "hub", states[0].SourceID)
	require.Equal(t, "target0000", states[0].Target)
	require.Equal(t, lattice.LinkPending, states[0].State)

	put := func(source, name string) error {
		return l.Control.PutLink(ctx, lattice.Link{SourceID: source, Target: "kv", Name: name, WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"}})
	}
	require.NoError(t, put("hub", "one-more"))
	linksOf(l, "full", 4111)
	err = put("full", "too-much")
	require.ErrorAs(t, err, &refused)
	require.Regexp(t, `write spec of full: invalid: its 4112 links would have \d+ bytes, the limit is 698976, for v1 stores all links of a source as one value, which NATS must carry \(max_payload\); delete some first, or link from another id`, refused.Message)
	all, err := l.Control.LinksFrom(ctx, "full")
	require.NoError(t, err)
	require.Len(t, all, 4111, "what was there stays")
}

// The same of what a host runs, as v1 tells it and in parts.
func TestInventoryThatNoMessageCarries(t *testing.T) {
	t.Parallel()
	l := harness.NewWith(t, "max_payload: 8192\n")
	n := l.Host(nil)
	ctx := within(t)
	long := make([]byte, 3000)
	for i := range long {
		long[i] = 'x'
	}
	require.NoError(t, l.Control.PutConfig(ctx, "shop", map[string]string{"a": "1"}))
	for _, id := range []string{"a", "b", "c"} {
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: l.Image("types"), MaxInstances: 1,
			Config: []string{"shop"}, Annotations: map[string]string{"note": string(long)}}))
	}
	_, err := l.Control.Inventory(ctx, n.ID)
	require.ErrorContains(t, err, "more than the 8192 that NATS carries (max_payload); get it in parts, by: lath get inventory HOST")
	inv, err := l.Control.FullInventory(ctx, n.ID)
	require.NoError(t, err)
	require.Len(t, inv.Components, 3)
	require.Equal(t, []string{"shop"}, inv.ComponentConfigs["b"])
	require.Equal(t, "c", inv.Components[2].ID)
}
