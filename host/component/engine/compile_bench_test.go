package engine_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
)

// BenchmarkNeighbour is how long a call of about 0.1 ms takes that comes a
// millisecond after the one before, from when it should have begun, while modules are compiled: none,
// or four with so many at a time, 0 being the default.
func BenchmarkNeighbour(b *testing.B) {
	wasm := loops(500)
	for _, c := range []struct{ modules, compiles int }{{0, 0}, {4, 0}, {4, 1}, {4, 2}} {
		b.Run(fmt.Sprintf("%d modules, %d at a time", c.modules, c.compiles), func(b *testing.B) {
			w := newWorld(b, engine.Config{Compiles: c.compiles})
			w.byName["host"] = hostModule(b, w)
			f := w.must(testdata(b, "bench"), core.Plan{}).Func("spin")
			ctx := engine.NewContext(context.Background())
			stack := make([]uint64, 1)
			var took []time.Duration
			for b.Loop() {
				end := compileAll(b, w.engine, wasm, c.modules)
				for running := true; running; {
					next := time.Now().Add(time.Millisecond)
					time.Sleep(time.Millisecond)
					stack[0] = 100_000
					require.NoError(b, f.Call(ctx, stack))
					took = append(took, time.Since(next))
					select {
					case err := <-end:
						require.NoError(b, err)
						running = false
					default:
					}
				}
			}
			slices.Sort(took)
			for name, q := range map[string]float64{"p50-us": 0.5, "p99-us": 0.99, "max-us": 1} {
				b.ReportMetric(float64(took[int(q*float64(len(took)-1))].Microseconds()), name)
			}
		})
	}
}

// compileAll compiles modules that differ, or without any lets three seconds go
// by. end tells when it is done.
func compileAll(b *testing.B, e *engine.Engine, wasm []byte, modules int) (end chan error) {
	end = make(chan error, 1)
	if modules == 0 {
		time.AfterFunc(3*time.Second, func() { end <- nil })
		return end
	}
	results := make(chan error, modules)
	for i := range modules {
		src, err := source(wasm, core.Plan{MaxTable: uint32(i + 1)})
		require.NoError(b, err)
		go func() {
			code, err := e.Compile(context.Background(), src)
			if err == nil {
				code.Close()
			}
			results <- err
		}()
	}
	go func() {
		var err error
		for range modules {
			if failed := <-results; failed != nil {
				err = failed
			}
		}
		end <- err
	}()
	return end
}

// BenchmarkCode is what it takes until a module can be instantiated: cold, with
// nothing in the cache, and warm. The module is the one of BenchmarkRewrite, or a
// smaller one.
func BenchmarkCode(b *testing.B) {
	wasm := loops(500)
	if os.Getenv(benchEnv) != "" {
		wasm = bigModule(b)
	}
	dir := b.TempDir()
	start := func(b *testing.B, dir string, want engine.Stats) {
		e, err := engine.New(b.Context(), engine.Config{CacheDir: dir})
		require.NoError(b, err)
		src, err := source(wasm, core.Plan{StripData: true})
		require.NoError(b, err)
		code, err := e.Compile(b.Context(), src)
		require.NoError(b, err)
		b.StopTimer()
		code.Close()
		require.NoError(b, e.Close(context.Background()))
		require.Equal(b, want, e.Stats())
		b.StartTimer()
	}
	b.Run("cold", func(b *testing.B) {
		for b.Loop() {
			start(b, b.TempDir(), engine.Stats{Compiled: 1})
		}
	})
	b.Run("warm", func(b *testing.B) {
		e, _ := newEngine(b, engine.Config{CacheDir: dir})
		src, err := source(wasm, core.Plan{StripData: true})
		require.NoError(b, err)
		code, err := e.Compile(b.Context(), src)
		require.NoError(b, err)
		code.Close()
		engine.WaitForCompiles(e)
		for b.Loop() {
			start(b, dir, engine.Stats{Loaded: 1})
		}
	})
}
