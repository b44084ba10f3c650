package keyvalue

import (
	"context"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// GetMany implements Batch. The limit on its bytes counts a key and its value
// each time that they are asked for.
func (m *Memory) GetMany(ctx context.Context, bucket string, keys []string) ([]wit.Option[contract.TupleStringBytes], error) {
	if err := m.limits.checkBatch(len(keys)); err != nil {
		return nil, err
	}
	found := make([]wit.Option[contract.TupleStringBytes], len(keys))
	room := m.limits.MaxBatchBytes
	for i, key := range keys {
		v, err := m.Get(ctx, bucket, key)
		if err != nil {
			return nil, err
		}
		if !v.OK {
			continue
		}
		if room -= int64(len(key) + len(v.Value)); room < 0 {
			return nil, other("the values are over the limit of %d bytes for one batch", m.limits.MaxBatchBytes)
		}
		found[i] = wit.Some(contract.TupleStringBytes{F0: key, F1: v.Value})
	}
	return found, nil
}

// SetMany implements Batch.
func (m *Memory) SetMany(ctx context.Context, bucket string, keyValues []contract.TupleStringBytes) error {
	if err := m.limits.checkBatch(len(keyValues)); err != nil {
		return err
	}
	for _, kv := range keyValues {
		if err := m.Set(ctx, bucket, kv.F0, kv.F1); err != nil {
			return err
		}
	}
	return nil
}

// DeleteMany implements Batch.
func (m *Memory) DeleteMany(ctx context.Context, bucket string, keys []string) error {
	if err := m.limits.checkBatch(len(keys)); err != nil {
		return err
	}
	for _, key := range keys {
		if err := m.Delete(ctx, bucket, key); err != nil {
			return err
		}
	}
	return nil
}
