package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/natsserver"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	memory "github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/sdk"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wait = 20 * time.Second

// lattice in which a provider runs in this process.
type bed struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // the test's deadline
	url  string
	conn *lattice.Conn
	keys *wire.Keys
}

func newBed(t *testing.T) *bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	t.Cleanup(cancel)
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	b := &bed{t: t, ctx: ctx, url: srv.URL()}
	b.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: b.url})
	require.NoError(t, err)
	t.Cleanup(b.conn.Close)
	b.keys, err = wire.NewKeys()
	require.NoError(t, err)
	return b
}

// data is the host data of a provider with a link.
func (b *bed) data(links ...wire.LinkDefinition) io.Reader {
	b.t.Helper()
	d := wire.HostData{HostID: "NHOST", Lattice: "default", ProviderID: "kv", URL: b.url, Links: links,
		Secrets: map[string]wire.Secret{"token": wire.TextSecret("hunter2")}, LogLevel: "error"}
	b.keys.Fill(&d)
	line, err := d.Encode()
	require.NoError(b.t, err)
	return bytes.NewReader(line)
}

// run runs a provider until the function that it returns is called, which gives
// what Run has returned.
func (b *bed) run(p sdk.Provider, links ...wire.LinkDefinition) (end func() error) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	ended := make(chan error, 1)
	p.Log = zap.NewNop()
	go func() { ended <- sdk.Run(ctx, b.data(links...), p) }()
	remote := b.remote()
	require.Eventually(b.t, func() bool { _, err := remote.Health(b.ctx); return err == nil }, wait, 5*time.Millisecond)
	return func() error { cancel(); return <-ended }
}

func (b *bed) remote() *wire.Remote {
	return wire.NewRemote(b.conn, "default", "kv", b.keys.ProviderPublic())
}

func export() sdk.Contract {
	m := memory.NewMemory(memory.MemoryConfig{})
	return sdk.Export(keyvalue.StoreInterface, bind.ServeStore, keyvalue.Store(m))
}

func link(source string) wire.LinkDefinition {
	return wire.NewLinkDefinition(lattice.Link{SourceID: source, Target: "kv", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"}})
}

// TestSecrets: those of the provider and of its links.
func TestSecrets(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	d := link("c")
	var err error
	d.TargetSecrets, err = b.keys.Seal(map[string]wire.Secret{"pw": wire.TextSecret("s3cret")})
	require.NoError(t, err)
	d.SourceSecrets = wire.Sealed("for the other end")
	bad := link("bad")
	bad.TargetSecrets = wire.Sealed("sealed by nobody")
	got := make(chan sdk.Link, 8)
	var session *sdk.Session
	end := b.run(sdk.Provider{
		Init:    func(_ context.Context, s *sdk.Session) error { session = s; return nil },
		LinkPut: func(_ context.Context, l sdk.Link) error { got <- l; return nil },
	}, d, bad)
	token, ok := session.Secret("token")
	require.True(t, ok)
	require.Equal(t, "hunter2", string(token.Bytes()))
	l := <-got
	require.Equal(t, "c", l.SourceID)
	require.Equal(t, "s3cret", string(l.Secrets["pw"].Bytes()))
	require.Len(t, session.Links(), 1, "a link whose secrets cannot be read is left out")
	later := link("later")
	later.TargetSecrets = d.TargetSecrets
	require.NoError(t, b.remote().PutLink(later))
	require.Equal(t, "later", (<-got).SourceID)
	require.Equal(t, "kv", session.ID())
	require.Equal(t, "NHOST", session.HostID())
	require.Equal(t, "default", session.Lattice())
	require.NoError(t, end())
}

// TestEnds: by its host, with calls finished; Run leaves nothing behind.
func TestEnds(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	var downs atomic.Int32
	slow := sdk.Export(keyvalue.StoreInterface, bind.ServeStore, keyvalue.Store(slowStore{Store: memory.NewMemory(memory.MemoryConfig{}), entered: entered, leave: leave}))
	end := b.run(sdk.Provider{Contracts: []sdk.Contract{slow}, Shutdown: func(context.Context) error { downs.Add(1); return nil }})

	// Its contract is told, as a host's.
	client, err := ctl.NewClient(ctl.ClientConfig{Conn: b.conn, Lattice: "default"})
	require.NoError(t, err)
	contract, err := client.Contract(b.ctx, "kv")
	require.NoError(t, err)
	require.Equal(t, []string{keyvalue.StoreInterface.Name}, contract.Exports)

	calls, err := wrpc.NewClient(b.conn, wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, calls.Close()) })
	store := bind.NewStoreClient(calls.Bind("default.kv", nil))
	called := make(chan error, 1)
	go func() { called <- store.Set(b.ctx, "b", "k", nil) }()
	<-entered
	down := make(chan error, 1)
	go func() { down <- b.remote().Shutdown(b.ctx, "NHOST") }()
	require.Eventually(t, func() bool {
		_, err := store.Exists(b.ctx, "b", "k")
		return errors.Is(err, wrpc.ErrNotConnected)
	}, wait, 5*time.Millisecond, "it takes no more calls")
	require.Empty(t, down, "it answers when calls have ended: v1's host kills who answers")
	close(leave)
	require.NoError(t, <-called)
	require.NoError(t, <-down)
	require.NoError(t, end())
	require.EqualValues(t, 1, downs.Load())
}

// slowStore holds the first Set until it is let go.
type slowStore struct {
	keyvalue.Store
	entered, leave chan struct{}
}

func (s slowStore) Set(ctx context.Context, bucket, key string, value []byte) error {
	s.entered <- struct{}{}
	<-s.leave
	return s.Store.Set(ctx, bucket, key, value)
}

// TestHealth is the provider's own.
func TestHealth(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	var sick atomic.Bool
	end := b.run(sdk.Provider{Contracts: []sdk.Contract{export()}, Health: func(context.Context) error {
		if sick.Load() {
			return errors.New("no disk")
		}
		return nil
	}})
	h, err := b.remote().Health(b.ctx)
	require.NoError(t, err)
	require.Equal(t, wire.Health{Healthy: true}, h)
	sick.Store(true)
	h, err = b.remote().Health(b.ctx)
	require.NoError(t, err)
	require.Equal(t, wire.Health{Message: "no disk"}, h)
	require.NoError(t, end())
}

// callee tells its caller's meta.
type callee struct{ keyvalue.Store }

func (callee) Get(ctx context.Context, _, _ string) (wit.Option[[]byte], error) {
	m, _ := wrpc.MetaFromContext(ctx)
	return wit.Some([]byte(strings.Join([]string{m.SourceID, m.LinkName, m.TargetID, m.TraceParent}, " "))), nil
}

// TestCallsTargets: a provider that is a link's source calls its target, with the
// trace of what it serves.
func TestCallsTargets(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	server, err := wrpc.NewServer(b.conn, wrpc.ServerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: "default.app"})
	require.NoError(t, bind.ServeStore(reg, callee{}))
	_, err = reg.Serve(b.ctx, server)
	require.NoError(t, err)

	d := link("kv")
	d.Target, d.SourceConfig = "app", map[string]string{"a": "1"}
	var session *sdk.Session
	end := b.run(sdk.Provider{Init: func(_ context.Context, s *sdk.Session) error { session = s; return nil }}, d)
	links := session.Links()
	require.Len(t, links, 1)
	require.True(t, links[0].IsSource)
	require.Equal(t, d.SourceConfig, links[0].Config)
	target, err := session.Target(links[0])
	require.NoError(t, err)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := wrpc.ContextWithMeta(b.ctx, wrpc.Meta{SourceID: "someone", TraceParent: trace})
	replies := make(chan string, 1)
	_, err = b.conn.Subscribe("default.app.>", func(m *nats.Msg) { replies <- m.Reply })
	require.NoError(t, err)
	require.NoError(t, b.conn.FlushTimeout(wait))
	v, err := bind.NewStoreClient(target).Get(ctx, "", "")
	require.NoError(t, err)
	require.Equal(t, "kv default app "+trace, string(v.Value))
	require.Contains(t, <-replies, "_INBOX.default.kv.", "as a server that tells its users apart may ask")
	_, err = session.Target(sdk.Link{Link: link("c").Link()})
	require.ErrorContains(t, err, "does not start here")
	require.NoError(t, end())
}

func TestDoesNotRun(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	err := sdk.Run(b.ctx, strings.NewReader(""), sdk.Provider{})
	require.ErrorContains(t, err, "a provider is started by a host")
	err = sdk.Run(b.ctx, b.data(), sdk.Provider{Init: func(context.Context, *sdk.Session) error { return errors.New("no database") }, Log: zap.NewNop()})
	require.EqualError(t, err, "provider kv: init: no database")
	err = sdk.Run(b.ctx, b.data(), sdk.Provider{Contracts: []sdk.Contract{export(), export()}, Log: zap.NewNop()})
	require.ErrorIs(t, err, lattice.ErrConflict)

	silent, w := io.Pipe()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Millisecond)
	defer cancel()
	err = sdk.Run(ctx, silent, sdk.Provider{})
	require.ErrorIs(t, err, lattice.ErrTimeout)
	require.NoError(t, w.Close()) // which ends the wait for host data

	b.url = "nats://127.0.0.1:1"
	ctx, cancel = context.WithTimeout(b.ctx, 50*time.Millisecond)
	defer cancel()
	err = sdk.Run(ctx, b.data(), sdk.Provider{Log: zap.NewNop()})
	require.ErrorContains(t, err, "127.0.0.1:1")
}
