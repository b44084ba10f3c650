package component

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit/wave"
)

// TestResetIsAFreshInstance lets guests do random work and compares what a reset
// leaves to a fresh instance: all memories and globals of all core instances,
// and the handles.
func TestResetIsAFreshInstance(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"../../examples/types/types.wasm", "../../examples/types/types-utf16.wasm",
		"../../examples/types/types-latin1.wasm", "testdata/state.wasm"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			tm := linked(t, path)
			want, dirty := pristineInstance(t, tm), pristineInstance(t, tm)
			r := rand.New(rand.NewPCG(7, 7))
			for round := range 40 {
				if !randomWork(t, r, dirty) { // it trapped, and is never kept
					require.NoError(t, dirty.Close())
					dirty = pristineInstance(t, tm)
				}
				_, err := dirty.reset([]int{0, 5, 4096}[round%3])
				require.NoError(t, err)
				requireSame(t, want, dirty)
			}
		})
	}
}

func linked(t *testing.T, path string) *Template {
	t.Helper()
	wasm, err := os.ReadFile(path)
	require.NoError(t, err)
	rt, err := New(context.Background(), Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close(context.Background())) })
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	tm, err := c.Link(context.Background(), LinkConfig{Name: path})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tm.Close(context.Background())) })
	return tm
}

func pristineInstance(t *testing.T, tm *Template) *Instance {
	t.Helper()
	i, err := tm.newInstance(context.Background(), true)
	require.NoError(t, err)
	require.Empty(t, i.unpoolable)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	return i
}

// work are calls of the guests' exports.
var work = []string{
	"bump()", "grow(3)", "grow(60)", "peek(8)", "peek(4294967295)",
	`example:types/values.echo-string("naïve Ωmega 漢字 😀")`,
	`example:types/values.echo-strings(["", "a", "ünï", "😀"])`,
	`example:types/values.echo-people([{name: "Ada", at: {x: -1, y: 2}, tags: ["a", "b"], born: some(1815), mood: green}])`,
	`example:types/values.echo-nested([[some(1), none], [], [some(65535)]])`,
	`example:types/values.echo-u64s([` + strings.Repeat("1, ", 20_000) + `2])`,
}

// randomWork makes a few calls, and scribbles over memory and globals as a
// guest may. It reports whether the instance lives.
func randomWork(t *testing.T, r *rand.Rand, i *Instance) bool {
	t.Helper()
	for range 1 + r.IntN(4) {
		c, err := wave.ParseCall(work[r.IntN(len(work))])
		require.NoError(t, err)
		e := i.tmpl.Export(c.Instance, c.Func)
		if e == nil {
			continue
		}
		args, err := wave.ParseArgs(e.Type.Params, c)
		require.NoError(t, err)
		if _, err := i.CallValues(context.Background(), e, args...); err != nil {
			return false
		}
	}
	for _, m := range i.memories {
		mem := m.Bytes()
		for range r.IntN(20) {
			at := r.IntN(len(mem))
			n := min(r.IntN(30_000), len(mem)-at)
			for k := range n {
				mem[at+k] ^= byte(r.Uint32())
			}
		}
	}
	for k, m := range i.cores {
		for _, x := range i.tmpl.globals[k] {
			m.Global(x.Name).Set(r.Uint64() & 0xffffffff)
		}
	}
	return true
}

// requireSame compares what there is of two instances.
func requireSame(t *testing.T, want, got *Instance) {
	t.Helper()
	require.Len(t, got.memories, len(want.memories))
	for k := range want.memories {
		require.True(t, bytes.Equal(want.memories[k].Bytes(), got.memories[k].Bytes()), "memory %d", k)
	}
	require.Equal(t, want.budget.Stats().Used, got.budget.Stats().Used)
	for k := range want.cores {
		for _, x := range want.tmpl.globals[k] {
			require.Equal(t, want.cores[k].Global(x.Name).Get(), got.cores[k].Global(x.Name).Get(), "core instance %d, global %d", k, x.Index)
		}
	}
	for k := range got.comps {
		c := got.comps[k]
		require.Empty(t, c.handles.entries)
		require.Empty(t, c.handles.free)
		c.handles = want.comps[k].handles
		c.store, c.parent = want.comps[k].store, want.comps[k].parent
		require.Equal(t, want.comps[k], c)
	}
	require.Zero(t, got.meter.Ticks())
	require.Equal(t, want.meter.StackLeft(), got.meter.StackLeft())
	require.Equal(t, want.slots, got.slots)
	require.Empty(t, got.objects.list)
	require.Empty(t, got.peer.entries)
}
