package random_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi/random"
)

func TestLengthsAreExactAndBounded(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(context.Context, uint64) ([]byte, error){
		"secure": random.Secure{}.GetRandomBytes, "insecure": random.Insecure{}.GetInsecureRandomBytes,
	} {
		for _, n := range []uint64{0, 1, 7, 8, 9, 1000} {
			a, err := read(t.Context(), n)
			require.NoError(t, err)
			require.Len(t, a, int(n), name)
			b, err := read(t.Context(), n)
			require.NoError(t, err)
			if n >= 7 {
				require.NotEqual(t, a, b, name)
				require.NotZero(t, a[n-1]|a[n-2]|a[n-3]|a[n-4]|a[n-5]|a[n-6]|a[n-7], "the tail is filled")
			}
		}
		for _, n := range []uint64{random.MaxBytes + 1, math.MaxInt64, math.MaxUint64} {
			_, err := read(t.Context(), n)
			require.ErrorIs(t, err, &trap.Error{Code: trap.Limit}, name)
		}
	}
}

func TestWordsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[uint64]bool{}
	for range 10 {
		a, err := random.Secure{}.GetRandomU64(t.Context())
		require.NoError(t, err)
		b, err := random.Insecure{}.GetInsecureRandomU64(t.Context())
		require.NoError(t, err)
		seed, err := random.Insecure{}.InsecureSeed(t.Context())
		require.NoError(t, err)
		seen[a], seen[b], seen[seed[0]], seen[seed[1]] = true, true, true, true
	}
	require.Len(t, seen, 40)
}
