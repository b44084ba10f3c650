package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
)

func TestCompileIsSharedAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	r, err := rewrite(testdata(t, "table"), core.Plan{})
	require.NoError(t, err)
	codes := make([]*engine.Code, 16)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			code, err := w.engine.Compile(t.Context(), r.Bytes)
			if err == nil {
				codes[i] = code
			}
		})
	}
	wg.Wait()
	for i, code := range codes {
		require.NotNil(t, code)
		if i > 0 {
			code.Close()
			code.Close() // once counts
		}
	}
	m, err := w.engine.Instantiate(engine.NewContext(context.Background()), codes[0], nil, nil)
	require.NoError(t, err)
	codes[0].Close()
	_, err = call(t.Context(), m, "size")
	require.NoError(t, err, "instances outlive their code")
	require.NoError(t, m.Close(t.Context()))
	_, err = w.engine.Instantiate(engine.NewContext(context.Background()), codes[0], nil, nil)
	require.ErrorContains(t, err, "closed")
}

func TestCompileOfWhatIsInvalid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	for range 2 { // a failure is not kept
		_, err := w.engine.Compile(t.Context(), []byte("\x00asm\x01\x00\x00\x00\x01"))
		require.ErrorContains(t, err, "compile core module")
	}
}

func TestCompileGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{Compiles: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := rewrite(testdata(t, "interrupt"), core.Plan{})
	require.NoError(t, err)
	for range 100 { // either may win the race, but a compile never fails for another reason
		code, err := w.engine.Compile(ctx, r.Bytes)
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			continue
		}
		code.Close()
	}
	code, err := w.engine.Compile(t.Context(), r.Bytes)
	require.NoError(t, err)
	code.Close()
}

func TestClosedEngine(t *testing.T) {
	t.Parallel()
	e, err := engine.New(t.Context(), engine.Config{})
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	require.NoError(t, e.Close(t.Context()))
	_, err = e.Compile(t.Context(), testdata(t, "table"))
	require.ErrorIs(t, err, engine.ErrClosed)
}

func TestCodeCache(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	r, err := rewrite(testdata(t, "table"), core.Plan{})
	require.NoError(t, err)
	for range 2 {
		w := newWorld(t, engine.Config{CacheDir: dir})
		m, err := w.instantiate(engine.NewContext(context.Background()), r, core.Plan{})
		require.NoError(t, err)
		stack, err := call(t.Context(), m, "size")
		require.NoError(t, err)
		require.Equal(t, uint64(1), stack[0])
	}
	if runtime.GOOS == "windows" {
		return
	}
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	require.NoError(t, os.Chmod(dir, 0o770))
	_, err = engine.New(t.Context(), engine.Config{CacheDir: dir})
	require.ErrorContains(t, err, "others may write")
}
