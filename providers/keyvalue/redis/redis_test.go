package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/keyvaluetest"
	"github.com/lathhost/lath/providers/keyvalue/redis"
	"github.com/lathhost/lath/providers/keyvalue/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend makes stores on one server, each by a prefix of its own.
func backend(server *redistest.Server, cfg redis.Config) func(testing.TB) keyvaluetest.Backend {
	return func(t testing.TB) keyvaluetest.Backend {
		cfg := cfg
		cfg.URL, cfg.Prefix = server.URL(), t.Name()+t.TempDir()+":*[?]\\"
		cfg.ResponseTimeout = time.Minute // the machine may be slow
		s, err := redis.New(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return keyvaluetest.Backend{Store: s, Atomics: s, Batch: s}
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	t.Run("behaviour", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.Run(t, backend(server, redis.Config{}))
	})
	t.Run("watch", func(t *testing.T) {
		t.Parallel()
		telling := redistest.Start(t, "--notify-keyspace-events", "K$gx")
		keyvaluetest.RunWatch(t, func(t testing.TB) keyvaluetest.Watched {
			return backend(telling, redis.Config{})(t).Store.(*redis.Store)
		})
	})
	t.Run("limits", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunLimits(t, keyvaluetest.Limits{ValueBytes: 100, KeyBytes: 20, BatchKeys: 50, BatchBytes: 400},
			backend(server, redis.Config{Limits: keyvalue.Limits{MaxValueBytes: 100, MaxKeyBytes: 20, MaxBatchKeys: 50, MaxBatchBytes: 400}}))
	})
	t.Run("a time to live", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunTTL(t, time.Second, backend(server, redis.Config{TTL: time.Second}))
	})
}

// TestOthersReadWhatIsStored: names and values are as documented, v1's too.
func TestOthersReadWhatIsStored(t *testing.T) {
	t.Parallel()
	url := redistest.Start(t).URL()
	opts, err := goredis.ParseURL(url)
	require.NoError(t, err)
	client := goredis.NewClient(opts)
	defer client.Close()
	ctx := t.Context()
	s, err := redis.New(redis.Config{URL: url, Prefix: t.Name()})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Set(ctx, "a:b%", "k:1", []byte("v")))
	require.Equal(t, "v", client.Get(ctx, t.Name()+"a%3Ab%25:k:1").Val())
	n, err := s.Increment(ctx, "visits", "home", 41)
	require.NoError(t, err)
	require.EqualValues(t, 41, n)
	require.EqualValues(t, 42, client.Incr(ctx, t.Name()+"visits:home").Val())

	v1, err := redis.New(redis.Config{URL: url, Prefix: t.Name() + "v1", IgnoreBuckets: true})
	require.NoError(t, err)
	defer v1.Close()
	require.NoError(t, client.Set(ctx, t.Name()+"v1hello", "of v1", 0).Err())
	got, err := v1.Get(ctx, "any", "hello")
	require.NoError(t, err)
	require.Equal(t, "of v1", string(got.Value))

	// What another program made too large to hold, or of another type, is refused.
	require.NoError(t, client.SetRange(ctx, t.Name()+"big:k", 20<<20, "x").Err())
	_, err = s.Get(ctx, "big", "k")
	require.ErrorContains(t, err, "limit")
	require.NoError(t, client.LPush(ctx, t.Name()+"list:k", "x").Err())
	_, err = s.Get(ctx, "list", "k")
	require.ErrorContains(t, err, "WRONGTYPE")
}

// TestServerThatComesBack: calls fail while it is away, and work again after,
// without anything being started anew.
func TestServerThatComesBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, err := redis.New(redis.Config{URL: server.URL(), Retries: 1, RetryDelay: time.Millisecond, ResponseTimeout: time.Minute})
	require.NoError(t, err)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, s.Set(ctx, "b", "k", []byte("v")))
	server.Stop()
	require.Error(t, s.Set(ctx, "b", "k", []byte("v")))
	_, err = s.Increment(ctx, "b", "n", 1)
	require.Error(t, err)
	server.Restart()
	require.Eventually(t, func() bool { return s.Set(ctx, "b", "k", []byte("again")) == nil }, time.Minute, 10*time.Millisecond)
}

// A wrong password is an error of each call, which says so and does not show it.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--requirepass", "hush-right")
	for password, want := range map[string]string{"hush-right": "", "hush-wrong": "WRONGPASS", "": "NOAUTH"} {
		s, err := redis.New(redis.Config{URL: server.URL(), Password: provider.TextSecret(password), ResponseTimeout: time.Minute})
		require.NoError(t, err)
		err = s.Set(t.Context(), "b", "k", []byte("v"))
		if want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "hush")
		}
		require.NoError(t, s.Close())
	}
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	_, err := redis.ParseConfig(provider.Settings{Config: map[string]string{"max_keys_": ""}})
	require.ErrorContains(t, err, `no setting "max_keys_"`)
	cfg, err := redis.ParseConfig(provider.Settings{Config: map[string]string{"URL": "rediss://u:p@example.org:7/3", "ttl": "90s", "BACKEND_RESPONSE_TIMEOUT_MS": "250"}})
	require.NoError(t, err)
	require.Equal(t, 90*time.Second, cfg.TTL)
	require.Equal(t, 250*time.Millisecond, cfg.ResponseTimeout)
	for text, values := range map[string]map[string]string{
		"want a time of a second": {"ttl": "10ms"},
		"want redis://":           {"url": "http://secret@x"},
		"want true or false":      {"ignore_buckets": "perhaps"},
	} {
		_, err := redis.ParseConfig(provider.Settings{Config: values})
		require.ErrorContains(t, err, text)
	}
	_, err = redis.ParseConfig(provider.Settings{Config: map[string]string{"url": "http://u:hush@x"}})
	require.NotContains(t, err.Error(), "hush")
	for name, value := range map[string]string{"URL": "http://u:hush@x", "ttl": "hush"} {
		_, err = redis.ParseConfig(provider.Settings{Secrets: map[string]provider.Secret{name: provider.TextSecret(value)}})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hush")
	}
	cfg, err = redis.ParseConfig(provider.Settings{Secrets: map[string]provider.Secret{"Password": provider.TextSecret("hush")}})
	require.NoError(t, err)
	require.Equal(t, "hush", string(cfg.Password.Bytes()))
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg), "hush")
}
