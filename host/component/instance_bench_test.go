package component_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
)

// BenchmarkInstance makes and ends instances that nobody keeps, one at a time
// and by many goroutines at once.
func BenchmarkInstance(b *testing.B) {
	rt := newRuntime(b)
	tm := linkTo(b, compile(b, rt, "../../examples/types/types.wasm"),
		component.LinkConfig{Name: "types", Pool: component.PoolConfig{Reuse: component.Fresh}})
	inParallel(b, func(ctx context.Context) error {
		i, err := tm.Take(ctx)
		if err != nil {
			return err
		}
		return i.Close()
	})
}

// BenchmarkManyComponents calls a hundred components at random.
func BenchmarkManyComponents(b *testing.B) {
	for _, reuse := range []component.Reuse{component.Fresh, component.Pristine} {
		b.Run(reuse.String(), func(b *testing.B) {
			rt := newRuntime(b)
			c := compile(b, rt, "../../examples/types/types.wasm")
			var all [100]*component.Template
			for k := range all {
				all[k] = linkTo(b, c, component.LinkConfig{Name: fmt.Sprint(k), Pool: component.PoolConfig{Reuse: reuse}})
			}
			inParallel(b, func(ctx context.Context) error {
				tm := all[rand.IntN(len(all))]
				_, err := tm.Call(ctx, tm.Export("example:types/values", "echo-u32"), []byte{42}, nil)
				return err
			})
		})
	}
}

// inParallel runs f by so many goroutines per processor at once. It tells how
// long goroutines waited for locks, beside the time that all of them took.
func inParallel(b *testing.B, f func(context.Context) error) {
	for _, n := range []int{0, 1, 32} {
		b.Run(fmt.Sprintf("goroutines=%d", max(n*runtime.GOMAXPROCS(0), 1)), func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			waited := lockWait()
			if n == 0 {
				for b.Loop() {
					require.NoError(b, f(ctx))
				}
			} else {
				b.SetParallelism(n)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := f(ctx); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			b.ReportMetric((lockWait()-waited)*1e9/float64(b.N), "lock-wait-ns/op")
		})
	}
}

// lockWait returns the seconds that goroutines of the process have waited for
// locks, those of the Go runtime's own left out.
func lockWait() float64 {
	s := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(s)
	return s[0].Value.Float64()
}

// BenchmarkIdleInstances tells what instances that wait hold on the host's heap,
// beside their linear memory: new ones, and such as ran a call.
func BenchmarkIdleInstances(b *testing.B) {
	rt := newRuntime(b)
	tm := linkTo(b, compile(b, rt, "../../examples/types/types.wasm"),
		component.LinkConfig{Name: "types", Pool: component.PoolConfig{Reuse: component.Fresh}})
	const n = 1000
	for _, name := range []string{"", "u32", "string"} {
		b.Run("called="+name, func(b *testing.B) {
			held := 0.0
			for b.Loop() {
				before := heap()
				var all [n]*component.Instance
				for k := range all {
					i, err := tm.Take(b.Context())
					require.NoError(b, err)
					if c, ok := calls[name]; ok {
						_, err = i.Call(b.Context(), tm.Export("example:types/values", c.fn), c.params, nil)
						require.NoError(b, err)
					}
					all[k] = i
				}
				held = float64(heap()-before) / n
				for _, i := range all {
					require.NoError(b, i.Close())
				}
			}
			b.ReportMetric(held, "B/instance")
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what the first one found is swept
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
