package workload

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// oneHere is a host on which one workload runs, "echo".
type oneHere struct{ w *Workload }

func (h oneHere) Component(id string) link.Component {
	if id != "echo" {
		return nil
	}
	return h.w
}

func (h oneHere) Provider(string) *provider.Capabilities { return nil }

// BenchmarkLink is a call along a link to a component of the same host: the
// route, the limits, an instance of the target's own from its pool, and the
// call. The guest calls in a loop, so that its own start does not count.
func BenchmarkLink(b *testing.B) {
	rt, err := component.New(b.Context(), component.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, rt.Close(context.Background())) })
	load := func(name string, cfg component.LinkConfig) (*component.Component, *component.Template) {
		wasm, err := os.ReadFile("../component/testdata/" + name + ".wasm")
		require.NoError(b, err)
		c, err := rt.Compile(wasm)
		require.NoError(b, err)
		cfg.Name = name
		tm, err := c.Link(b.Context(), cfg)
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, tm.Close(context.Background())) })
		return c, tm
	}
	for _, reuse := range []component.Reuse{component.Pristine, component.Sticky} {
		c, tm := load("echo", component.LinkConfig{Pool: component.PoolConfig{Reuse: reuse}})
		w := newWorkload(Config{ID: "echo", Component: c, Template: tm, MaxInstances: 100, Log: zap.NewNop()})
		router := link.NewRouter("default", oneHere{w}, nil)
		router.SetLinks([]lattice.Link{{SourceID: "caller", Target: "echo", Name: "default",
			WITNamespace: "test", WITPackage: "calls", Interfaces: []string{"echo"}}})
		var imp *link.Import
		_, caller := load("caller", component.LinkConfig{Import: func(_ string, fn *wit.Func) (component.Callee, error) {
			if imp == nil {
				imp = router.Import("caller", c.World().Exports[0].Interface)
			}
			return imp.Callee(fn), nil
		}})
		i, err := caller.Take(b.Context())
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, i.Close()) })
		for _, fn := range []string{"nothing", "number"} {
			b.Run(reuse.String()+"/"+fn, func(b *testing.B) {
				ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
				defer cancel()
				b.ReportAllocs()
				b.ResetTimer()
				if _, err := i.Call(ctx, caller.Export("", fn), wire.AppendULEB(nil, uint64(b.N)), nil); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
