package keyvaluetest

import (
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// increment adds and checks the sum.
func (s *subject) increment(key string, delta, want uint64) {
	s.t.Helper()
	n, err := s.Atomics.Increment(s.ctx, bucket, key, delta)
	require.NoError(s.t, err)
	require.Equal(s.t, want, n)
}

func increments(_ *testing.T, s *subject) {
	s.needAtomics()
	s.increment("n", 1, 1)
	s.increment("n", 299, 300)
	s.increment("n", 0, 300)
	s.holds(bucket, "n", "300")
	s.increment("another", 7, 7)
	s.holds(bucket, "n", "300")
	s.increment("zero", 0, 0)
	s.holds(bucket, "zero", "0")
}

func incrementsDecimal(t *testing.T, s *subject) {
	s.needAtomics()
	s.set(bucket, "n", "41")
	s.increment("n", 1, 42)
	s.set(bucket, "n", "0")
	s.increment("n", 5, 5)
	require.NoError(t, s.Store.Delete(s.ctx, bucket, "n"))
	s.increment("n", 2, 2)
}

func incrementRefuses(t *testing.T, s *subject) {
	s.needAtomics()
	for _, value := range []string{"", "x", "1x", "-1", "1.5", "0x10", "1 ", "\x01\x00\x00\x00\x00\x00\x00\x00", decimalMax + "0", "18446744073709551616"} {
		s.set(bucket, "n", value)
		_, err := s.Atomics.Increment(s.ctx, bucket, "n", 1)
		require.Error(t, err, "%q", value)
		requireOther(t, err, "")
		s.holds(bucket, "n", value)
	}
}

func incrementOverflow(t *testing.T, s *subject) {
	s.needAtomics()
	s.increment("n", math.MaxUint64-1, math.MaxUint64-1)
	_, err := s.Atomics.Increment(s.ctx, bucket, "n", 2)
	requireOther(t, err, "")
	s.increment("n", 1, math.MaxUint64)
	s.holds(bucket, "n", decimalMax)
	s.increment("n", 0, math.MaxUint64)
	_, err = s.Atomics.Increment(s.ctx, bucket, "n", math.MaxUint64)
	requireOther(t, err, "")
	s.holds(bucket, "n", decimalMax)
}

// concurrentIncrements: each call sees its own sum, and none is lost.
func concurrentIncrements(t *testing.T, s *subject) {
	s.needAtomics()
	const callers, rounds = 16, 25
	sums := make([][]uint64, callers)
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for range rounds {
				n, err := s.Atomics.Increment(s.ctx, bucket, "n", uint64(c+1))
				if err != nil {
					errs[c] = err
					return
				}
				sums[c] = append(sums[c], n)
			}
		})
	}
	wg.Wait()
	seen := map[uint64]bool{}
	for c := range callers {
		require.NoError(t, errs[c])
		last := uint64(0)
		for _, n := range sums[c] {
			require.Greater(t, n, last, "a caller's sums rise")
			require.False(t, seen[n], "%d was answered twice", n)
			seen[n], last = true, n
		}
	}
	s.increment("n", 0, rounds*callers*(callers+1)/2)
}
