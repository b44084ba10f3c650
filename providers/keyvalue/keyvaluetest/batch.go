package keyvaluetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// pairs makes a batch of key, value, key, value.
func pairs(kv ...string) []keyvalue.TupleStringBytes {
	batch := make([]keyvalue.TupleStringBytes, 0, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		batch = append(batch, keyvalue.TupleStringBytes{F0: kv[i], F1: []byte(kv[i+1])})
	}
	return batch
}

// found is a batch as get-many answers it; a key without a value is nil.
func found(kv ...[]string) []wit.Option[keyvalue.TupleStringBytes] {
	var list []wit.Option[keyvalue.TupleStringBytes]
	for _, pair := range kv {
		if pair == nil {
			list = append(list, wit.None[keyvalue.TupleStringBytes]())
			continue
		}
		list = append(list, wit.Some(pairs(pair...)[0]))
	}
	return list
}

func getMany(t *testing.T, s *subject) {
	s.needBatch()
	s.set(bucket, "a", "1")
	s.set(bucket, "b", "2")
	s.set(bucket, "empty", "")
	s.set("another", "c", "3")
	got, err := s.Batch.GetMany(s.ctx, bucket, []string{"b", "c", "a", "empty", "b"})
	require.NoError(t, err)
	require.Equal(t, found([]string{"b", "2"}, nil, []string{"a", "1"}, []string{"empty", ""}, []string{"b", "2"}), got)
}

func setDeleteMany(t *testing.T, s *subject) {
	s.needBatch()
	s.set(bucket, "a", "old")
	require.NoError(t, s.Batch.SetMany(s.ctx, bucket, pairs("a", "1", "b", "2", "", "3", "e", "")))
	s.holds(bucket, "a", "1")
	s.holds(bucket, "b", "2")
	s.holds(bucket, "", "3")
	s.holds(bucket, "e", "")
	require.NoError(t, s.Batch.DeleteMany(s.ctx, bucket, []string{"a", "nothing", "", "a"}))
	s.lacks(bucket, "a")
	s.lacks(bucket, "")
	s.holds(bucket, "b", "2")
}

func lastPairWins(t *testing.T, s *subject) {
	s.needBatch()
	require.NoError(t, s.Batch.SetMany(s.ctx, bucket, pairs("k", "1", "k", "2")))
	s.holds(bucket, "k", "2")
	keys, _ := s.list(bucket)
	require.Equal(t, []string{"k"}, keys)
}

func emptyBatches(t *testing.T, s *subject) {
	s.needBatch()
	got, err := s.Batch.GetMany(s.ctx, bucket, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	require.NoError(t, s.Batch.SetMany(s.ctx, bucket, nil))
	require.NoError(t, s.Batch.DeleteMany(s.ctx, bucket, nil))
}
