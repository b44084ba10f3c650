package blobstoretest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpcblob"
	"github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Wire is a lattice with a client on one connection and a server on another.
type Wire struct {
	// Only is the one version of the contract that is served, if it is not empty.
	Only string

	server *wrpc.Server
	client *wrpc.Client
	served atomic.Int64
}

// NewWire makes a lattice whose messages have so many bytes at most; 0: as many as
// usual.
func NewWire(t testing.TB, maxPayload int32) *Wire {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort, MaxPayload: maxPayload})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	connect := func() *nats.Conn {
		nc, err := lattice.Connect(ctx, lattice.ConnConfig{URL: srv.URL()})
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return nc
	}
	w := &Wire{}
	w.server, err = wrpc.NewServer(connect(), wrpc.ServerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.server.Close()) })
	w.client, err = wrpc.NewClient(connect(), wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.client.Close()) })
	return w
}

// Serve serves a store and returns its prefix.
func (w *Wire) Serve(t testing.TB, s blobstore.Store) (prefix string) {
	t.Helper()
	prefix = lattice.RPCPrefix("default", fmt.Sprint("blobs", w.served.Add(1)))
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: prefix})
	require.NoError(t, wrpcblob.Serve(reg, s))
	var exports []wrpc.Export
	for _, e := range reg.Exports() {
		if w.Only == "" || e.Instance == w.Only {
			exports = append(exports, e)
		}
	}
	_, err := w.server.Serve(t.Context(), exports...)
	require.NoError(t, err)
	return prefix
}

// Remote opens what open does, across the wire.
func (w *Wire) Remote(open func(testing.TB) blobstore.Store) func(testing.TB) blobstore.Store {
	return func(t testing.TB) blobstore.Store {
		t.Helper()
		return wrpcblob.NewClient(wrpcblob.NewDirect(w.client, w.Serve(t, open(t))))
	}
}

// RunRoutes tests a backend called directly and through a lattice. open is as in
// [Run]; limited opens a store that has the limits l.
func RunRoutes(t *testing.T, l Limits, open, limited func(testing.TB) blobstore.Store) {
	t.Helper()
	test := func(t *testing.T, open, limited func(testing.TB) blobstore.Store) {
		t.Run("behaviour", func(t *testing.T) { Run(t, open) })
		t.Run("limits", func(t *testing.T) { RunLimits(t, l, limited) })
	}
	t.Run("direct", func(t *testing.T) {
		t.Parallel()
		test(t, open, limited)
	})
	t.Run("lattice", func(t *testing.T) {
		t.Parallel()
		w := NewWire(t, 0)
		test(t, w.Remote(open), w.Remote(limited))
	})
}
