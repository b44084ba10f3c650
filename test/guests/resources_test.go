package guests_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	bindtypes "github.com/lathhost/lath/host/bind/example/types"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/example/types"
)

// cells carries out example:types/resources, and knows how many of them exist.
type cells struct{ live atomic.Int64 }

type cell struct {
	of    *cells
	value uint64
}

func (c *cells) add(value uint64) types.Cell {
	c.live.Add(1)
	return &cell{c, value}
}

func (c *cells) NewCell(_ context.Context, value uint64) (types.Cell, error) {
	return c.add(value), nil
}
func (c *cells) CellChecked(_ context.Context, value uint64) (types.Cell, error) {
	return c.add(value), nil
}
func (c *cells) Pass(_ context.Context, x types.Cell) (types.Cell, error) { return x, nil }
func (c *cells) Live(context.Context) (uint32, error)                     { return uint32(c.live.Load()), nil }

func (c *cells) Maybe(_ context.Context, x wit.Option[types.Cell]) (wit.Option[types.Cell], error) {
	return x, nil
}

func (c *cells) CellMerge(_ context.Context, a, b types.Cell) (types.Cell, error) {
	sum := a.(*cell).value + b.(*cell).value
	a.Drop()
	b.Drop()
	return c.add(sum), nil
}

func (c *cells) Make(_ context.Context, n uint32) ([]types.Cell, error) {
	var all []types.Cell
	for i := range uint64(n) {
		all = append(all, c.add(i))
	}
	return all, nil
}

func (c *cells) Total(_ context.Context, list []types.Cell) (sum uint64, err error) {
	for _, x := range list {
		sum += x.(*cell).value
	}
	return sum, nil
}

func (c *cells) Consume(_ context.Context, x types.Cell) (uint64, error) {
	x.Drop()
	return x.(*cell).value, nil
}

func (c *cell) Get(context.Context) (uint64, error) { return c.value, nil }
func (c *cell) Drop()                               { c.of.live.Add(-1) }

func (c *cell) Add(_ context.Context, delta uint64) (uint64, error) {
	c.value += delta
	return c.value, nil
}

func (c *cell) Absorb(_ context.Context, other types.Cell) error {
	c.value += other.(*cell).value
	return nil
}

// TestResources plays a guest's own resources, each of which holds one of the
// host's.
func TestResources(t *testing.T) {
	for _, name := range []string{"js-resources", "py-resources"} {
		t.Run(name, func(t *testing.T) {
			below := &cells{}
			tm := link(t, guest(t, name), component.LinkConfig{Name: name, Host: append(host(t), bindtypes.Resources(below))})
			i, err := tm.Take(t.Context())
			require.NoError(t, err)
			playCounters(t, tm, i, below)
			require.NoError(t, i.Close())
			require.Zero(t, below.live.Load(), "what a guest forgot is dropped with it")
		})
	}
}

func playCounters(t *testing.T, tm *component.Template, i *component.Instance, below *cells) {
	t.Helper()
	do := func(fn string, args ...wit.Value) wit.Value {
		t.Helper()
		v, err := i.CallValues(t.Context(), tm.Export("test:guests/counters", fn), args...)
		require.NoError(t, err, fn)
		if v == nil {
			return wit.Value{}
		}
		return *v
	}
	n := func(v uint64) wit.Value { return wit.Value{Bits: v} }

	a, b := do("[constructor]counter", n(40)), do("[constructor]counter", n(1))
	require.EqualValues(t, 2, below.live.Load())
	require.EqualValues(t, 2, do("[method]counter.next", b).Bits)
	do("[method]counter.absorb", a, b)
	require.EqualValues(t, 43, do("[method]counter.next", a).Bits)
	require.EqualValues(t, 45, do("total", wit.Value{Elems: []wit.Value{a, b}}).Bits)
	sum := do("[static]counter.merge", a, b)
	require.EqualValues(t, 46, do("[method]counter.next", sum).Bits)
	require.EqualValues(t, 1, below.live.Load(), "merge ended both")
	require.EqualValues(t, 46, do("finish", sum).Bits)
	require.Zero(t, below.live.Load())

	all := do("make", n(5))
	require.Len(t, all.Elems, 5)
	require.EqualValues(t, 10, do("total", all).Bits)
	require.EqualValues(t, 5, below.live.Load())
}
