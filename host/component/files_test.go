package component_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/internal/refuse"
)

func TestWhereNoFileCanBeOpened(t *testing.T) {
	t.Parallel()
	refuse.Rerun(t, "^TestNoFileCanBeOpened$", "files")
}

// TestNoFileCanBeOpened: components are compiled, pooled and reset all the same, it
// is told that code is not kept, and what was kept before is good later.
func TestNoFileCanBeOpened(t *testing.T) {
	if !refuse.Refused("files") {
		t.Skip("SKIPPED: files can be opened (TestWhereNoFileCanBeOpened makes it so that they cannot)")
	}
	state, err := os.ReadFile("testdata/state.wasm")
	require.NoError(t, err)
	echo, err := os.ReadFile("testdata/echo.wasm")
	require.NoError(t, err)
	dir := t.TempDir()
	var warned atomic.Pointer[error]
	play := func(wasm []byte, name string) engine.Stats {
		rt, err := component.New(t.Context(), component.Config{CacheDir: dir, Warn: func(err error) { warned.Store(&err) }})
		require.NoError(t, err)
		defer func() { require.NoError(t, rt.Close(context.Background())) }()
		c, err := rt.Compile(wasm)
		require.NoError(t, err)
		tm, err := c.Link(t.Context(), component.LinkConfig{Name: name})
		require.NoError(t, err)
		defer func() { require.NoError(t, tm.Close(context.Background())) }()
		if name == "state" {
			for range 20 {
				require.Equal(t, "1121", pooledCall(t, tm, "bump()"))
			}
			require.Positive(t, tm.Pool().Hits)
		}
		return component.EngineStats(rt)
	}
	require.Positive(t, play(state, "state").Compiled)
	require.Nil(t, warned.Load())

	var open []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			require.ErrorIs(t, err, syscall.EMFILE)
			break
		}
		open = append(open, f)
	}
	require.Positive(t, play(state, "state").Compiled, "what is kept cannot be read")
	require.Positive(t, play(echo, "echo").Compiled)
	require.NotNil(t, warned.Load())
	require.ErrorIs(t, *warned.Load(), syscall.EMFILE)
	for _, f := range open {
		require.NoError(t, f.Close())
	}

	s := play(state, "state")
	require.Zero(t, s.Compiled, "what was kept is good")
	require.Positive(t, s.Loaded)
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
}
