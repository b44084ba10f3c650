package provider_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wait = 20 * time.Second

func connect(t *testing.T) (*nats.Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	t.Cleanup(cancel)
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	nc, err := lattice.Connect(ctx, lattice.ConnConfig{URL: srv.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc, ctx
}

// recorder is a provider that notes what it is told.
type recorder struct {
	told   chan string
	health provider.Health
}

func (r *recorder) PutLink(_ context.Context, d provider.LinkDefinition) {
	r.told <- fmt.Sprint("put ", d.Link(), " ", d.TargetConfig)
}
func (r *recorder) DeleteLink(_ context.Context, d provider.LinkDefinition) {
	r.told <- fmt.Sprint("delete ", d.Link())
}
func (r *recorder) UpdateConfig(_ context.Context, v map[string]string) {
	r.told <- fmt.Sprint("config ", v)
}
func (r *recorder) Health(context.Context) provider.Health { return r.health }
func (r *recorder) Shutdown(context.Context)               { r.told <- "shutdown" }
func (r *recorder) Malformed(subject string, _ error)      { r.told <- "malformed " + subject }

func (r *recorder) next(t *testing.T) string {
	t.Helper()
	select {
	case s := <-r.told:
		return s
	case <-time.After(wait):
		t.Fatal("it was told nothing")
		return ""
	}
}

// TestBothEnds: a host and a provider, over a real server.
func TestBothEnds(t *testing.T) {
	t.Parallel()
	nc, ctx := connect(t)
	keys, err := provider.NewKeys()
	require.NoError(t, err)
	data := &provider.HostData{HostID: "NHOST", Lattice: "default", ProviderID: "kv"}
	keys.Fill(data)
	remote := provider.NewRemote(nc, "default", "kv", keys.ProviderPublic())

	_, err = remote.Health(ctx)
	require.ErrorIs(t, err, lattice.ErrNotFound, "nobody is there")

	r := &recorder{told: make(chan string, 100), health: provider.Health{Healthy: true, Message: "fine"}}
	s, err := provider.Serve(ctx, nc, data, r)
	require.NoError(t, err)
	h, err := remote.Health(ctx)
	require.NoError(t, err)
	require.Equal(t, r.health, h)

	l := lattice.Link{SourceID: "c", Target: "kv", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"}}
	d := provider.NewLinkDefinition(l)
	d.TargetConfig = map[string]string{"a": "1"}
	// However many and fast, in their order.
	for range 20 {
		require.NoError(t, remote.PutLink(d))
		require.NoError(t, remote.DeleteLink(l))
		require.NoError(t, remote.UpdateConfig(nil))
	}
	for range 20 {
		require.Equal(t, "put c -(default)-> kv for wasi:keyvalue map[a:1]", r.next(t))
		require.Equal(t, "delete c -(default)-> kv for wasi:keyvalue", r.next(t))
		require.Equal(t, "config map[]", r.next(t))
	}

	puts := lattice.ProviderLinkPut("default", keys.ProviderPublic())
	for subject, body := range map[string]string{
		puts: `{"source_id":"c"`,
		lattice.ProviderLinkDelete("default", "kv"):          `{"source_id":"x","target":"y","wit_namespace":"a","wit_package":"b","interfaces":["c"]}`,
		lattice.ProviderConfig("default", "kv"):              `{"a":1}`,
		lattice.ProviderShutdown("default", "kv", "default"): `stop!`,
	} {
		require.NoError(t, nc.Publish(subject, []byte(body)))
		require.Equal(t, "malformed "+subject, r.next(t))
	}

	other, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	require.ErrorIs(t, remote.Shutdown(other, "NOTHER"), lattice.ErrTimeout, "it is another host's")
	cancel()
	require.NoError(t, remote.Shutdown(ctx, "NHOST"))
	require.Equal(t, "shutdown", r.next(t), "once")
	require.NoError(t, s.Close())
	_, err = remote.Health(ctx)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.LessOrEqual(t, nc.NumSubscriptions(), 1)
}

// TestSubjects: those of protocol §7.5, and no others.
func TestSubjects(t *testing.T) {
	t.Parallel()
	nc, ctx := connect(t)
	all, err := nc.SubscribeSync(">")
	require.NoError(t, err)
	next := func(subject, body string) {
		t.Helper()
		m, err := all.NextMsgWithContext(ctx)
		require.NoError(t, err)
		require.Equal(t, subject, m.Subject)
		require.Equal(t, body, string(m.Data))
	}
	remote := provider.NewRemote(nc, "default", "kv", "XKEY")
	l := lattice.Link{SourceID: "c", Target: "kv", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"}}
	d := provider.NewLinkDefinition(l)
	d.TargetSecrets = provider.Sealed{1}
	const start = `{"source_id":"c","target":"kv","name":"default","wit_namespace":"wasi","wit_package":"keyvalue","interfaces":["store"],"source_config":{},"target_config":{},"source_secrets":null,"target_secrets":`
	require.NoError(t, remote.PutLink(d))
	next("wasmbus.rpc.default.XKEY.linkdefs.put", start+`[1]}`)
	require.NoError(t, remote.DeleteLink(l))
	next("wasmbus.rpc.default.kv.linkdefs.del", start+`null}`)
	require.NoError(t, remote.UpdateConfig(map[string]string{"a": "b"}))
	next("wasmbus.rpc.default.kv.config.update", `{"a":"b"}`)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = remote.Health(short)
	require.ErrorIs(t, err, lattice.ErrTimeout, "the test listens, and does not answer")
	next("wasmbus.rpc.default.kv.health", ``)
	short, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, remote.Shutdown(short, "NHOST"), lattice.ErrTimeout)
	next("wasmbus.rpc.default.kv.default.shutdown", `{"host_id":"NHOST"}`)
}
