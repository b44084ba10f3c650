package component_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// TestStartFromTheCache: a component whose code is in the cache is refused,
// reports its progress and tells where it trapped as one that is compiled.
func TestStartFromTheCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	module, err := os.ReadFile("source/testdata/divide5.wasm")
	require.NoError(t, err)
	guest := wrapped(module, map[string]int{"divide": 2})
	var kept map[string]time.Time
	for _, state := range []string{"compiled", "from the cache"} {
		t.Run(state, func(t *testing.T) {
			rt, err := component.New(t.Context(), component.Config{CacheDir: dir, Warn: func(err error) { t.Error(err) }})
			require.NoError(t, err)
			defer func() { require.NoError(t, rt.Close(context.Background())) }()
			c, err := rt.Compile(guest)
			require.NoError(t, err)
			for _, debug := range []bool{false, true} {
				tm, err := c.Link(t.Context(), component.LinkConfig{Debug: debug})
				require.NoError(t, err)
				_, err = call(t, tm, "divide(1, 0)")
				require.Equal(t, trap.DivideByZero, trap.As(err).Code)
				require.Equal(t, "quotient", trap.As(err).Stack[0].Func)
				require.Equal(t, debug, trap.As(err).Stack[0].Line > 0)
				require.NoError(t, tm.Close(context.Background()))
			}
			_, err = c.Link(t.Context(), component.LinkConfig{Limits: component.Limits{CodeBytes: 100}})
			require.ErrorContains(t, err, "without their data, at most 100 are allowed")
			_, err = c.Link(t.Context(), component.LinkConfig{Limits: component.Limits{Functions: 1}})
			require.ErrorContains(t, err, "functions, at most 1 are allowed")
		})
		now := files(t, dir)
		require.Len(t, now, 2, "with and without debugging")
		if kept != nil {
			require.Equal(t, kept, now, "nothing was compiled the second time")
		}
		kept = now
	}
}

// files are those of a code cache, and when they were written.
func files(t *testing.T, dir string) map[string]time.Time {
	all, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	require.NoError(t, err)
	out := map[string]time.Time{}
	for _, name := range all {
		info, err := os.Stat(name)
		require.NoError(t, err)
		out[name] = info.ModTime()
	}
	return out
}

// TestLinkTellsItsProgress: each module counts once, also one that is
// instantiated more than once.
func TestLinkTellsItsProgress(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	for _, guest := range []struct {
		c     *component.Component
		total int
	}{{compileHostile(t, rt, "memories"), 1}, {compile(t, rt, "testdata/callee-traps.wasm"), 3}} {
		var got [][2]int
		tm, err := guest.c.Link(t.Context(), component.LinkConfig{Progress: func(done, total int) { got = append(got, [2]int{done, total}) }})
		require.NoError(t, err)
		require.NoError(t, tm.Close(context.Background()))
		var want [][2]int
		for n := range guest.total + 1 {
			want = append(want, [2]int{n, guest.total})
		}
		require.Equal(t, want, got)
	}
}
