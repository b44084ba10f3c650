package state_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testLattice = "default"

// patience bounds every wait that only a broken test would use up.
const patience = 30 * time.Second

// broker is a NATS server that can be stopped and started on the same port.
type broker struct {
	t   *testing.T
	cfg natsserver.Config
	srv *natsserver.Server
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{t: t, cfg: natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort}}
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	srv, err := natsserver.Start(context.Background(), b.cfg)
	require.NoError(b.t, err)
	b.srv = srv
	_, err = fmt.Sscanf(srv.URL(), "nats://127.0.0.1:%d", &b.cfg.Port)
	require.NoError(b.t, err)
}

func (b *broker) stop() {
	b.t.Helper()
	require.NoError(b.t, b.srv.Shutdown(context.Background()))
}

func (b *broker) connect() *nats.Conn {
	b.t.Helper()
	nc, err := lattice.Connect(b.t.Context(), lattice.ConnConfig{URL: b.srv.URL()})
	require.NoError(b.t, err)
	b.t.Cleanup(nc.Close)
	return nc
}

func (b *broker) open(nc *nats.Conn, opts state.Options) *state.Store {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	s, err := state.Open(ctx, nc, testLattice, opts)
	require.NoError(b.t, err)
	b.t.Cleanup(s.Close)
	return s
}

// bucket is the raw bucket, as a v1 peer sees it.
func bucket(t *testing.T, nc *nats.Conn, name string) jetstream.KeyValue {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	kv, err := js.KeyValue(t.Context(), name)
	require.NoError(t, err)
	return kv
}

func put(t *testing.T, kv jetstream.KeyValue, key, value string) {
	t.Helper()
	_, err := kv.Put(t.Context(), key, []byte(value))
	require.NoError(t, err)
}

func newLink(source, target string, interfaces ...string) lattice.Link {
	if len(interfaces) == 0 {
		interfaces = []string{"store"}
	}
	return lattice.Link{
		SourceID: source, Target: target, Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue",
		Interfaces: interfaces, SourceConfig: []string{}, TargetConfig: []string{},
	}
}

// specWith is a stored spec as a v1 host writes it.
func specWith(t *testing.T, links ...lattice.Link) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{"url": "", "links": links})
	require.NoError(t, err)
	return string(data)
}

// view follows a watcher and holds what it has read.
type view struct {
	t     *testing.T
	s     *state.Store
	w     *state.Watcher
	links map[string][]lattice.Link
}

func newView(t *testing.T, s *state.Store) *view {
	t.Helper()
	w := s.Watch()
	t.Cleanup(w.Close)
	return &view{t: t, s: s, w: w, links: make(map[string][]lattice.Link)}
}

// until reads changes until the links from id are these.
func (v *view) until(id string, want ...lattice.Link) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	for !equal(v.links[id], want) {
		changed, err := v.w.Next(ctx)
		require.NoError(v.t, err, "links from %s are %v", id, v.links[id])
		for _, id := range changed {
			v.links[id] = v.s.LinksFrom(id)
		}
	}
}

func equal(a, b []lattice.Link) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}
