package keyvalue

import (
	"context"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Batch carries out batches key by key, over a store that has no better way. It
// looks at the call's context between keys, as the store does.
type Batch struct {
	Store  contract.Store
	Limits *Limits
}

var _ contract.Batch = Batch{}

// GetMany implements the contract. The limit on its bytes counts a key and its
// value each time that they are asked for.
func (b Batch) GetMany(ctx context.Context, bucket string, keys []string) ([]wit.Option[contract.TupleStringBytes], error) {
	if err := b.Limits.CheckBatch(len(keys)); err != nil {
		return nil, err
	}
	found := make([]wit.Option[contract.TupleStringBytes], len(keys))
	room := b.Limits.MaxBatchBytes
	for i, key := range keys {
		v, err := b.Store.Get(ctx, bucket, key)
		if err != nil {
			return nil, err
		}
		if !v.OK {
			continue
		}
		if room -= int64(len(key) + len(v.Value)); room < 0 {
			return nil, b.Limits.TooLarge()
		}
		found[i] = wit.Some(contract.TupleStringBytes{F0: key, F1: v.Value})
	}
	return found, nil
}

// SetMany implements the contract.
func (b Batch) SetMany(ctx context.Context, bucket string, keyValues []contract.TupleStringBytes) error {
	if err := b.Limits.CheckBatch(len(keyValues)); err != nil {
		return err
	}
	for _, kv := range keyValues {
		if err := b.Store.Set(ctx, bucket, kv.F0, kv.F1); err != nil {
			return err
		}
	}
	return nil
}

// DeleteMany implements the contract.
func (b Batch) DeleteMany(ctx context.Context, bucket string, keys []string) error {
	if err := b.Limits.CheckBatch(len(keys)); err != nil {
		return err
	}
	for _, key := range keys {
		if err := b.Store.Delete(ctx, bucket, key); err != nil {
			return err
		}
	}
	return nil
}

// TooLarge refuses a batch whose values are too many bytes to answer.
func (l *Limits) TooLarge() error {
	return Other("the values are over the limit of %d bytes for one batch", l.MaxBatchBytes)
}
