package capability

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
	"github.com/lathhost/lath/wit/wasmcloud/bus"
)

// guestCall is the context of one call of a component.
type guestCall struct {
	context.Context //nolint:containedctx // this is a context itself
	choices         link.Choices
}

func (c *guestCall) Value(key any) any {
	if link.IsChoicesKey(key) {
		return &c.choices
	}
	return c.Context.Value(key)
}

// stores are providers of this host.
type stores map[string]*fake

func (stores) Component(string) link.Component { return nil }
func (s stores) Provider(id string) *provider.Capabilities {
	if f := s[id]; f != nil {
		return &provider.Capabilities{KeyvalueStore: f, KeyvalueAtomics: f, KeyvalueBatch: f}
	}
	return nil
}

func targets(t *testing.T, c bus.Lattice, names ...string) (list []bus.CallTargetInterface) {
	t.Helper()
	for _, name := range names {
		i, err := c.NewCallTargetInterface(t.Context(), "wasi", "keyvalue", name)
		require.NoError(t, err)
		list = append(list, i)
	}
	return list
}

// Where the functions of a bucket go, by when it was opened and what was chosen.
func TestBucketsOfChosenLinks(t *testing.T) {
	t.Parallel()
	named := func(name, target string, interfaces ...string) lattice.Link {
		l := kvLink
		l.Name, l.Target, l.Interfaces = name, target, interfaces
		return l
	}
	at := stores{"one": {}, "two": {}, "three": {}}
	r := link.NewRouter("default", at, nil)
	r.SetLinks([]lattice.Link{named("default", "one", "store", "atomics", "batch"), named("second", "two", "store", "atomics"), named("third", "three", "batch")})
	imports := []*link.Import{r.Import("guest", keyvalue.StoreInterface), r.Import("guest", keyvalue.AtomicsInterface), r.Import("guest", keyvalue.BatchInterface)}
	c := chooser{link.NewChooser("guest", imports)}
	s, a, b := store{imports[0]}, atomics{imports[1]}, batch{imports[2]}
	ctx := &guestCall{Context: t.Context()}

	before, err := s.Open(ctx, "before")
	require.NoError(t, err)
	require.NoError(t, c.SetLinkName(ctx, "second", targets(t, c, "store")))
	after, err := s.Open(ctx, "after")
	require.NoError(t, err)
	get := func(b keyvalue.Bucket, want string) {
		t.Helper()
		_, err := b.Get(ctx, t.Name())
		require.NoError(t, err)
		require.Equal(t, t.Name(), at[want].key)
		at[want].key = ""
	}
	get(before, "one")
	get(after, "two")
	_, err = a.Increment(ctx, after, "n", 1)
	require.NoError(t, err)
	require.Equal(t, "n", at["two"].key, "a count is where its bucket is")
	_, err = a.Increment(ctx, before, "m", 1)
	require.NoError(t, err)
	require.Equal(t, "m", at["one"].key)
	require.NoError(t, b.DeleteMany(ctx, after, []string{"x"}))
	require.Equal(t, "x", at["one"].key, "batch has no link of that name")
	require.NoError(t, c.SetLinkName(ctx, "third", targets(t, c, "batch")))
	require.NoError(t, b.DeleteMany(ctx, after, []string{"y"}))
	require.Equal(t, "y", at["three"].key, "it was chosen for batch itself")

	err = c.SetLinkName(ctx, "third", targets(t, c, "batch", "store"))
	require.EqualError(t, err, "interface `wasi:keyvalue/store` does not have an existing link with name `third`")
	require.NoError(t, c.SetLinkName(ctx, "default", targets(t, c, "store", "batch")))
	again, err := s.Open(ctx, "again")
	require.NoError(t, err)
	get(again, "one")
	get(after, "two")
	require.NoError(t, b.DeleteMany(ctx, before, []string{"z"}))
	require.Equal(t, "z", at["one"].key)

	// A link that goes away while it is chosen.
	r.SetLinks([]lattice.Link{named("default", "one", "store")})
	_, err = after.Get(ctx, "k")
	require.ErrorContains(t, err, "refused: link `second` not found for instance `wasi:keyvalue/store`")
	require.EqualError(t, c.SetLinkName(t.Context(), "default", targets(t, c, "store")), `component "guest" chooses a link outside any call`)
}
