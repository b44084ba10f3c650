package component_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

func stateful(t testing.TB, pool component.PoolConfig) *component.Template {
	t.Helper()
	return linkTo(t, compile(t, newRuntime(t), "testdata/state.wasm"), component.LinkConfig{Name: "state", Pool: pool})
}

// pooledCall makes a call as a host does: by Take and Release.
func pooledCall(t testing.TB, tm *component.Template, expr string) string {
	t.Helper()
	i, err := tm.Take(context.Background())
	require.NoError(t, err)
	out, err := callOn(t, i, tm, expr)
	require.NoError(t, err)
	require.NoError(t, i.Release())
	return out
}

func TestPristineCallsFindTheFirstState(t *testing.T) {
	t.Parallel()
	tm := stateful(t, component.PoolConfig{Reuse: component.Pristine})
	require.Empty(t, tm.Unpoolable())
	first := pooledCall(t, tm, "bump()")
	require.Equal(t, "1121", first) // 101 + 8 + 2 + 2 + 6 + 1001 + 1
	for range 50 {
		require.Equal(t, first, pooledCall(t, tm, "bump()"))
		require.Equal(t, "7", pooledCall(t, tm, "grow(4)"))
		require.Equal(t, "0", pooledCall(t, tm, "peek(196604)"))
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		_, err = callOn(t, i, tm, "peek(196608)")
		require.ErrorIs(t, err, &trap.Error{Code: trap.MemoryOutOfBounds}, "what was grown is gone")
		require.NoError(t, i.Release())
	}
	s := tm.Pool()
	require.Positive(t, s.Hits)
	require.Positive(t, s.WrittenPages)
	require.GreaterOrEqual(t, s.Discarded, uint64(50), "trapped instances are not kept")
}

func TestStickyCallsFindTheLastState(t *testing.T) {
	t.Parallel()
	tm := stateful(t, component.PoolConfig{Reuse: component.Sticky})
	require.Equal(t, "1121", pooledCall(t, tm, "bump()"))
	require.Equal(t, "1128", pooledCall(t, tm, "bump()"))
	require.Equal(t, uint64(1), tm.Pool().Misses)
}

func TestFreshInstancesAreNeverKept(t *testing.T) {
	t.Parallel()
	tm := stateful(t, component.PoolConfig{Reuse: component.Fresh})
	for range 3 {
		require.Equal(t, "1121", pooledCall(t, tm, "bump()"))
	}
	require.Zero(t, tm.Pool())
}

func TestPoolFillsBeforeItIsAsked(t *testing.T) {
	t.Parallel()
	tm := stateful(t, component.PoolConfig{Reuse: component.Pristine, Min: 3})
	require.Eventually(t, func() bool { return tm.Pool().Idle == 3 }, time.Minute, time.Millisecond)
	require.Equal(t, "1121", pooledCall(t, tm, "bump()"))
	require.Zero(t, tm.Pool().Misses)
}

func TestPoolKeepsNoMoreThanItsMost(t *testing.T) {
	t.Parallel()
	tm := stateful(t, component.PoolConfig{Reuse: component.Pristine, Max: 2})
	var out []*component.Instance
	for range 5 {
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		out = append(out, i)
	}
	for _, i := range out {
		require.NoError(t, i.Release())
	}
	// One may be on its way through the pool's goroutine.
	require.Eventually(t, func() bool { s := tm.Pool(); return s.Idle <= 2 && s.Discarded >= 3 }, time.Minute, time.Millisecond)
}

func TestPoolThinsOutWhatNobodyNeeds(t *testing.T) {
	t.Parallel()
	tm := stateful(t, component.PoolConfig{Reuse: component.Pristine, Min: 1, Idle: 5 * time.Millisecond})
	var out []*component.Instance
	for range 6 {
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		out = append(out, i)
	}
	for _, i := range out {
		require.NoError(t, i.Release())
	}
	require.Eventually(t, func() bool { return tm.Pool().Idle == 1 }, time.Minute, time.Millisecond)
}

func TestInterruptedInstancesAreNotKept(t *testing.T) {
	t.Parallel()
	tm := stateful(t, component.PoolConfig{Reuse: component.Pristine})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, err = i.CallValues(ctx, tm.Export("", "spin"))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Deadline})
	require.NoError(t, i.Release())
	require.Zero(t, tm.Pool().Idle)
	require.Equal(t, "1121", pooledCall(t, tm, "bump()"))
}

func TestPoolUnderManyCallers(t *testing.T) {
	t.Parallel()
	tm := stateful(t, component.PoolConfig{Reuse: component.Pristine, Max: 4, Min: 1, Idle: time.Millisecond})
	e := tm.Export("", "bump")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				out, err := tm.Call(context.Background(), e, nil, nil)
				if err != nil || len(out) != 2 || out[0] != 0xe1 || out[1] != 0x08 {
					t.Errorf("got %x, %v", out, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestInstancesThatComeBackLateAreClosed(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t) // checks that no memory is left
	tm, err := compile(t, rt, "testdata/state.wasm").Link(t.Context(), component.LinkConfig{Name: "state", Pool: component.PoolConfig{Reuse: component.Pristine}})
	require.NoError(t, err)
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	require.NoError(t, tm.Close(t.Context()))
	require.NoError(t, i.Release())
}

func TestNonsensePoolsAreRefused(t *testing.T) {
	t.Parallel()
	c := compile(t, newRuntime(t), "testdata/state.wasm")
	for text, cfg := range map[string]component.PoolConfig{
		"min is -1":                     {Reuse: component.Pristine, Min: -1},
		"min is 1000000000":             {Reuse: component.Pristine, Min: 1_000_000_000},
		"max is -1":                     {Reuse: component.Pristine, Max: -1},
		"max is 2, less than min":       {Reuse: component.Pristine, Min: 3, Max: 2},
		"idle is -1s":                   {Idle: -time.Second},
		"keep-pages is -4":              {KeepPages: -4},
		"Reuse(9) is no kind":           {Reuse: 9},
		"where every instance is fresh": {Reuse: component.Fresh, Max: 2},
	} {
		_, err := c.Link(t.Context(), component.LinkConfig{Name: "state", Pool: cfg})
		require.ErrorContains(t, err, text)
	}
}

// TestUnpoolableModulesSaySo is a guest that writes to a table.
func TestUnpoolableModulesSaySo(t *testing.T) {
	t.Parallel()
	tm := linkTo(t, compile(t, newRuntime(t), "testdata/table-writer.wasm"), component.LinkConfig{Name: "writer", Pool: component.PoolConfig{Reuse: component.Pristine}})
	require.Equal(t, []string{"core module 0 writes to a table"}, tm.Unpoolable())
	require.Equal(t, "1", pooledCall(t, tm, "grow()"))
	require.Equal(t, "1", pooledCall(t, tm, "grow()"))
}
