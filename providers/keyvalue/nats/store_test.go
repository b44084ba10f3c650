package nats_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/keyvaluetest"
	"github.com/lathhost/lath/providers/keyvalue/nats"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func startServer(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	return srv.URL()
}

var instance atomic.Int64

// on returns what opens a store of its own buckets on one server.
func on(url string, cfg nats.Config) func(testing.TB) keyvaluetest.Backend {
	return func(t testing.TB) keyvaluetest.Backend {
		cfg := cfg
		cfg.URL, cfg.Prefix, cfg.Memory = url, fmt.Sprintf("s%d_", instance.Add(1)), true
		s, err := nats.New(t.Context(), nil, cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return keyvaluetest.Backend{Store: s, Atomics: s, Batch: s}
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	url := startServer(t)
	t.Run("all", func(t *testing.T) {
		t.Run("behaviour", func(t *testing.T) {
			t.Parallel()
			keyvaluetest.Run(t, on(url, nats.Config{}))
		})
		t.Run("watch", func(t *testing.T) {
			t.Parallel()
			keyvaluetest.RunWatch(t, func(t testing.TB) keyvaluetest.Watched {
				return on(url, nats.Config{})(t).Store.(*nats.Store)
			})
		})
		t.Run("limits", func(t *testing.T) {
			t.Parallel()
			keyvaluetest.RunLimits(t, keyvaluetest.Limits{ValueBytes: 100, KeyBytes: 20, BatchKeys: 50, BatchBytes: 400},
				on(url, nats.Config{Limits: keyvalue.Limits{MaxValueBytes: 100, MaxKeyBytes: 20, MaxBatchKeys: 50, MaxBatchBytes: 400}}))
		})
		t.Run("a time to live", func(t *testing.T) {
			t.Parallel()
			keyvaluetest.RunTTL(t, time.Second, on(url, nats.Config{TTL: time.Second}))
		})
	})
}

// TestWatchEndsWhileMuchWaits: a watch that ends while its component is slow leaves
// nothing behind that waits to tell it the rest; [TestMain] would find it.
func TestWatchEndsWhileMuchWaits(t *testing.T) {
	t.Parallel()
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: startServer(t)})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	store, err := nats.New(t.Context(), nc, nats.Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ready, changed, ended := make(chan struct{}), make(chan string), make(chan error)
	go func() {
		ended <- store.Watch(ctx, "b", keyvalue.Watch{Ready: func() { close(ready) },
			Changed: func(c keyvalue.Change) {
				select {
				case changed <- c.Key:
					<-ctx.Done()
				case <-ctx.Done():
				}
			}})
	}()
	<-ready
	const many = 600 // twice of what waits in the client's watch
	for i := range many {
		require.NoError(t, store.Set(t.Context(), "b", fmt.Sprintf("k%d", i), nil))
	}
	require.Eventually(t, func() bool { return nc.Stats().InMsgs >= 2*many }, time.Minute, time.Millisecond, "each is answered, and watched")
	require.Equal(t, "k0", <-changed)
	cancel()
	require.NoError(t, <-ended)
}

// TestOthersReadWhatIsStored: names are as documented, in v1's own bucket too.
func TestOthersReadWhatIsStored(t *testing.T) {
	t.Parallel()
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: startServer(t)})
	require.NoError(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	ctx := t.Context()
	v1, err := js.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: "WASMCLOUD"})
	require.NoError(t, err)
	_, err = v1.PutString(ctx, "hello", "of v1")
	require.NoError(t, err)

	s, err := nats.New(ctx, nc, nats.Config{Bucket: "WASMCLOUD", NoCreate: true})
	require.NoError(t, err)
	got, err := s.Get(ctx, "default", "hello")
	require.NoError(t, err)
	require.Equal(t, "of v1", string(got.Value))
	n, err := s.Increment(ctx, "default", "home.visits", 7)
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	e, err := v1.Get(ctx, "home.visits")
	require.NoError(t, err)
	require.Equal(t, "7", string(e.Value()))
	require.NoError(t, s.Delete(ctx, "default", "hello"), "whose bucket keeps no times of deletion")
	_, err = v1.Get(ctx, "hello")
	require.ErrorIs(t, err, jetstream.ErrKeyNotFound)
	_, err = s.Get(ctx, "another", "k")
	var no contract.Error
	require.ErrorAs(t, err, &no)
	require.Equal(t, contract.ErrorNoSuchStore, no.Tag)
	require.ErrorAs(t, s.Set(ctx, "another", "k", nil), &no)
	require.Equal(t, contract.ErrorNoSuchStore, no.Tag)

	// A bucket that goes away is made again.
	s, err = nats.New(ctx, nc, nats.Config{})
	require.NoError(t, err)
	require.NoError(t, s.Set(ctx, "b", "k", []byte("1")))
	require.NoError(t, js.DeleteKeyValue(ctx, "lath_kv_b"))
	require.NoError(t, s.Set(ctx, "b", "k", []byte("2")))
	got, err = s.Get(ctx, "b", "k")
	require.NoError(t, err)
	require.Equal(t, "2", string(got.Value))
}

// TestIncrementsOfTwoProviders add up.
func TestIncrementsOfTwoProviders(t *testing.T) {
	t.Parallel()
	url := startServer(t)
	const each, callers = 20, 4
	var adding sync.WaitGroup
	var last *nats.Store
	for range 2 {
		s, err := nats.New(t.Context(), nil, nats.Config{URL: url})
		require.NoError(t, err)
		defer s.Close()
		last = s
		for range callers {
			adding.Go(func() {
				for range each {
					_, err := s.Increment(t.Context(), "b", "n", 1)
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	adding.Wait()
	n, err := last.Increment(t.Context(), "b", "n", 0)
	require.NoError(t, err)
	require.EqualValues(t, 2*each*callers, n)
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	cfg, err := nats.ParseConfig(provider.Settings{Config: map[string]string{"bucket": "B", "enable_bucket_auto_create": "false", "storage_type": "memory", "num_replicas": "3"}})
	require.NoError(t, err)
	require.True(t, cfg.NoCreate)
	require.True(t, cfg.Memory)
	for text, values := range map[string]map[string]string{
		"want letters":        {"bucket": "a b"},
		"want file or memory": {"storage_type": "tape"},
		"want 1 to 5":         {"num_replicas": "7"},
		"no setting":          {"tls_ca": "x"},
		"seed of its user":    {"client_jwt": "x"},
	} {
		_, err := nats.ParseConfig(provider.Settings{Config: values})
		require.ErrorContains(t, err, text)
	}
}

// FuzzKeys: every key and bucket is one name, and no two are the same.
func FuzzKeys(f *testing.F) {
	for _, k := range []string{"", "a", "=YQ", "=", "a.b", ".", "_kv", "b64-YQ", "a=b", "default", "\xff"} {
		f.Add(k, "=YQ")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		require.Equal(t, a, nats.KeyFrom(nats.KeyTo(a)))
		require.Equal(t, a == b, nats.KeyTo(a) == nats.KeyTo(b))
		require.Equal(t, a == b, nats.NameOf(a) == nats.NameOf(b))
		require.Regexp(t, `^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$`, nats.KeyTo(a))
		require.Regexp(t, `^[a-zA-Z0-9_-]+$`, nats.NameOf(a))
	})
}
