package engine_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
)

func TestCompileIsSharedAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	src := mustSource(t, "table", core.Plan{})
	codes := make([]*engine.Code, 16)
	var wg sync.WaitGroup
	for i := range codes {
		wg.Go(func() {
			code, err := w.engine.Compile(t.Context(), src)
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
	var g guest
	g.fn("f", nil, []byte{i32}, nil) // without a result
	src, err := source(g.encode(), core.Plan{})
	require.NoError(t, err)
	for range 2 { // a failure is not kept
		_, err := w.engine.Compile(t.Context(), src)
		require.ErrorContains(t, err, "compile core module")
	}
}

func TestCompileGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{Compiles: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := mustSource(t, "interrupt", core.Plan{})
	for range 100 { // either may win the race, but a compile never fails for another reason
		code, err := w.engine.Compile(ctx, src)
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			continue
		}
		code.Close()
	}
	code, err := w.engine.Compile(t.Context(), src)
	require.NoError(t, err)
	code.Close()
}

func TestClosedEngine(t *testing.T) {
	t.Parallel()
	e, err := engine.New(t.Context(), engine.Config{})
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	require.NoError(t, e.Close(t.Context()))
	_, err = e.Compile(t.Context(), mustSource(t, "table", core.Plan{}))
	require.ErrorIs(t, err, engine.ErrClosed)
}
