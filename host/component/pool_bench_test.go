package component

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/test/bench/guests"
)

// BenchmarkReset is the reset of a whole instance after a call that wrote to so
// many pages: one of 10 MB of data, and one of three core instances, with handles
// and objects that the host gives out again.
func BenchmarkReset(b *testing.B) {
	big := func() *Template { return bigTemplate(b) }
	wild := func() *Template { return linked(b, "testdata/wild.wasm", PoolConfig{}) }
	for _, c := range []struct {
		guest string
		tmpl  func() *Template
		pages int
	}{{"big", big, 0}, {"big", big, 16}, {"big", big, 256}, {"big", big, 2048}, {"wild", wild, 0}, {"wild", wild, 16}} {
		b.Run(fmt.Sprintf("guest=%s/pages=%d", c.guest, c.pages), func(b *testing.B) {
			i := pristineInstance(b, c.tmpl())
			mem, took := i.memories[len(i.memories)-1].Bytes(), time.Duration(0)
			least := time.Hour
			for b.Loop() {
				for p := range c.pages {
					mem[p*4096] = 1
				}
				start := time.Now()
				_ = i.park()
				if _, err := i.reset(defaultKeepPages); err != nil {
					b.Fatal(err)
				}
				if err := i.renew(context.Background()); err != nil {
					b.Fatal(err)
				}
				t := time.Since(start)
				took += t
				least = min(least, t)
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N), "reset-ns/op")
			b.ReportMetric(float64(least.Nanoseconds()), "least-ns")
		})
	}
}

// BenchmarkPooledCall is a call from taking the instance to giving it back.
func BenchmarkPooledCall(b *testing.B) {
	for _, reuse := range []Reuse{Pristine, Sticky} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%v/callers=%d", reuse, callers), func(b *testing.B) {
				tm := linked(b, "testdata/state.wasm", PoolConfig{Reuse: reuse, Max: 64})
				e := tm.Export("", "peek")
				params := []byte{8}
				call := func(dst []byte) []byte {
					out, err := tm.Call(context.Background(), e, params, dst[:0])
					if err != nil {
						b.Fatal(err)
					}
					return out
				}
				b.ReportAllocs()
				if callers == 1 {
					var dst []byte
					for b.Loop() {
						dst = call(dst)
					}
				} else {
					b.SetParallelism(callers / 2)
					b.RunParallel(func(pb *testing.PB) {
						var dst []byte
						for pb.Next() {
							dst = call(dst)
						}
					})
				}
				s := tm.Pool()
				b.ReportMetric(float64(s.Misses)/float64(b.N), "misses/op")
				b.ReportMetric(float64(s.ResetTime.Nanoseconds())/float64(max(s.Resets, 1)), "reset-ns")
			})
		}
	}
}

// bigTemplate is a component of one module with 10 MB of data.
func bigTemplate(t testing.TB) *Template {
	t.Helper()
	wasm, err := guests.Component("callee")
	require.NoError(t, err)
	wasm, err = guests.WithData(wasm)
	require.NoError(t, err)
	c, err := newRuntime(t, Config{}).Compile(wasm)
	require.NoError(t, err)
	tm, err := c.Link(context.Background(), LinkConfig{Name: "big", Pool: PoolConfig{Max: maxPool}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tm.Close(context.Background())) })
	return tm
}
