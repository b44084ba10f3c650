package link_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/lattice"
)

// call is the context of one call of a component.
type call struct {
	context.Context //nolint:containedctx // this is a context itself
	choices         link.Choices
}

func (c *call) Value(key any) any {
	if link.IsChoicesKey(key) {
		return &c.choices
	}
	return c.Context.Value(key)
}

func named(name, target string) lattice.Link {
	l := stockLink("a", target)
	l.Name = name
	return l
}

func TestChoices(t *testing.T) {
	t.Parallel()
	r, here, imp := newRouter(t)
	here.run("c", world(t, shopText, "export stock;"))
	here.run("d", world(t, shopText, "export till;"))
	r.SetLinks([]lattice.Link{named("default", "b"), named("second", "c"), named("wrong", "d")})
	first := &call{Context: t.Context()}
	require.Equal(t, "b", imp.RouteOf(first).Target)
	c := link.NewChooser("a", []*link.Import{imp})
	stock := []string{"acme:shop/stock"}
	require.NoError(t, c.Choose(first, "second", stock))
	require.Equal(t, "c", imp.RouteOf(first).Target)
	require.Same(t, imp.RouteNamed("second"), imp.RouteOf(first), "a route is resolved when links change, not by each call")
	require.NotNil(t, imp.RouteOf(first).Component)
	require.Equal(t, "c", imp.RouteOf(context.WithoutCancel(first)).Target)
	require.Equal(t, []string{"b"}, r.Targets(true))

	// What the first call calls has its own.
	nested := &call{Context: first}
	require.Equal(t, "b", imp.RouteOf(nested).Target)
	require.Equal(t, "b", imp.RouteOf(t.Context()).Target)

	require.EqualError(t, c.Choose(first, "third", stock), "interface `acme:shop/stock` does not have an existing link with name `third`")
	require.EqualError(t, c.Choose(first, "second", []string{stock[0], "acme:shop/till"}), "interface `acme:shop/till` does not have an existing link with name `second`")
	require.Equal(t, "c", imp.RouteOf(first).Target, "they changed nothing")
	require.NoError(t, c.Choose(first, "wrong", stock))
	require.ErrorContains(t, imp.RouteOf(first).Err, `the link is refused: target "d" does not export acme:shop/stock`)

	// The links change under a call that has chosen.
	r.ChangeLinks(map[string][]lattice.Link{"a": {named("default", "b"), named("wrong", "e")}})
	require.Equal(t, "e", imp.RouteOf(first).Target)
	r.SetRemote("e", world(t, shopText, "export till;"))
	require.ErrorContains(t, imp.RouteOf(first).Err, `the link is refused: target "e"`)
	require.Equal(t, []string{"b", "e"}, r.Targets(true))
	require.Equal(t, []string{"b"}, r.Targets(false))
	require.NoError(t, c.Choose(first, "default", stock))
	require.Equal(t, "b", imp.RouteOf(first).Target)

	require.NoError(t, c.ChooseAnyway(first, "third", []string{stock[0], "no:such/interface"}))
	require.ErrorContains(t, imp.RouteOf(first).Err, "link `third` not found for instance `acme:shop/stock`")
	require.EqualError(t, c.Choose(t.Context(), "wrong", stock), `component "a" chooses a link outside any call`)
	r.SetLinks(nil)
	require.EqualError(t, c.Choose(first, "default", stock), "interface `acme:shop/stock` does not have an existing link with name `default`")
}

// What choosing costs calls: nothing those of components that cannot choose.
func BenchmarkRouteOf(b *testing.B) {
	r, _, imp := newRouter(b)
	r.SetLinks([]lattice.Link{named("default", "b"), named("second", "c")})
	ctx := &call{Context: b.Context()}
	run := func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if imp.RouteOf(ctx).Err != nil {
				b.Fatal(imp.RouteOf(ctx).Err)
			}
		}
	}
	b.Run("cannot choose", run)
	c := link.NewChooser("a", []*link.Import{imp})
	b.Run("has not chosen", run)
	if err := c.Choose(ctx, "second", []string{"acme:shop/stock"}); err != nil {
		b.Fatal(err)
	}
	b.Run("has chosen", run)
}
