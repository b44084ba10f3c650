package ctl_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/natsserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testLattice = "default"

// startNATS runs a server for one test and returns its address.
func startNATS(t *testing.T, maxPayload int32) string {
	t.Helper()
	srv, err := natsserver.Start(t.Context(), natsserver.Config{
		StoreDir: t.TempDir(), Port: natsserver.RandomPort, MaxPayload: maxPayload,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	return srv.URL()
}

func connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: url})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

func newClient(t *testing.T, nc *nats.Conn) *ctl.Client {
	t.Helper()
	client, err := ctl.NewClient(ctl.ClientConfig{Conn: nc, Lattice: testLattice, Timeout: 20 * time.Second})
	require.NoError(t, err)
	return client
}

// newHost serves a fake host under a fresh id.
func newHost(t *testing.T, nc *nats.Conn, change func(*ctl.ServerConfig)) (*fakeHost, *ctl.Server) {
	t.Helper()
	identity, err := lattice.NewIdentity("")
	require.NoError(t, err)
	h := &fakeHost{id: identity.ID}
	cfg := ctl.ServerConfig{Conn: nc, Lattice: testLattice, HostID: identity.ID, Handler: h}
	if change != nil {
		change(&cfg)
	}
	srv, err := ctl.NewServer(cfg)
	require.NoError(t, err)
	require.NoError(t, srv.Start(t.Context()))
	t.Cleanup(func() {
		// Bounded, so that a failed test with a handler that hangs ends too.
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
	})
	return h, srv
}

// fakeHost records what it is asked. Its hooks, where set, act in its stead.
type fakeHost struct {
	id string

	mu    sync.Mutex
	calls []any
	links []lattice.Link
	ended []ctl.Outcome // of commands whose work goes on

	scale func(context.Context, *ctl.ScaleComponent) (string, error)
	ping  func(context.Context) (*ctl.Host, error)
}

func (h *fakeHost) record(call any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, call)
}

// leave leaves work behind.
func (h *fakeHost) leave(ended ctl.Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = append(h.ended, ended)
}

// finish ends the oldest work that was left.
func (h *fakeHost) finish(err error) {
	h.mu.Lock()
	ended := h.ended[0]
	h.ended = h.ended[1:]
	h.mu.Unlock()
	ended(err)
}

func (h *fakeHost) recorded() []any {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]any(nil), h.calls...)
}

func (h *fakeHost) PingHost(ctx context.Context) (*ctl.Host, error) {
	if h.ping != nil {
		return h.ping(ctx)
	}
	return &ctl.Host{ID: h.id, FriendlyName: "calm-cedar-0001", Lattice: testLattice, UptimeSeconds: 184,
		UptimeHuman: "3m 4s", Version: "0.1.0", RPCHost: "nats://127.0.0.1:4222", CtlHost: "nats://127.0.0.1:4222"}, nil
}

func (h *fakeHost) Inventory(context.Context) (*lattice.Inventory, error) {
	return &lattice.Inventory{
		Components: []lattice.ComponentDescription{{
			ID: "http_hello", ImageRef: "ghcr.io/x/y:1.0.0", Name: "hello",
			Annotations: map[string]string{"k": "v"}, MaxInstances: 100,
		}},
		Providers: []lattice.ProviderDescription{{
			ID: "httpserver", ImageRef: "ghcr.io/wasmcloud/http-server:0.27.0", Name: "http-server",
		}},
		HostID: h.id, FriendlyName: "calm-cedar-0001", Version: "0.1.0", UptimeHuman: "10s", UptimeSeconds: 10,
	}, nil
}

func (h *fakeHost) StopHost(_ context.Context, req *ctl.StopHost, ended ctl.Outcome) error {
	h.record(*req)
	h.leave(ended)
	return nil
}

func (h *fakeHost) ScaleComponent(ctx context.Context, req *ctl.ScaleComponent, ended ctl.Outcome) (string, error) {
	h.record(*req)
	h.leave(ended)
	if h.scale != nil {
		return h.scale(ctx, req)
	}
	return "", nil
}

func (h *fakeHost) StartProvider(_ context.Context, req *ctl.StartProvider, ended ctl.Outcome) error {
	h.record(*req)
	h.leave(ended)
	return nil
}

func (h *fakeHost) StopProvider(_ context.Context, req *ctl.StopProvider, ended ctl.Outcome) error {
	h.record(*req)
	if req.ProviderID == "absent" {
		return errors.New("provider with that ID is not running")
	}
	h.leave(ended)
	return nil
}

func (h *fakeHost) Links(context.Context) ([]lattice.Link, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.links, nil
}

func (h *fakeHost) PutLink(_ context.Context, link lattice.Link) error {
	h.record(link)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.links = append(h.links, link)
	return nil
}

func (h *fakeHost) DeleteLink(_ context.Context, key lattice.LinkKey) (bool, error) {
	h.record(key)
	return key.SourceID != "unknown", nil
}

func (h *fakeHost) UpdateComponent(_ context.Context, req *ctl.UpdateComponent, ended ctl.Outcome) (string, error) {
	h.record(*req)
	h.leave(ended)
	return "component " + req.ComponentID + " updating from a to " + req.NewComponentRef, nil
}

func (h *fakeHost) BidForComponent(_ context.Context, req *ctl.ComponentAuction) bool {
	h.record(*req)
	return req.Constraints["zone"] == "a"
}

func (h *fakeHost) BidForProvider(_ context.Context, req *ctl.ProviderAuction) bool {
	h.record(*req)
	return req.Constraints["zone"] == "a"
}

func (h *fakeHost) PutLabel(_ context.Context, req *ctl.PutLabel) error {
	h.record(*req)
	return nil
}

func (h *fakeHost) DeleteLabel(_ context.Context, req *ctl.DeleteLabel) (bool, error) {
	h.record(*req)
	return req.Key == "known", nil
}

func (h *fakeHost) Config(_ context.Context, name string) (map[string]string, error) {
	h.record("get config " + name)
	switch name {
	case "known":
		return map[string]string{"a": "1"}, nil
	case "empty":
		return map[string]string{}, nil
	}
	return nil, lattice.ErrNotFound
}

func (h *fakeHost) PutConfig(_ context.Context, name string, values map[string]string) error {
	h.record("put config " + name)
	h.record(values)
	return nil
}

func (h *fakeHost) DeleteConfig(_ context.Context, name string) error {
	h.record("delete config " + name)
	return nil
}

func (h *fakeHost) Claims(context.Context) ([]map[string]string, error) {
	return []map[string]string{{"sub": "M1", "name": "one"}}, nil
}

func (h *fakeHost) PutRegistries(_ context.Context, auths map[string]ctl.RegistryAuth) error {
	h.record(auths)
	return nil
}
