package blobstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpcblob"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/blobstore/blobstoretest"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// patience bounds every wait of a test that is expected to succeed.
const patience = 30 * time.Second

// wire is a lattice with a client on one connection and a server on another.
type wire struct {
	server *wrpc.Server
	client *wrpc.Client
	served atomic.Int64
	// only is the one version that is served, if it is not empty.
	only string
}

func newWire(t testing.TB, maxPayload int32) *wire {
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
	w := &wire{}
	w.server, err = wrpc.NewServer(connect(), wrpc.ServerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.server.Close()) })
	w.client, err = wrpc.NewClient(connect(), wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.client.Close()) })
	return w
}

// serve serves a store and returns its prefix.
func (w *wire) serve(t testing.TB, s contract.Store) (prefix string) {
	t.Helper()
	prefix = lattice.RPCPrefix("default", fmt.Sprint("blobs", w.served.Add(1)))
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: prefix})
	require.NoError(t, wrpcblob.Serve(reg, s))
	var exports []wrpc.Export
	for _, e := range reg.Exports() {
		if w.only == "" || e.Instance == w.only {
			exports = append(exports, e)
		}
	}
	_, err := w.server.Serve(t.Context(), exports...)
	require.NoError(t, err)
	return prefix
}

// remote opens stores across the wire.
func (w *wire) remote(cfg blobstore.MemoryConfig) func(testing.TB) contract.Store {
	return func(t testing.TB) contract.Store {
		t.Helper()
		return wrpcblob.NewClient(wrpcblob.NewDirect(w.client, w.serve(t, blobstore.NewMemory(cfg))))
	}
}

func TestMemoryAcrossTheWire(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		maxPayload int32
		only       string
	}{
		"payloads of 8 MiB": {}, "payloads of 4 KiB": {maxPayload: 4 << 10}, "version 0.1.0": {only: contract.Interface010.Name},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t, c.maxPayload)
			w.only = c.only
			t.Run("behaviour", func(t *testing.T) { blobstoretest.Run(t, w.remote(blobstore.MemoryConfig{})) })
			t.Run("limits", func(t *testing.T) { blobstoretest.RunLimits(t, smallLimits, w.remote(small)) })
		})
	}
}
