package component_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// lender answers imports by exports of a template, on instances that are pinned
// while the caller has handles of them.
type lender struct {
	tm *component.Template
	// each makes every call that has no handle pin an instance of its own.
	each bool

	drops, farewells int
	errs             []error // of destructors
	out              int     // instances that are pinned
}

func (l *lender) callee(iface string, fn *wit.Func) (component.Callee, error) {
	return lent{l, iface, fn.Name}, nil
}

type lent struct {
	*lender
	iface, fn string
}

// Call implements component.Callee.
func (l lent) Call(c *component.ImportCall) error {
	held, err := c.Held()
	if err != nil {
		return err
	}
	pins := c.Pins()
	if held == nil && len(pins) > 0 && !l.each {
		held = pins[0]
	}
	var k *keeper
	if held != nil {
		k = held.Keeper().(*keeper)
	} else {
		i, err := l.tm.Take(c.Context())
		if err != nil {
			return err
		}
		k = &keeper{of: l.lender, inst: i}
		k.pin = c.NewPin(i, k)
		l.out++
	}
	if k.inst == nil {
		return errors.New("its instance has ended")
	}
	err = k.pin.Forward(c.Context(), c, l.tm.Export(l.iface, l.fn))
	k.settle()
	return err
}

// keeper keeps one instance, for as long as it is of use.
type keeper struct {
	of   *lender
	inst *component.Instance
	pin  *component.Pin
}

// Drop implements component.Keeper.
func (k *keeper) Drop(ctx context.Context, ended bool, r *wit.Resource, rep uint32) {
	k.of.drops++
	if ended {
		k.of.farewells++
	}
	if k.inst == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := k.pin.Destroy(ctx, r, rep); err != nil {
		k.of.errs = append(k.of.errs, err)
	}
	k.settle()
}

func (k *keeper) settle() {
	if k.inst != nil && (k.pin.Dead() || k.pin.Handles() == 0) {
		_ = k.inst.Release()
		k.inst = nil
		k.of.out--
	}
}

// The acts of example:types/holding.
const (
	actNew = iota
	actChecked
	actGet
	actAdd
	actMerge
	actAbsorb
	actMake
	actTotal
	actConsume
	actPass
	actMaybe
	actLive
	actDrop
	actTrap
	actSpin
)

// step is one of them.
type step struct {
	act   int
	a, b  uint64
	value uint64
}

// holder is a guest that has cells of another component.
type holder struct {
	*lender
	tm *component.Template
}

// newHolder makes a guest with cells of one of these: types, or another component.
func newHolder(t testing.TB, path string, cells, of component.LinkConfig) *holder {
	t.Helper()
	rt := newRuntime(t)
	cells.Name, of.Name = "cells", "holder"
	l := &lender{tm: linkTo(t, compile(t, rt, path), cells)}
	of.Import = l.callee
	return &holder{l, linkTo(t, compile(t, rt, "../../examples/types/holder.wasm"), of)}
}

const typesPath = "../../examples/types/types.wasm"

func (h *holder) take(t testing.TB) *component.Instance {
	t.Helper()
	i, err := h.tm.Take(t.Context())
	require.NoError(t, err)
	return i
}

// play takes steps in one call.
func (h *holder) play(ctx context.Context, i *component.Instance, steps ...step) ([]uint64, error) {
	var list wit.Value
	for _, s := range steps {
		list.Elems = append(list.Elems, wit.Value{Elems: []wit.Value{{Bits: uint64(s.act)}, {Bits: s.a}, {Bits: s.b}, {Bits: s.value}}})
	}
	v, err := i.CallValues(ctx, h.tm.Export("example:types/holding", "play"), list)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, e := range v.Elems {
		out = append(out, e.Bits)
	}
	return out, nil
}

func cell(act int, cells ...uint64) step {
	s := step{act: act}
	if len(cells) > 0 {
		s.a = cells[0]
	}
	if len(cells) > 1 {
		s.b = cells[1]
	}
	return s
}

func value(act int, v uint64) step { return step{act: act, value: v} }

// TestPinned plays every way that a resource of another component can take.
func TestPinned(t *testing.T) {
	t.Parallel()
	h := newHolder(t, typesPath, component.LinkConfig{}, component.LinkConfig{})
	i := h.take(t)
	do := func(steps ...step) []uint64 {
		t.Helper()
		out, err := h.play(t.Context(), i, steps...)
		require.NoError(t, err)
		return out
	}
	require.Equal(t, []uint64{0}, do(value(actLive, 0)))
	require.Zero(t, h.out, "an instance without handles is given back")

	require.Equal(t, []uint64{1, 2}, do(value(actNew, 40), value(actChecked, 2)))
	require.Equal(t, 1, h.out)
	require.Equal(t, []uint64{2, 42, 40, 41, 0, 43, 2}, do(value(actLive, 0), cell(actTotal, 1, 2), cell(actGet, 1),
		step{act: actAdd, a: 1, value: 1}, cell(actAbsorb, 1, 2), cell(actGet, 1), cell(actGet, 2)), "one instance keeps all")
	require.Equal(t, []uint64{0, 86}, do(cell(actAbsorb, 1, 1), cell(actGet, 1)), "a handle is lent twice")
	sum := do(cell(actMerge, 1, 2))[0]
	require.Equal(t, []uint64{88, 1}, do(cell(actGet, sum), value(actLive, 0)), "merge ended both")
	passed := do(cell(actPass, sum))[0]
	again := do(cell(actMaybe, passed))[0]
	require.Equal(t, []uint64{0}, do(cell(actMaybe, 0)))
	require.Equal(t, []uint64{88}, do(cell(actConsume, again)))
	require.Zero(t, h.out, "with the last handle the instance is given back")

	many := do(value(actMake, 5))
	require.Len(t, many, 5)
	do(cell(actDrop, many[2]))
	require.Equal(t, []uint64{4, 7}, do(value(actLive, 0), cell(actTotal, many[3], many[4])))
	require.Equal(t, 1, h.drops)
	require.Zero(t, h.farewells)
	require.NoError(t, i.Close())
	require.Equal(t, 4, h.farewells, "what is forgotten is dropped with the guest")
	require.Empty(t, h.errs)
	require.Zero(t, h.out)
}

// TestPinnedIsReset has an instance that was pinned serve others, as new.
func TestPinnedIsReset(t *testing.T) {
	t.Parallel()
	for _, reuse := range []component.Reuse{component.Pristine, component.Fresh} {
		pool := component.LinkConfig{Pool: component.PoolConfig{Reuse: reuse}}
		h := newHolder(t, typesPath, pool, pool)
		for range 3 {
			i := h.take(t)
			out, err := h.play(t.Context(), i, value(actLive, 0), value(actMake, 3), value(actLive, 0))
			require.NoError(t, err)
			require.Equal(t, []uint64{0, 1, 2, 3, 3}, out, reuse)
			require.Equal(t, 1, h.out)
			require.NoError(t, i.Release())
			require.Zero(t, h.out)
		}
		require.Equal(t, 9, h.farewells)
		require.Empty(t, h.errs)
		if reuse == component.Pristine {
			s := h.lender.tm.Pool()
			require.Equal(t, uint64(1), s.Misses, "one instance served all")
			require.Zero(t, s.Discarded)
		}
	}
}

// TestPinnedStaysWithASticky has a guest keep its handles from call to call, as it
// keeps all else.
func TestPinnedStaysWithASticky(t *testing.T) {
	t.Parallel()
	h := newHolder(t, typesPath, component.LinkConfig{}, component.LinkConfig{Pool: component.PoolConfig{Reuse: component.Sticky}})
	for n := range 3 {
		i := h.take(t)
		out, err := h.play(t.Context(), i, value(actNew, 7), value(actLive, 0), cell(actGet, 1))
		require.NoError(t, err)
		require.Equal(t, []uint64{uint64(n + 1), uint64(n + 1), 7}, out)
		require.NoError(t, i.Release())
		require.Equal(t, 1, h.out)
	}
	require.NoError(t, h.tm.Close(t.Context()))
	require.Zero(t, h.out)
	require.Equal(t, 3, h.farewells)
}

// TestHolderEnds has the guest with the handles end in all ways: destructors run,
// and the instance that they ran on is no guest's any more.
func TestHolderEnds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		last step
		code trap.Code
	}{
		{"trap", cell(actTrap), trap.Unreachable},
		{"time is over", cell(actSpin), trap.Deadline},
		{"unknown handle", cell(actGet, 99), trap.Handle},
		{"unknown handle, owned", cell(actMerge, 1, 99), trap.Handle},
		{"owned twice", cell(actMerge, 1, 1), trap.Handle},
		{"dropped twice", cell(actDrop, 99), trap.Handle},
		{"handle 0", cell(actGet, 0), trap.Handle},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHolder(t, typesPath, component.LinkConfig{}, component.LinkConfig{})
			i := h.take(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.last.act == actSpin {
				ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
			}
			_, err := h.play(ctx, i, value(actMake, 3), c.last)
			require.ErrorIs(t, err, &trap.Error{Code: c.code})
			require.ErrorContains(t, err, "holder")
			require.NoError(t, i.Close())
			require.Empty(t, h.errs)
			require.Positive(t, h.farewells)
			require.Zero(t, h.out)
			if s := h.lender.tm.Pool(); c.last.act == actMerge {
				require.Equal(t, uint64(1), s.Discarded, "it ended in a call, which may have left something behind")
			} else {
				require.Equal(t, 1, s.Idle, "it serves others")
			}
		})
	}
}

// TestPinnedEnds has the instance end before its handles.
func TestPinnedEnds(t *testing.T) {
	t.Parallel()
	h := newHolder(t, typesPath, component.LinkConfig{}, component.LinkConfig{Pool: component.PoolConfig{Reuse: component.Sticky}})
	i := h.take(t)
	_, err := h.play(t.Context(), i, value(actNew, 1), value(actMake, 1001))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Import}, "there are too many")
	require.ErrorContains(t, err, "cells")
	require.NoError(t, i.Release())
	require.Zero(t, h.out)
	require.Equal(t, 1, h.farewells)
	require.Empty(t, h.errs, "a dead instance runs no destructor")
}

// TestHandlesOfTwoInstancesDoNotMix passes a handle of one instance to another.
func TestHandlesOfTwoInstancesDoNotMix(t *testing.T) {
	t.Parallel()
	for _, mixed := range []step{cell(actAbsorb, 1, 2), cell(actMerge, 1, 2), cell(actMerge, 2, 1)} {
		h := newHolder(t, typesPath, component.LinkConfig{}, component.LinkConfig{})
		h.each = true
		i := h.take(t)
		out, err := h.play(t.Context(), i, value(actNew, 1), value(actNew, 2), cell(actGet, 1), cell(actGet, 2), value(actLive, 0))
		require.NoError(t, err)
		require.Equal(t, []uint64{1, 2, 1, 2, 0}, out, "each handle finds its own")
		require.Equal(t, 2, h.out)
		_, err = h.play(t.Context(), i, mixed)
		require.ErrorIs(t, err, &trap.Error{Code: trap.Handle})
		require.ErrorContains(t, err, `is not of the instance of component "cells"`)
		require.NoError(t, i.Close())
		require.Zero(t, h.out)
		require.Empty(t, h.errs)
	}
}

// TestHandleTablesAreBounded has either side's table fill up: the fault is that
// side's.
func TestHandleTablesAreBounded(t *testing.T) {
	t.Parallel()
	h := newHolder(t, typesPath, component.LinkConfig{}, component.LinkConfig{Limits: component.Limits{Handles: 10}})
	i := h.take(t)
	_, err := h.play(t.Context(), i, value(actMake, 11))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Limit})
	require.NoError(t, i.Close())
	require.Equal(t, 11, h.farewells, "also the one that found no room")
	require.Empty(t, h.errs)

	h = newHolder(t, typesPath, component.LinkConfig{Limits: component.Limits{Handles: 10}}, component.LinkConfig{})
	i = h.take(t)
	_, err = h.play(t.Context(), i, value(actMake, 11))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Import})
	require.ErrorContains(t, err, "cells: example:types/resources.make: limit exceeded: too many open handles")
	require.NoError(t, i.Close())
	require.Zero(t, h.out)
}

// logger answers test:pins/log.
type logger struct{ ended []uint64 }

// Call implements component.Callee.
func (l *logger) Call(c *component.ImportCall) error {
	b, err := c.AppendParams(nil)
	if err == nil {
		l.ended = append(l.ended, uint64(b[0]))
		err = c.SetResults(nil)
	}
	return err
}

func newMortals(t testing.TB) (*holder, *logger) {
	t.Helper()
	l := &logger{}
	return newHolder(t, "testdata/mortal.wasm", component.LinkConfig{Import: func(string, *wit.Func) (component.Callee, error) { return l, nil }}, component.LinkConfig{}), l
}

// TestDestructors has destructors run once each, newest first, until one of them
// traps or takes too long.
func TestDestructors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		cells []uint64
		ended []uint64
		code  trap.Code // of the last destructor
	}{
		{"all", []uint64{1, 2, 3}, []uint64{3, 2, 1}, ""},
		{"one traps", []uint64{1, 13, 3}, []uint64{3, 13}, trap.Unreachable},
		{"one does not end", []uint64{1, 14, 3}, []uint64{3, 14}, trap.Deadline},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, log := newMortals(t)
			i := h.take(t)
			for _, n := range c.cells {
				_, err := h.play(t.Context(), i, value(actNew, n))
				require.NoError(t, err)
			}
			require.NoError(t, i.Close())
			require.Equal(t, c.ended, log.ended)
			require.Zero(t, h.out)
			require.Equal(t, len(c.cells), h.drops)
			if c.code == "" {
				require.Empty(t, h.errs)
			} else {
				require.Len(t, h.errs, 1)
				require.ErrorIs(t, h.errs[0], &trap.Error{Code: c.code})
				require.ErrorContains(t, h.errs[0], "[resource-drop]cell")
			}
		})
	}
}

// TestDropByGuest has a guest drop a handle itself, also one whose destructor
// traps: it goes on, with handles that are of no use.
func TestDropByGuest(t *testing.T) {
	t.Parallel()
	h, log := newMortals(t)
	i := h.take(t)
	out, err := h.play(t.Context(), i, value(actNew, 5), value(actNew, 13), cell(actDrop, 1), cell(actDrop, 2))
	require.NoError(t, err)
	require.Equal(t, []uint64{1, 2, 0, 0}, out)
	require.Equal(t, []uint64{5, 13}, log.ended)
	require.Len(t, h.errs, 1)
	require.Zero(t, h.farewells)

	out, err = h.play(t.Context(), i, value(actNew, 6), value(actNew, 7), cell(actConsume, 1), cell(actGet, 2))
	require.NoError(t, err, "it gets another instance")
	require.Equal(t, []uint64{2, 1, 0, 6}, out)
	_, err = h.play(t.Context(), i, cell(actPass, 2))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Import})
	require.ErrorContains(t, err, "cells: example:types/resources.pass: handle: unknown handle index 99", "the fault is the one's who has no such handle")
	require.NoError(t, i.Close())
	require.Zero(t, h.out)
}

// TestResourceOfTwoInterfaces makes a resource by one interface and passes it by
// another one that uses it.
func TestResourceOfTwoInterfaces(t *testing.T) {
	t.Parallel()
	h, log := newMortals(t)
	reader := linkTo(t, compile(t, newRuntime(t), "testdata/reader.wasm"), component.LinkConfig{Name: "reader", Import: h.callee})
	i, err := reader.Take(t.Context())
	require.NoError(t, err)
	out, err := callOn(t, i, reader, "run(42)")
	require.NoError(t, err)
	require.Equal(t, "42", out)
	require.Equal(t, []uint64{42}, log.ended)
	_, err = callOn(t, i, reader, "run(15)")
	require.ErrorContains(t, err, "cells: test:pins/readers.read: unreachable")
	require.NoError(t, i.Close())
	require.Zero(t, h.out)
}

// TestResourcesAreNotHandedOn has a component export resources that it imports.
func TestResourcesAreNotHandedOn(t *testing.T) {
	t.Parallel()
	owner := newHolder(t, typesPath, component.LinkConfig{}, component.LinkConfig{})
	h := newHolder(t, "testdata/hands-on.wasm", component.LinkConfig{Import: owner.callee}, component.LinkConfig{})
	i := h.take(t)
	_, err := h.play(t.Context(), i, value(actNew, 1))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Import})
	require.ErrorContains(t, err, `component "cells" does not define resource "cell" itself, and hands on none`)
	require.NoError(t, i.Close())
	require.Zero(t, h.out)
}

// BenchmarkPinned is a call of another component's resource.
func BenchmarkPinned(b *testing.B) {
	const atOnce = 1000
	for _, c := range []struct {
		name  string
		first []step
		each  []step
	}{
		{"method", []step{value(actNew, 1)}, []step{cell(actGet, 1)}},
		{"two-handles", []step{value(actMake, 2)}, []step{cell(actAbsorb, 1, 2)}},
		{"new-and-drop", []step{value(actNew, 1)}, []step{value(actNew, 1), cell(actDrop, 2)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newHolder(b, typesPath, component.LinkConfig{}, component.LinkConfig{})
			i := h.take(b)
			b.Cleanup(func() { require.NoError(b, i.Close()) })
			_, err := h.play(b.Context(), i, c.first...)
			require.NoError(b, err)
			steps := slices.Repeat(c.each, atOnce)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%atOnce == 0 {
					if _, err := h.play(b.Context(), i, steps...); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
