package bolt_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/bolt"
	"github.com/lathhost/lath/providers/keyvalue/keyvaluetest"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func backend(cfg bolt.Config) func(testing.TB) keyvaluetest.Backend {
	return func(t testing.TB) keyvaluetest.Backend {
		s := open(t, filepath.Join(t.TempDir(), "values"), cfg)
		return keyvaluetest.Backend{Store: s, Atomics: s, Batch: s}
	}
}

func open(t testing.TB, path string, cfg bolt.Config) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	small := bolt.Config{Limits: keyvalue.Limits{MaxValueBytes: 100, MaxKeyBytes: 20, MaxBatchKeys: 50, MaxBatchBytes: 400, PageKeys: 3},
		MaxBytes: 1000, MaxKeys: 10, MaxBuckets: 4}
	limits := keyvaluetest.Limits{ValueBytes: 100, KeyBytes: 20, Bytes: 1000, Keys: 10, Buckets: 4, BatchKeys: 50, BatchBytes: 400}
	t.Run("behaviour", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.Run(t, backend(bolt.Config{}))
	})
	t.Run("watch", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunWatch(t, func(t testing.TB) keyvaluetest.Watched {
			return open(t, filepath.Join(t.TempDir(), "values"), bolt.Config{})
		})
	})
	t.Run("limits", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunLimits(t, limits, backend(small))
	})
	t.Run("a time to live", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunTTL(t, time.Second, backend(bolt.Config{TTL: time.Second}))
		ending := small
		ending.TTL = time.Hour
		keyvaluetest.RunLimits(t, limits, backend(ending))
	})
}

func TestWhatIsStoredOutlivesTheStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "values")
	s, err := bolt.Open(path, bolt.Config{})
	require.NoError(t, err)
	ctx := t.Context()
	for i := range 10 {
		require.NoError(t, s.Set(ctx, "b", fmt.Sprint(i), []byte("v")))
	}
	n, err := s.Increment(ctx, "b", "n", 5)
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
	_, err = bolt.Open(path, bolt.Config{})
	require.ErrorContains(t, err, "in use")
	require.NoError(t, s.Close())
	require.Error(t, s.Set(ctx, "b", "k", nil), "after Close")

	s = open(t, path, bolt.Config{})
	n, err = s.Increment(ctx, "b", "n", 1)
	require.NoError(t, err)
	require.EqualValues(t, 6, n)
	require.NoError(t, s.Set(ctx, "b", "new", nil))
	page, err := s.ListKeys(ctx, "b", wit.None[uint64]())
	require.NoError(t, err)
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "n", "new"}, page.Keys)
}

// TestValuesThatEndMakeRoom, however many there are, before new ones are refused.
func TestValuesThatEndMakeRoom(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "values"), bolt.Config{MaxKeys: 500, TTL: time.Second})
	for round := range 2 {
		pairs := make([]contract.TupleStringBytes, 500)
		for i := range pairs {
			pairs[i].F0 = fmt.Sprint(round, i)
		}
		require.NoError(t, s.SetMany(t.Context(), "b", pairs))
		require.Eventually(t, func() bool {
			page, err := s.ListKeys(t.Context(), "b", wit.None[uint64]())
			return err == nil && len(page.Keys) == 0
		}, time.Minute, 20*time.Millisecond)
	}
}

// TestFilesOfOthers are told from ours, and left as they are.
func TestFilesOfOthers(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"text":   bytes.Repeat([]byte("this is no store of values\n"), 1000),
		"short":  []byte("x"),
		"zeroes": make([]byte, 64<<10),
	} {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		_, err := bolt.Open(path, bolt.Config{})
		require.ErrorContains(t, err, "key-value file "+path)
		left, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, data, left)
	}
}

func BenchmarkSet(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "values"), bolt.Config{})
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if err := s.Set(b.Context(), "b", fmt.Sprint(i%1000), make([]byte, 100)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
