package engine_test

import (
	"context"
	"encoding/binary"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/memory"
)

// plans are with and without checks.
var plans = []struct {
	name string
	plan core.Plan
}{{"checked", core.Plan{}}, {"plain", core.Plan{NoChecks: true}}}

func BenchmarkGuest(b *testing.B) {
	for _, c := range []struct {
		export string
		arg    uint64
	}{{"nothing", 0}, {"hosts", 1000}, {"spin", 1_000_000}, {"fib", 25}, {"sieve", 500_000}} {
		for _, p := range plans {
			b.Run(c.export+"/"+p.name, func(b *testing.B) {
				w := newWorld(b, engine.Config{})
				w.byName["host"] = hostModule(b, w)
				f := w.must(testdata(b, "bench"), p.plan).Func(c.export)
				ctx := &hostCtx{do: func(arg uint64) uint64 { return arg }}
				stack := make([]uint64, 1)
				b.ReportAllocs()
				for b.Loop() {
					stack[0] = c.arg
					if err := f.Call(ctx, stack); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkTrap(b *testing.B) {
	w := newWorld(b, engine.Config{})
	w.byName["host"] = hostModule(b, w)
	f := w.must(testdata(b, "host"), core.Plan{}).Func("unreachable")
	ctx := engine.NewContext(context.Background())
	for b.Loop() {
		require.Error(b, f.Call(ctx, nil))
	}
}

func BenchmarkInstantiate(b *testing.B) {
	w := newWorld(b, engine.Config{})
	code, err := w.engine.Compile(b.Context(), mustSource(b, "memory", core.Plan{StripData: true}))
	require.NoError(b, err)
	defer code.Close()
	img := image(b, code.Data())
	defer img.Close()
	b.ReportAllocs()
	for b.Loop() {
		var lin *memory.Linear
		m, err := w.engine.Instantiate(engine.NewContext(context.Background()), code, nil, func(min, max uint64) *memory.Linear {
			lin, err = img.New(min, max, nil)
			return lin
		})
		require.NoError(b, err)
		require.NoError(b, m.Close(b.Context()))
		require.NoError(b, lin.Close())
	}
}

// BenchmarkCollect is how long the garbage collector takes while a guest runs.
func BenchmarkCollect(b *testing.B) {
	for _, export := range []string{"loop", "tree", "nested"} {
		b.Run(export, func(b *testing.B) {
			w := newWorld(b, engine.Config{})
			m := w.must(testdata(b, "interrupt"), core.Plan{})
			done := make(chan error, 1)
			f := m.Func(export)
			go func() { done <- f.Call(engine.NewContext(context.Background()), nil) }()
			for m.Meter().Ticks() == 0 {
				runtime.Gosched()
			}
			for b.Loop() {
				runtime.GC()
			}
			m.Interrupt()
			<-done
		})
	}
}

// BenchmarkRewrite rewrites a big module: the one that LATH_BENCH_WASM names,
// or one of many loops.
func BenchmarkRewrite(b *testing.B) {
	wasm := bigModule(b)
	for _, p := range plans {
		b.Run(p.name, func(b *testing.B) {
			b.SetBytes(int64(len(wasm)))
			for b.Loop() {
				m, err := core.Parse(wasm, core.Limits{})
				require.NoError(b, err)
				_, err = core.Rewrite(m, p.plan)
				require.NoError(b, err)
			}
		})
	}
}

// benchEnv names a file with a core module.
const benchEnv = "LATH_BENCH_WASM"

// bigModule makes 20,000 functions of twenty loops each.
func bigModule(b *testing.B) []byte {
	if file := os.Getenv(benchEnv); file != "" {
		wasm, err := os.ReadFile(file)
		require.NoError(b, err)
		return wasm
	}
	return loops(20_000)
}

// loops makes a module of n functions of twenty loops each.
func loops(n int) []byte {
	// a loop of a load, an addition, a store and a br_if
	pass := []byte{
		0x03, 0x40, 0x20, 0, 0x20, 0, 0x28, 2, 0, 0x41, 0xe4, 0, 0x6a, 0x36, 2, 0,
		0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b,
	}
	var fn []byte
	for range 20 {
		fn = append(fn, pass...)
	}
	fn = append(append([]byte{0}, fn...), 0x0b)
	leb := func(v int) []byte { return binary.AppendUvarint(nil, uint64(v)) }
	section := func(out []byte, id byte, payload []byte) []byte {
		return append(append(append(out, id), leb(len(payload))...), payload...)
	}
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = section(out, 1, []byte{1, 0x60, 1, 0x7f, 0})
	out = section(out, 3, append(leb(n), make([]byte, n)...))
	out = section(out, 5, []byte{1, 0, 1})
	code := leb(n)
	for range n {
		code = append(append(code, leb(len(fn))...), fn...)
	}
	return section(out, 10, code)
}

// BenchmarkMeter is what a meter costs: to give a call its time, and to make
// one for a store.
func BenchmarkMeter(b *testing.B) {
	w := newWorld(b, engine.Config{})
	m, err := w.engine.NewMeter()
	require.NoError(b, err)
	b.Run("limit", func(b *testing.B) {
		for b.Loop() {
			m.SetTickLimit(1_000_000)
		}
	})
	m.Close()
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			m, err := w.engine.NewMeter()
			require.NoError(b, err)
			m.Close()
		}
	})
}
