package nats_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/blobstore/blobstoretest"
	"github.com/lathhost/lath/providers/blobstore/nats"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test that is expected to succeed.
const patience = time.Minute

func start(t testing.TB, dir string, port int) *natsserver.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: dir, Port: port})
	require.NoError(t, err)
	return srv
}

func startServer(t testing.TB) string {
	t.Helper()
	srv := start(t, t.TempDir(), natsserver.RandomPort)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	return srv.URL()
}

func open(t testing.TB, cfg nats.Config) *nats.Store {
	t.Helper()
	s, err := nats.New(t.Context(), nil, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

var instance atomic.Int64

// on returns what opens a store of its own containers on one server.
func on(url string, cfg nats.Config) func(testing.TB) contract.Store {
	return func(t testing.TB) contract.Store {
		cfg := cfg
		cfg.URL, cfg.Prefix, cfg.Memory = url, fmt.Sprintf("s%d_", instance.Add(1)), true
		return open(t, cfg)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	url := startServer(t)
	t.Run("routes", func(t *testing.T) {
		blobstoretest.RunRoutes(t, blobstoretest.Limits{ObjectBytes: 100_000, NameBytes: 100, Bytes: blobstoretest.OfServer, Objects: blobstoretest.OfServer, Containers: 4},
			on(url, nats.Config{}), on(url, nats.Config{Limits: blobstore.Limits{MaxObjectBytes: 100_000, MaxNameBytes: 100}, MaxContainers: 4}))
	})
}

// TestSmallMessages: where messages are small, pieces are.
func TestSmallMessages(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort, MaxPayload: 8 << 10})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	blobstoretest.Run(t, on(srv.URL(), nats.Config{}))
}

// others is what another program has on the same server.
func others(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: url})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return js
}

func at(container, object string) contract.ObjectID {
	return contract.ObjectID{Container: container, Object: object}
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

func readRange(s contract.Store, ctx context.Context, id contract.ObjectID, start, end uint64) ([]byte, error) { //nolint:revive // the store is what it is about
	r, err := s.GetContainerData(ctx, id, start, end)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// messages are how many a container's stream has.
func messages(t testing.TB, js jetstream.JetStream, bucket string) int {
	t.Helper()
	stream, err := js.Stream(t.Context(), "OBJ_"+bucket)
	require.NoError(t, err)
	return int(stream.CachedInfo().State.Msgs)
}

// TestOthers: NATS' own client reads what is stored, and the other way round.
func TestOthers(t *testing.T) {
	t.Parallel()
	url := startServer(t)
	js, s, ctx := others(t, url), open(t, nats.Config{URL: url}), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "pics"))
	data := pattern(1 << 20)
	require.NoError(t, s.WriteContainerData(ctx, at("pics", "a/b c.jpg"), bytes.NewReader(data)))
	theirs, err := js.ObjectStore(ctx, "pics")
	require.NoError(t, err)
	got, err := theirs.GetBytes(ctx, "a/b c.jpg")
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))

	// Theirs have pieces of any size, and say nothing in them.
	for _, size := range []int{0, 1, 300_000, 1 << 20} {
		name := strconv.Itoa(size)
		_, err = theirs.Put(ctx, jetstream.ObjectMeta{Name: name}, &uneven{data: data[:size]})
		require.NoError(t, err)
		got, err = readRange(s, ctx, at("pics", name), 0, 1<<40)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data[:size], got))
		if size > 200 {
			got, err = readRange(s, ctx, at("pics", name), uint64(size-200), uint64(size-101))
			require.NoError(t, err)
			require.Equal(t, data[size-200:size-100], got)
		}
	}
	require.NoError(t, theirs.Delete(ctx, "1"))
	_, err = theirs.AddBucketLink(ctx, "link", theirs)
	require.NoError(t, err)
	_, err = readRange(s, ctx, at("pics", "link"), 0, 1)
	require.ErrorContains(t, err, "link")
	names, err := s.ListContainerObjects(ctx, "pics", wit.None[uint64](), wit.None[uint64]())
	require.NoError(t, err)
	list, err := names.Next(10)
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1048576", "300000", "a/b c.jpg"}, list)

	// A record that leads out of its object is none.
	_, err = js.Publish(ctx, "$O.pics.M.ZXZpbA==", []byte(`{"name":"evil","nuid":">","size":5}`))
	require.NoError(t, err)
	_, err = readRange(s, ctx, at("pics", "evil"), 0, 1)
	require.ErrorContains(t, err, "none of a NATS object store")
	require.ErrorContains(t, s.DeleteObject(ctx, at("pics", "evil")), "none of a NATS object store")
}

// uneven is data that comes in pieces of all sizes.
type uneven struct {
	data []byte
	n    int
}

// Read implements io.Reader.
func (u *uneven) Read(p []byte) (int, error) {
	if len(u.data) == 0 {
		return 0, io.EOF
	}
	u.n = u.n*7%50_021 + 1000
	n := copy(p[:min(len(p), u.n)], u.data)
	u.data = u.data[n:]
	return n, nil
}

// TestNothingIsLeft: of what was replaced, deleted or given up.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	url := startServer(t)
	js, s, ctx := others(t, url), open(t, nats.Config{URL: url}), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	for range 3 {
		require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), bytes.NewReader(pattern(600_000))))
	}
	require.Equal(t, 4, messages(t, js, "box"), "three pieces and a record")
	cause := errors.New("given up")
	require.ErrorIs(t, s.WriteContainerData(ctx, at("box", "o"), io.MultiReader(bytes.NewReader(pattern(3<<20)), broken{cause})), cause)
	call, cancel := context.WithCancel(ctx)
	require.ErrorIs(t, s.WriteContainerData(call, at("box", "new"), io.MultiReader(bytes.NewReader(pattern(3<<20)), ending{cancel})), context.Canceled)
	require.Equal(t, 4, messages(t, js, "box"))
	require.NoError(t, s.MoveObject(ctx, at("box", "o"), at("box", "p")))
	require.Equal(t, 4, messages(t, js, "box"))
	require.NoError(t, s.DeleteObject(ctx, at("box", "p")))
	require.Zero(t, messages(t, js, "box"))
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), bytes.NewReader(pattern(600_000))))
	require.NoError(t, s.ClearContainer(ctx, "box"))
	require.Zero(t, messages(t, js, "box"))
}

type broken struct{ err error }

// Read implements io.Reader.
func (b broken) Read([]byte) (int, error) { return 0, b.err }

type ending struct{ end context.CancelFunc }

// Read implements io.Reader.
func (e ending) Read(p []byte) (int, error) {
	e.end()
	return len(p), nil
}

// TestRangesAmongOthers: pieces of two objects lie among one another, and a range is
// found in few steps.
func TestRangesAmongOthers(t *testing.T) {
	t.Parallel()
	s, ctx := open(t, nats.Config{URL: startServer(t), Memory: true}), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	data := pattern(8 << 20)
	written := make(chan error)
	for _, name := range []string{"a", "b"} {
		go func() { written <- s.WriteContainerData(ctx, at("box", name), bytes.NewReader(data)) }()
	}
	require.NoError(t, errors.Join(<-written, <-written))
	for _, start := range []uint64{0, 1, 256<<10 - 1, 256 << 10, 5<<20 + 17, 8<<20 - 1} {
		for _, name := range []string{"a", "b"} {
			got, err := readRange(s, ctx, at("box", name), start, start+300<<10)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data[start:min(start+300<<10+1, 8<<20)], got))
		}
	}
}

// TestFull: a container that is full says so, and stays as it is.
func TestFull(t *testing.T) {
	t.Parallel()
	s, ctx := open(t, nats.Config{URL: startServer(t), MaxBytes: 1 << 20}), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	data := pattern(500_000)
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), bytes.NewReader(data)))
	var e contract.Error
	err := s.WriteContainerData(ctx, at("box", "o"), bytes.NewReader(pattern(900_000)))
	require.ErrorAs(t, err, &e)
	require.ErrorContains(t, err, "limit")
	got, err := readRange(s, ctx, at("box", "o"), 0, 1<<40)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), bytes.NewReader(data)), "what did not fit has gone")
}

// TestDamaged: bytes that are not those that were written are not given out as if they
// were.
func TestDamaged(t *testing.T) {
	t.Parallel()
	url := startServer(t)
	js, s, ctx := others(t, url), open(t, nats.Config{URL: url}), t.Context()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), strings.NewReader("hello")))
	stream, err := js.Stream(ctx, "OBJ_box")
	require.NoError(t, err)
	m, err := stream.GetMsg(ctx, 1)
	require.NoError(t, err)
	_, err = js.Publish(ctx, m.Subject, []byte("hellO"))
	require.NoError(t, err)
	require.NoError(t, stream.DeleteMsg(ctx, 1))
	_, err = readRange(s, ctx, at("box", "o"), 0, 1<<40)
	require.ErrorContains(t, err, "digest")
	require.NoError(t, stream.Purge(ctx, jetstream.WithPurgeSubject(m.Subject)))
	_, err = readRange(s, ctx, at("box", "o"), 0, 1<<40)
	require.ErrorContains(t, err, "deleted or written anew")
}

// TestServerThatComesBack: calls fail while it is away, and work again after, without
// anything being started anew.
func TestServerThatComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	srv := start(t, dir, natsserver.RandomPort)
	at1, err := url.Parse(srv.URL())
	require.NoError(t, err)
	port, err := strconv.Atoi(at1.Port())
	require.NoError(t, err)
	s := open(t, nats.Config{URL: srv.URL()})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, s.CreateContainer(ctx, "box"))
	data := pattern(2 << 20)
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), bytes.NewReader(data)))
	r, err := s.GetContainerData(ctx, at("box", "o"), 0, 1<<40)
	require.NoError(t, err)
	require.NoError(t, srv.Shutdown(ctx))
	_, err = io.ReadAll(r)
	require.Error(t, err)
	require.NoError(t, r.Close())
	require.Error(t, s.WriteContainerData(ctx, at("box", "o"), strings.NewReader("lost")))
	_, err = s.ContainerExists(ctx, "box")
	require.Error(t, err)
	srv = start(t, dir, port)
	defer func() { require.NoError(t, srv.Shutdown(context.Background())) }()
	require.Eventually(t, func() bool {
		got, err := readRange(s, ctx, at("box", "o"), 0, 1<<40)
		return err == nil && bytes.Equal(data, got)
	}, patience, 10*time.Millisecond)
	require.NoError(t, s.WriteContainerData(ctx, at("box", "o"), strings.NewReader("again")))
}

// TestCredentials: who has the wrong ones learns of it when the provider starts, and
// they are in no error.
func TestCredentials(t *testing.T) {
	t.Parallel()
	seed := func() (private, public string) {
		pair, err := nkeys.CreateUser()
		require.NoError(t, err)
		raw, err := pair.Seed()
		require.NoError(t, err)
		public, err = pair.PublicKey()
		require.NoError(t, err)
		return string(raw), public
	}
	right, user := seed()
	wrong, _ := seed()
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true,
		StoreDir: t.TempDir(), Nkeys: []*server.NkeyUser{{Nkey: user}}})
	require.NoError(t, err)
	srv.Start()
	defer func() { srv.Shutdown(); srv.WaitForShutdown() }()
	require.True(t, srv.ReadyForConnections(patience))
	ask := func(seed string) error {
		cfg, err := nats.ParseConfig(provider.Settings{Config: map[string]string{"cluster_uri": srv.ClientURL(), "client_seed": seed}})
		require.NoError(t, err)
		s, err := nats.New(t.Context(), nil, cfg)
		if err != nil {
			return err
		}
		return errors.Join(s.CreateContainer(t.Context(), "box"), s.Close())
	}
	require.NoError(t, ask(right))
	err = ask(wrong)
	require.ErrorContains(t, err, "uthoriz")
	require.NotContains(t, err.Error(), wrong)
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	cfg, err := nats.ParseConfig(provider.Settings{Config: map[string]string{"max_age": "60", "storage_type": "Memory", "num_replicas": "3", "compression": "true",
		"max_write_wait": "7", "js_domain": "d", "cluster_uri": "nats://x", "max_object_bytes": "5"}})
	require.NoError(t, err)
	require.Equal(t, nats.Config{Limits: blobstore.Limits{MaxObjectBytes: 5}, URL: "nats://x", JSDomain: "d", MaxAge: time.Minute, Replicas: 3,
		Memory: true, Compression: true, MaxWriteWait: 7 * time.Second}, cfg)
	for text, values := range map[string]map[string]string{
		"want letters":        {"prefix": "a b"},
		"want file or memory": {"storage_type": "tape"},
		"from 1 to 5":         {"num_replicas": "7"},
		"no setting":          {"tls": "x"},
		"no certificate":      {"tls_ca": "x"},
		"seed of its user":    {"client_jwt": "x"},
		"NATS takes 2048":     {"max_name_bytes": "4096"},
	} {
		_, err := nats.ParseConfig(provider.Settings{Config: values})
		require.ErrorContains(t, err, text)
	}
}

func TestAuthorities(t *testing.T) {
	t.Parallel()
	read := func(name string) ([]byte, error) {
		if name != "ca" {
			return nil, errors.New("no file of that name is granted")
		}
		return []byte("no PEM"), nil
	}
	none, file, other := nats.Config{}, nats.Config{CAFile: "ca"}, nats.Config{CAFile: "/etc/passwd"}
	require.NoError(t, none.Authorities(nil))
	require.ErrorContains(t, file.Authorities(read), "no certificate")
	require.ErrorContains(t, other.Authorities(read), "tls_ca_file: no file of that name")
}

// FuzzRecord: whatever another program stores is an object, one that is deleted, or an
// error.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"name":"o","bucket":"b","nuid":"abc","size":5,"mtime":"0001-01-01T00:00:00Z","chunks":1,"digest":"SHA-256=x"}`))
	f.Add([]byte(`{"nuid":">","size":5}`))
	f.Add([]byte(`{"deleted":true}`))
	f.Add([]byte(`{"nuid":"a","options":{"link":{"bucket":"x"}}}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		nuid, size, deleted, err := nats.ParseRecord(record)
		if err == nil && !deleted {
			require.NotContains(t, nuid, ".")
			require.NotContains(t, nuid, ">")
			require.NotContains(t, nuid, "*")
			require.GreaterOrEqual(t, int64(size), int64(0))
		}
	})
}

// FuzzNames: every object and container is one name, and no two are the same.
func FuzzNames(f *testing.F) {
	for _, k := range []string{"", "a", "\x00", "\x00a", "a.b", ".", "sha256-x", "\xff", strings.Repeat("k", 201)} {
		f.Add(k, "")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		require.Equal(t, a, nats.NameFrom(nats.NameTo(a)))
		require.Equal(t, a == b, nats.NameTo(a) == nats.NameTo(b))
		require.NotEmpty(t, nats.NameTo(a))
		require.Equal(t, a == b, nats.BucketOf(a) == nats.BucketOf(b))
		require.Regexp(t, `^[a-zA-Z0-9_-]{1,250}$`, nats.BucketOf(a))
	})
}
