package keyvaluetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Limits are those of a backend; 0 where it has none. For [RunLimits] they are
// set small, but the bytes in all are at least four values of the largest size,
// and there are at least three buckets and four keys, of names of at least eight
// bytes.
type Limits struct {
	ValueBytes, KeyBytes, Bytes int
	Keys, Buckets               int
	BatchKeys, BatchBytes       int
}

// RunLimits tests that what is just within a limit is taken, that what is over
// it is refused as other with the word limit and changes nothing, and that room
// which is given back can be used again. open returns a new backend that has
// the limits.
func RunLimits(t *testing.T, limits Limits, open func(testing.TB) Backend) {
	t.Helper()
	for _, test := range []struct {
		name  string
		limit int
		run   func(*subject, int)
	}{
		{"bytes of a value", limits.ValueBytes, limitValue},
		{"bytes of a key", limits.KeyBytes, limitKey},
		{"bytes in all", limits.Bytes, func(s *subject, n int) { limitBytes(s, n, limits.ValueBytes) }},
		{"keys", limits.Keys, limitKeys},
		{"buckets", limits.Buckets, limitBuckets},
		{"keys of a batch", limits.BatchKeys, limitBatchKeys},
		{"bytes of a batch", limits.BatchBytes, limitBatchBytes},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.limit == 0 {
				t.Skip("the backend has no such limit")
			}
			test.run(newSubject(t, test.name, open), test.limit)
		})
	}
}

// refused checks that a call met a limit.
func (s *subject) refused(err error) {
	s.t.Helper()
	requireOther(s.t, err, "limit")
}

func (s *subject) trySet(bucket, key, value string) error {
	return s.Store.Set(s.ctx, bucket, key, []byte(value))
}

func limitValue(s *subject, n int) {
	most := strings.Repeat("1", n)
	s.set(bucket, "k", most)
	s.refused(s.trySet(bucket, "k", most+"1"))
	s.holds(bucket, "k", most)
	s.refused(s.trySet("new", "k", most+"1"))
	s.lacks("new", "k")
	if s.Batch == nil {
		return
	}
	s.refused(s.Batch.SetMany(s.ctx, bucket, pairs("a", "1", "b", most+"1", "c", "3")))
	s.holds(bucket, "a", "1") // it stops at the first that fails
	s.lacks(bucket, "b")
	s.lacks(bucket, "c")
}

func limitKey(s *subject, n int) {
	most := strings.Repeat("k", n)
	s.set(bucket, most, "v")
	s.holds(bucket, most, "v")
	long := most + "k"
	s.refused(s.trySet(bucket, long, "v"))
	_, err := s.Store.Get(s.ctx, bucket, long)
	s.refused(err)
	_, err = s.Store.Exists(s.ctx, bucket, long)
	s.refused(err)
	s.refused(s.Store.Delete(s.ctx, bucket, long))
	s.refused(s.trySet(long, "k", "v"))
	if s.Atomics != nil {
		_, err = s.Atomics.Increment(s.ctx, bucket, long, 1)
		s.refused(err)
	}
	keys, _ := s.list(bucket)
	require.Equal(s.t, []string{most}, keys)
}

func limitBytes(s *subject, n, value int) {
	most := strings.Repeat("v", value)
	held := 0
	for i := 0; ; i++ {
		err := s.trySet(bucket, fmt.Sprint(i), most)
		if err != nil {
			s.refused(err)
			s.lacks(bucket, fmt.Sprint(i))
			break
		}
		held += value
		require.LessOrEqual(s.t, held, n, "more than the limit is held")
	}
	require.Greater(s.t, held, n/2, "much less than the limit is held")
	// A value may shrink and give room to another, but not grow back.
	s.set(bucket, "0", "")
	s.set("new", "k", most)
	s.refused(s.trySet(bucket, "0", most))
	s.holds(bucket, "0", "")
	require.NoError(s.t, s.Store.Delete(s.ctx, "new", "k"))
	s.set(bucket, "0", most)
	s.set(bucket, "0", most) // over itself, which takes no room
}

func limitKeys(s *subject, n int) {
	for i := range n {
		s.set([]string{"a", "b"}[i%2], fmt.Sprint(i), "")
	}
	s.refused(s.trySet("a", "new", ""))
	for i := range 2 * n { // nor does trying take up buckets
		s.refused(s.trySet(fmt.Sprint("c", i), "new", ""))
	}
	if s.Atomics != nil {
		_, err := s.Atomics.Increment(s.ctx, "a", "new", 1)
		s.refused(err)
	}
	s.lacks("a", "new")
	s.set("a", "0", "changed")
	require.NoError(s.t, s.Store.Delete(s.ctx, "b", "1"))
	s.set("c", "new", "")
	s.refused(s.trySet("b", "1", ""))
}

func limitBuckets(s *subject, n int) {
	name := func(i int) string { return fmt.Sprint("b", i) }
	for i := range n {
		s.set(name(i), "k", "")
	}
	s.refused(s.trySet("new", "k", ""))
	s.lacks("new", "k")
	keys, _ := s.list("new")
	require.Empty(s.t, keys)
	s.set(name(0), "l", "")
	require.NoError(s.t, s.Store.Delete(s.ctx, name(1), "k"))
	s.set("new", "k", "")
	s.refused(s.trySet(name(1), "k", ""))
}

func limitBatchKeys(s *subject, n int) {
	s.needBatch()
	keys := make([]string, n+1)
	batch := make([]keyvalue.TupleStringBytes, n+1)
	for i := range keys {
		keys[i] = "k"
		batch[i] = keyvalue.TupleStringBytes{F0: "k", F1: []byte(fmt.Sprint(i))}
	}
	s.refused(s.Batch.SetMany(s.ctx, bucket, batch))
	s.lacks(bucket, "k")
	require.NoError(s.t, s.Batch.SetMany(s.ctx, bucket, batch[:n]))
	s.holds(bucket, "k", fmt.Sprint(n-1))
	_, err := s.Batch.GetMany(s.ctx, bucket, keys)
	s.refused(err)
	got, err := s.Batch.GetMany(s.ctx, bucket, keys[:n])
	require.NoError(s.t, err)
	require.Len(s.t, got, n)
	s.refused(s.Batch.DeleteMany(s.ctx, bucket, keys))
	s.holds(bucket, "k", fmt.Sprint(n-1))
}

// limitBatchBytes: one value asked for many times counts as often.
func limitBatchBytes(s *subject, n int) {
	s.needBatch()
	s.set(bucket, "k", "12345678")
	keys := make([]string, n/8+1)
	for i := range keys {
		keys[i] = "k"
	}
	_, err := s.Batch.GetMany(s.ctx, bucket, keys)
	s.refused(err)
	got, err := s.Batch.GetMany(s.ctx, bucket, keys[:len(keys)/4])
	require.NoError(s.t, err)
	require.Len(s.t, got, len(keys)/4)
}
