package hostile_test

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// TestAttacks runs every attack, each beside a neighbour that is called
// meanwhile. It is not parallel: it counts what is left on the heap.
func TestAttacks(t *testing.T) {
	b := newBed(t)
	for _, kind := range slices.Sorted(maps.Keys(attacks)) {
		for _, a := range slices.Concat(attacks[kind]...) {
			t.Run(fmt.Sprint(kind, "/", a.guest, a.calls), func(t *testing.T) { b.withstand(t, a) })
		}
	}
}

// withstand runs an attack twice: what the second time leaves on the heap is
// left by every time.
func (b *bed) withstand(t *testing.T, a attack) {
	c := b.compile(t, a.guest)
	cfg := b.config(a.guest, a.limits)
	if a.refused {
		_, err := c.Link(t.Context(), cfg)
		require.ErrorContains(t, err, a.text)
		b.askNeighbour(t, 1)
		return
	}
	tm, err := c.Link(t.Context(), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, tm.Close(context.Background())) }()
	b.meet(t, tm, a)
	before := heap()
	b.meet(t, tm, a)
	require.Less(t, heap(), before+heapSlack, "heap is left")
}

// heapSlack is what a heap may differ by for reasons of its own.
const heapSlack = 8 << 20

// meet runs an attack once.
func (b *bed) meet(t *testing.T, tm *component.Template, a attack) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if a.ends > 0 {
		ctx, cancel = context.WithTimeout(t.Context(), a.ends)
		defer cancel()
	}
	type outcome struct {
		answer string
		err    error
	}
	ended := make(chan outcome, 1)
	go func() {
		answer, err := run(ctx, tm, a.calls)
		ended <- outcome{answer, err}
	}()
	b.askNeighbour(t, 3)
	got := <-ended
	if a.code == "" {
		require.NoError(t, got.err)
		require.Equal(t, a.answer, got.answer)
	} else {
		requireTrap(t, got.err, a.guest, a.code)
		require.ErrorContains(t, got.err, a.text)
	}
	b.askNeighbour(t, 1)
	require.Zero(t, b.rt.MemoryInUse(), "linear memory is left")
	require.Zero(t, b.alive.Load(), "host objects are left")
}

// heap returns the bytes of live objects and of stacks.
func heap() uint64 {
	debug.FreeOSMemory()
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64()
}

// TestDeadInstancesStayDead calls an instance again after each kind of trap.
func TestDeadInstancesStayDead(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for guest, expr := range map[string]string{
		"cpu": "recurse()", "lies": "char(55296)", "handles": "twice()", "reenter": "again()", "storms": "random(67108864)", "postreturn": "run(1)",
	} {
		tm, err := b.compile(t, guest).Link(t.Context(), b.config(guest, component.Limits{}))
		require.NoError(t, err)
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		_, first := callOn(t.Context(), i, tm, expr)
		require.NotNil(t, trap.As(first), "%v", first)
		for range 2 {
			_, err = callOn(t.Context(), i, tm, expr)
			requireTrap(t, err, guest, trap.Poisoned)
			require.ErrorContains(t, err, trap.As(first).Msg, "it tells what it died of")
		}
		require.NoError(t, i.Close())
		_, err = callOn(t.Context(), i, tm, expr)
		requireTrap(t, err, guest, trap.Poisoned)
		require.NoError(t, tm.Close(context.Background()))
	}
	require.Zero(t, b.rt.MemoryInUse())
}
