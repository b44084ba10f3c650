package serve_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/serve"
)

// nowhere is a client that takes everything and keeps nothing.
type nowhere struct{ header http.Header }

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhere) WriteHeader(int)             {}

// BenchmarkHandler is a request to http-hello without a server: an instance for each,
// by one client and by as many as there are processors.
func BenchmarkHandler(b *testing.B) {
	ctx := context.Background()
	rt, err := component.New(ctx, component.Config{})
	require.NoError(b, err)
	defer func() { require.NoError(b, rt.Close(ctx)) }()
	wasm, err := os.ReadFile("../../../examples/http-hello/http-hello.wasm")
	require.NoError(b, err)
	c, err := rt.Compile(wasm)
	require.NoError(b, err)
	tm, err := c.Link(ctx, component.LinkConfig{Name: "hello", Host: wasi.Interfaces(wasi.Config{}), Pool: component.PoolConfig{Reuse: component.Pristine}})
	require.NoError(b, err)
	defer func() { require.NoError(b, tm.Close(ctx)) }()
	h, err := serve.NewHandler(tm, serve.Options{})
	require.NoError(b, err)
	defer h.Close()
	ask := func(w *nowhere, r *http.Request) {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		w, r := &nowhere{http.Header{}}, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
		for b.Loop() {
			ask(w, r)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			w, r := &nowhere{http.Header{}}, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", nil)
			for pb.Next() {
				ask(w, r)
			}
		})
	})
}
