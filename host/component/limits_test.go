package component_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

func TestLinkLimits(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	for _, c := range []struct {
		guest string
		limit component.Limits
		want  string
	}{
		{"memories", component.Limits{Memories: 7}, "8 memories, at most 7 are allowed"},
		{"memories", component.Limits{CoreInstances: 7}, "component has more than 7 core instances"},
		{"tables", component.Limits{Tables: 1}, "2 tables, at most 1 are allowed"},
		{"loops", component.Limits{Functions: 3}, "core modules of 4 functions, at most 3 are allowed"},
		{"loops", component.Limits{CodeBytes: 100}, "without their data, at most 100 are allowed"},
		{"loops", component.Limits{CompileTime: 1}, "compiling took more than 1ns"},
	} {
		_, err := compileHostile(t, rt, c.guest).Link(t.Context(), component.LinkConfig{Limits: c.limit})
		require.ErrorContains(t, err, c.want)
	}
	_, err := compile(t, rt, "testdata/child-calls-parent.wasm").Link(t.Context(), component.LinkConfig{Limits: component.Limits{Instances: 3}})
	require.ErrorContains(t, err, "component has more than 3 instances")
	// Eight instances of one module with the same imports are compiled once.
	hostile(t, rt, "memories", component.LinkConfig{Limits: component.Limits{Functions: 1, Memories: 8}})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = compileHostile(t, rt, "loops").Link(ctx, component.LinkConfig{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestComponentBytes(t *testing.T) {
	t.Parallel()
	rt, err := component.New(t.Context(), component.Config{ComponentBytes: 10})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close(context.Background())) }()
	_, err = rt.Compile(make([]byte, 11))
	require.ErrorContains(t, err, "10")
}

// hoard keeps bytes for the guest: what it asks for, until the object is
// dropped.
type hoard struct {
	budget *component.HostBudget
	bytes  int
}

func (h *hoard) Drop() { h.budget.Give(h.bytes) }

func hoards(bytes int) component.HostInterface {
	res := &wit.Resource{Name: "thing"}
	return component.HostInterface{Name: "hostile:test/host", Resources: []*wit.Resource{res}, Funcs: []component.HostFunc{
		{Type: &wit.Func{Name: "make", Result: wit.NewOwn(res)}, Call: func(inv *component.Invocation, stack []uint64) {
			b := component.HostBudgetOf(context.WithValue(inv.Context(), hoard{}, 1))
			if err := b.Take(bytes); err != nil {
				inv.Trap(err)
			}
			stack[0] = uint64(inv.LowerOwn(res, &hoard{b, bytes}))
		}},
	}}
}

func TestHostBudget(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := hostile(t, rt, "hoard", component.LinkConfig{Host: []component.HostInterface{hoards(1000)}, Limits: component.Limits{HostBytes: 10_000}})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	_, err = callOn(t, i, tm, "run(10, true)")
	require.NoError(t, err)
	require.EqualValues(t, 1000, i.Usage().HostBytes, "each was dropped before the next")
	_, err = callOn(t, i, tm, "run(10, false)")
	require.NoError(t, err)
	usage := i.Usage()
	require.EqualValues(t, 10_000, usage.HostBytes)
	require.Equal(t, 10, usage.Handles)
	require.Positive(t, usage.Ticks)
	_, err = callOn(t, i, tm, "run(1, false)")
	requireTrap(t, err, "hoard", trap.Limit)
	require.ErrorContains(t, err, "exceeds 10000 bytes")
	usage = i.Usage()
	require.NoError(t, i.Close())
	require.Equal(t, usage, i.Usage(), "it can be read after the end")

	var none *component.HostBudget
	require.NoError(t, none.Take(1<<40))
	none.Give(1)
	require.Nil(t, component.HostBudgetOf(t.Context()))
}

// TestChildCallsItsParent has a parent's call out, and a call into it, put back
// after its child has called it meanwhile.
func TestChildCallsItsParent(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "testdata/child-calls-parent.wasm"), component.LinkConfig{Name: "family"})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, i.Close()) }()
	do := func(fn string, args ...wit.Value) (*wit.Value, error) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return i.CallValues(ctx, tm.Export("", fn), args...)
	}
	h, err := do("make")
	require.NoError(t, err)
	for range 2 {
		_, err = do("run", *h)
		require.NoError(t, err, "what was lent is given back on every level")
	}
	_, err = do("keep", *h)
	requireTrap(t, err, "family", trap.Handle)
	require.ErrorContains(t, err, "borrow handles still remain", "the calls in between did not make it forget")
}

func TestCPULimit(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	limits := component.Limits{CPU: time.Millisecond}
	for guest, fn := range map[string]string{"loops": "spin", "cpu": "tree"} {
		tm := hostile(t, rt, guest, component.LinkConfig{Limits: limits})
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		_, err = i.Call(t.Context(), tm.Export("", fn), nil, nil)
		requireTrap(t, err, guest, trap.Limit)
		require.ErrorContains(t, err, "more than 1000000 ticks of CPU time")
		require.InDelta(t, 1_000_000, i.Usage().Ticks, 100_000)
		require.NoError(t, i.Close())
	}
	_, err := hostile(t, rt, "start", component.LinkConfig{Limits: limits}).Take(t.Context())
	requireTrap(t, err, "start", trap.Limit)

	// Each call has it anew, however many there are on an instance.
	tm := hostile(t, rt, "recursion", component.LinkConfig{Limits: component.Limits{CPU: 10_000}})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, i.Close()) }()
	for i.Usage().Ticks < 30_000 {
		_, err = callOn(t, i, tm, "run(40)")
		require.NoError(t, err)
	}
}
