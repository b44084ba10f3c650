package workload

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

const values = "example:types/values"

// benchBed is a workload that is called by a link of this process, and by NATS.
type benchBed struct {
	relay  *component.Instance // calls types along a link
	tmpl   *component.Template
	client *wrpc.Client
	w      *Workload
}

type only struct{ w *Workload }

func (o only) Component(string) link.Component        { return o.w }
func (o only) Provider(string) *provider.Capabilities { return nil }

func newBenchBed(b *testing.B, pool component.PoolConfig) *benchBed {
	b.Helper()
	ctx := context.Background()
	rt, err := component.New(ctx, component.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, rt.Close(ctx)) })
	linked := func(name string, cfg component.LinkConfig) (*component.Component, *component.Template) {
		wasm, err := examples.Component(name)
		require.NoError(b, err)
		c, err := rt.Compile(wasm)
		require.NoError(b, err)
		tm, err := c.Link(ctx, cfg)
		require.NoError(b, err)
		return c, tm
	}
	s, err := natsserver.Start(ctx, natsserver.Config{StoreDir: b.TempDir(), Port: natsserver.RandomPort})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Shutdown(ctx)) })
	conn := func() *lattice.Conn {
		nc, err := lattice.Connect(ctx, lattice.ConnConfig{URL: s.URL()})
		require.NoError(b, err)
		b.Cleanup(nc.Close)
		return nc
	}
	server, err := wrpc.NewServer(conn(), wrpc.ServerConfig{})
	require.NoError(b, err)
	bed := &benchBed{}
	bed.client, err = wrpc.NewClient(conn(), wrpc.ClientConfig{})
	require.NoError(b, err)

	c, tm := linked("types", component.LinkConfig{Name: "types", Host: wasi.Interfaces(wasi.Config{}), Pool: pool})
	bed.w, err = New(Config{ID: "types", Component: c, Template: tm, Pool: pool, MaxInstances: 100, MaxTime: 10 * time.Minute,
		Lattice: "bench", Host: "bench", Server: server, Log: zap.NewNop()})
	require.NoError(b, err)
	require.NoError(b, bed.w.Serve(ctx, nil))
	router := link.NewRouter("bench", only{bed.w}, wrpc.NewCaller(bed.client, "bench", nil))
	router.SetLinks([]lattice.Link{{SourceID: "relay", Target: "types", Name: lattice.DefaultLinkName,
		WITNamespace: "example", WITPackage: "types", Interfaces: []string{"values"}}})
	rc, err := rt.Compile(mustExample(b, "relay"))
	require.NoError(b, err)
	var imp *link.Import
	for _, x := range rc.World().Imports {
		if x.Interface != nil {
			imp = router.Import("relay", x.Interface)
		}
	}
	_, bed.tmpl = linked("relay", component.LinkConfig{Name: "relay",
		Import: func(_ string, fn *wit.Func) (component.Callee, error) { return imp.Callee(fn), nil }})
	bed.relay, err = bed.tmpl.Take(ctx)
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, bed.relay.Close())
		require.NoError(b, bed.tmpl.Close(ctx))
		require.NoError(b, bed.w.Stop(ctx))
		require.NoError(b, bed.client.Close())
		require.NoError(b, server.Close())
	})
	return bed
}

func mustExample(b *testing.B, name string) []byte {
	b.Helper()
	wasm, err := examples.Component(name)
	require.NoError(b, err)
	return wasm
}

// BenchmarkCall is one call of a deployed component: from a component of the same
// process along a link, and across NATS; with new instances, which is what it was
// before pools, and with kept ones.
func BenchmarkCall(b *testing.B) {
	for _, reuse := range []component.Reuse{component.Fresh, component.Pristine, component.Sticky} {
		bed := newBenchBed(b, component.PoolConfig{Reuse: reuse})
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		ctx = wrpc.ContextWithMeta(ctx, wrpc.Meta{SourceID: "bench", TraceParent: wrpc.NewTraceParent()})
		e := bed.tmpl.Export(values, "echo-u32")
		b.Run("linked/"+reuse.String(), func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			for range b.N {
				var err error
				if out, err = bed.relay.Call(ctx, e, []byte{42}, out[:0]); err != nil || out[0] != 42 {
					b.Fatal(out, err)
				}
			}
		})
		b.Run("nats/"+reuse.String(), func(b *testing.B) {
			b.ReportAllocs()
			target := wrpc.Target{Prefix: lattice.RPCPrefix("bench", "types"), Instance: e.Interface, Func: "echo-u32"}
			for range b.N {
				out, _, err := bed.client.Call(ctx, target, wrpc.Meta{SourceID: "bench"}, []byte{42})
				if err != nil || out[0] != 42 {
					b.Fatal(out, err)
				}
			}
		})
	}
}
