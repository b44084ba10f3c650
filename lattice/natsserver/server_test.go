package natsserver_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
)

func TestMain(m *testing.M) { natsservertest.VerifyTestMain(m) }

func start(t *testing.T, cfg natsserver.Config) *natsserver.Server {
	t.Helper()
	srv, err := natsserver.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	return srv
}

func connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

func TestServesLargeMessagesAndJetStream(t *testing.T) {
	t.Parallel()
	srv := start(t, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	nc := connect(t, srv.URL())
	require.EqualValues(t, 8<<20, nc.MaxPayload())

	js, err := jetstream.New(nc)
	require.NoError(t, err)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b"})
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "k", []byte("v"))
	require.NoError(t, err)
}

func TestPortInUseIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port

	dir := t.TempDir()
	_, err = natsserver.Start(t.Context(), natsserver.Config{StoreDir: dir, Port: port})
	require.ErrorContains(t, err, fmt.Sprintf("127.0.0.1:%d", port))
	require.ErrorContains(t, err, "in use")

	// The failed start has left the store free.
	start(t, natsserver.Config{StoreDir: dir, Port: natsserver.RandomPort})
}

func TestStoreIsUsedByOneServerAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: dir, Port: natsserver.RandomPort})
	require.NoError(t, err)

	_, err = natsserver.Start(t.Context(), natsserver.Config{StoreDir: dir, Port: natsserver.RandomPort})
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "in use by another server")

	require.NoError(t, first.Shutdown(t.Context()))
	require.NoError(t, first.Shutdown(t.Context()), "a second shutdown is the same one")
	<-first.Done()
	start(t, natsserver.Config{StoreDir: dir, Port: natsserver.RandomPort})
}

func TestStoreThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: file, Port: natsserver.RandomPort})
	require.ErrorContains(t, err, file)

	_, err = natsserver.Start(t.Context(), natsserver.Config{Port: natsserver.RandomPort})
	require.ErrorContains(t, err, "no store directory")
}

func TestStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.ErrorIs(t, err, context.Canceled)
}

func TestStateOutlivesTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log lines
	first, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: dir, Port: natsserver.RandomPort, Log: &log})
	require.NoError(t, err)
	nc := connect(t, first.URL())
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b"})
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "k", []byte("v"))
	require.NoError(t, err)
	nc.Close()
	require.NoError(t, first.Shutdown(t.Context()))
	require.NotZero(t, log.count(), "the server's messages reach the log")

	second := start(t, natsserver.Config{StoreDir: dir, Port: natsserver.RandomPort})
	js, err = jetstream.New(connect(t, second.URL()))
	require.NoError(t, err)
	kv, err = js.KeyValue(t.Context(), "b")
	require.NoError(t, err)
	entry, err := kv.Get(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "v", string(entry.Value()))
}

func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	srv := start(t, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if err := srv.Shutdown(ctx); err != nil {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

type lines struct {
	mu sync.Mutex
	n  int
}

func (l *lines) Info(string)  { l.add() }
func (l *lines) Warn(string)  { l.add() }
func (l *lines) Error(string) { l.add() }

func (l *lines) add() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// A configuration file counts more than the fields, but for what the process
// needs to be its own.
func TestConfigFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(text string) string {
		file := filepath.Join(dir, "nats.conf")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	srv := start(t, natsserver.Config{StoreDir: filepath.Join(dir, "js"), Port: natsserver.RandomPort, ConfigFile: write(`
		server_name: one
		max_payload: 1MB
		log_file: "` + filepath.Join(dir, "nats.log") + `"
		authorization { users = [ {user: ann, password: secret} ] }
	`)})
	_, err := nats.Connect(srv.URL())
	require.ErrorIs(t, err, nats.ErrAuthorization)
	nc, err := nats.Connect(srv.URL(), nats.UserInfo("ann", "secret"))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	require.EqualValues(t, 1<<20, nc.MaxPayload())
	require.Equal(t, "one", nc.ConnectedServerName())
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.AccountInfo(t.Context())
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(dir, "nats.log"))

	_, err = natsserver.Start(t.Context(), natsserver.Config{StoreDir: filepath.Join(dir, "other"), ConfigFile: write("max_payload: nonsense")})
	require.ErrorContains(t, err, "configuration")
	_, err = natsserver.Start(t.Context(), natsserver.Config{StoreDir: filepath.Join(dir, "other"), ConfigFile: filepath.Join(dir, "nobody.conf")})
	require.ErrorIs(t, err, os.ErrNotExist)
}
