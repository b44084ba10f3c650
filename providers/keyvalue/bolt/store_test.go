package bolt_test

import (
	"fmt"
	"math/rand/v2"
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

// TestBrokenFiles: what bbolt says of pages that something else wrote to is an
// error of the call, whatever it is.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	s, err := bolt.Open(whole, bolt.Config{TTL: time.Hour})
	require.NoError(t, err)
	for i := range 300 {
		require.NoError(t, s.Set(t.Context(), fmt.Sprint("b", i%7), fmt.Sprint(i), make([]byte, i)))
	}
	require.NoError(t, s.Close())
	good, err := os.ReadFile(whole)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same every time
	for round := range 60 {
		bad := append([]byte{}, good...)
		for range 1 + round*4 {
			bad[random.IntN(len(bad))] = byte(random.Uint32())
		}
		path := filepath.Join(dir, fmt.Sprint(round))
		require.NoError(t, os.WriteFile(path, bad[:len(bad)-round%3*100], 0o600))
		s, err := bolt.Open(path, bolt.Config{})
		if err != nil {
			continue
		}
		for i := range 20 {
			_, _ = s.Get(t.Context(), fmt.Sprint("b", i%7), fmt.Sprint(i))
			_ = s.Set(t.Context(), fmt.Sprint("b", i%7), fmt.Sprint(i), []byte("v"))
			_, _ = s.ListKeys(t.Context(), fmt.Sprint("b", i%7), wit.None[uint64]())
		}
		_ = s.Close()
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
