package keyvaluetest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// RunTTL tests that values end. open returns a new backend in which they live
// for ttl, which is as short as the backend can have it.
func RunTTL(t *testing.T, ttl time.Duration, open func(testing.TB) Backend) {
	t.Helper()
	for name, test := range map[string]func(*subject, time.Duration){
		"a value ends":                    ends,
		"a value that is set again lives": setAgain,
		"a counter ends":                  counterEnds,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newSubject(t, name, open), ttl)
		})
	}
}

func ends(s *subject, _ time.Duration) {
	s.set(bucket, "k", "v")
	s.set("another", "k", "v")
	for _, b := range []string{bucket, "another"} {
		s.eventuallyLacks(b, "k")
		listed, _ := s.list(b)
		require.Empty(s.t, listed)
	}
	require.Eventually(s.t, func() bool { // it may be slow, and end once more
		s.set(bucket, "k", "new")
		return string(s.get(bucket, "k").Value) == "new"
	}, patience, time.Millisecond)
}

// eventuallyLacks waits until a value is over.
func (s *subject) eventuallyLacks(bucket, key string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return !s.get(bucket, key).OK }, patience, 20*time.Millisecond, "%q lives on", key)
	s.lacks(bucket, key)
}

// setAgain sets a value for longer than one lives. Where the machine was so
// slow that it may have ended, nothing is said of it.
func setAgain(s *subject, ttl time.Duration) {
	begin := time.Now()
	for i := 0; time.Since(begin) < 2*ttl; i++ {
		before := time.Now()
		s.set(bucket, "k", strconv.Itoa(i))
		time.Sleep(ttl / 4)
		v := s.get(bucket, "k")
		if time.Since(before) < ttl/2 {
			require.True(s.t, v.OK, "it ended before its time")
			require.Equal(s.t, strconv.Itoa(i), string(v.Value))
		}
	}
	s.eventuallyLacks(bucket, "k")
}

func counterEnds(s *subject, _ time.Duration) {
	s.needAtomics()
	_, err := s.Atomics.Increment(s.ctx, bucket, "n", 7)
	require.NoError(s.t, err)
	s.eventuallyLacks(bucket, "n")
	s.increment("n", 1, 1)
}
