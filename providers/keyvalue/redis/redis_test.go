package redis_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/keyvaluetest"
	"github.com/lathhost/lath/providers/keyvalue/redis"
)

var theServer server

func TestMain(m *testing.M) {
	code := m.Run()
	theServer.stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// server is a redis-server that all tests share, each by a prefix of its own.
type server struct {
	once sync.Once
	addr string
	dir  string
	cmd  *exec.Cmd
	err  error
}

// url returns the server's address; without redis-server the test is skipped.
func (s *server) url(t testing.TB) string {
	t.Helper()
	s.once.Do(func() { s.addr, s.cmd, s.err = start(0, &s.dir) })
	if s.err != nil {
		t.Skipf("SKIPPED: no Redis server: %v; install redis-server", s.err)
	}
	return "redis://" + s.addr + "/"
}

// start runs a server on a port; 0: any free one.
func start(port int, dir *string) (addr string, cmd *exec.Cmd, err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "redis"); err != nil {
			return "", nil, err
		}
	}
	if port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", nil, err
		}
		port = l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of a TCP listener
		if err := l.Close(); err != nil {
			return "", nil, err
		}
	}
	cmd = exec.Command(path, "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", *dir,
		"--logfile", filepath.Join(*dir, "log"))
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return addr, cmd, conn.Close()
		}
		if time.Since(begin) > 30*time.Second {
			_ = cmd.Process.Kill()
			return "", nil, err
		}
	}
}

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func backend(cfg redis.Config) func(testing.TB) keyvaluetest.Backend {
	return func(t testing.TB) keyvaluetest.Backend {
		cfg := cfg
		cfg.URL, cfg.Prefix = theServer.url(t), t.Name()+t.TempDir()+":*[?]\\"
		cfg.ResponseTimeout = time.Minute // the machine may be slow
		s, err := redis.New(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return keyvaluetest.Backend{Store: s, Atomics: s, Batch: s}
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	t.Run("behaviour", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.Run(t, backend(redis.Config{}))
	})
	t.Run("limits", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunLimits(t, keyvaluetest.Limits{ValueBytes: 100, KeyBytes: 20, BatchKeys: 50, BatchBytes: 400},
			backend(redis.Config{Limits: keyvalue.Limits{MaxValueBytes: 100, MaxKeyBytes: 20, MaxBatchKeys: 50, MaxBatchBytes: 400}}))
	})
	t.Run("a time to live", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunTTL(t, time.Second, backend(redis.Config{TTL: time.Second}))
	})
}

// TestOthersReadWhatIsStored: names and values are as documented, v1's too.
func TestOthersReadWhatIsStored(t *testing.T) {
	t.Parallel()
	url := theServer.url(t)
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
	theServer.url(t)
	dir := t.TempDir()
	addr, cmd, err := start(0, &dir)
	require.NoError(t, err)
	s, err := redis.New(redis.Config{URL: "redis://" + addr, Retries: 1, RetryDelay: time.Millisecond, ResponseTimeout: time.Minute})
	require.NoError(t, err)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, s.Set(ctx, "b", "k", []byte("v")))
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.Error(t, s.Set(ctx, "b", "k", []byte("v")))
	_, err = s.Increment(ctx, "b", "n", 1)
	require.Error(t, err)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	var number int
	_, err = fmt.Sscan(port, &number)
	require.NoError(t, err)
	_, cmd, err = start(number, &dir)
	require.NoError(t, err)
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	require.Eventually(t, func() bool { return s.Set(ctx, "b", "k", []byte("again")) == nil }, time.Minute, 10*time.Millisecond)
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
}
