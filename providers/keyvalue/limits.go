package keyvalue

import (
	"fmt"
	"sync/atomic"

	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Defaults of [MemoryConfig]. A page of keys and the answer to a batch fit into
// what one call may carry.
const (
	DefaultMaxBytes      = 256 << 20
	DefaultMaxValueBytes = 8 << 20
	DefaultMaxKeyBytes   = 1 << 10
	DefaultMaxKeys       = 1 << 20
	DefaultMaxBuckets    = 1 << 10
	DefaultMaxBatchKeys  = 1 << 14
	DefaultMaxBatchBytes = 16 << 20
	DefaultPageKeys      = 1000
)

// maxPageBytes ends a page of keys early, however long keys may be.
const maxPageBytes = 1 << 20

// MemoryConfig are the limits of a [Memory]. Fields that are zero or negative
// mean the defaults: nothing is without a limit.
type MemoryConfig struct {
	// MaxBytes bounds all keys and values together, counted by their lengths;
	// default [DefaultMaxBytes]. What the process holds is more by some 150 bytes
	// for each key.
	MaxBytes int64
	// MaxValueBytes bounds one value; default [DefaultMaxValueBytes].
	MaxValueBytes int64
	// MaxKeyBytes bounds one key, and the name of a bucket; default
	// [DefaultMaxKeyBytes].
	MaxKeyBytes int64
	// MaxKeys bounds the keys of all buckets together; default [DefaultMaxKeys].
	MaxKeys int64
	// MaxBuckets bounds the buckets that hold a key; default
	// [DefaultMaxBuckets].
	MaxBuckets int64
	// MaxBatchKeys bounds how many keys one call of batch names; default
	// [DefaultMaxBatchKeys].
	MaxBatchKeys int64
	// MaxBatchBytes bounds the keys and values that one get-many answers, in
	// which one value may stand many times; default [DefaultMaxBatchBytes].
	MaxBatchBytes int64
	// PageKeys is how many keys a page of list-keys has at most; default
	// [DefaultPageKeys]. A page of long keys has fewer.
	PageKeys int64
}

func (c *MemoryConfig) setDefaults() {
	for _, f := range [...]struct {
		field *int64
		def   int64
	}{
		{&c.MaxBytes, DefaultMaxBytes},
		{&c.MaxValueBytes, DefaultMaxValueBytes},
		{&c.MaxKeyBytes, DefaultMaxKeyBytes},
		{&c.MaxKeys, DefaultMaxKeys},
		{&c.MaxBuckets, DefaultMaxBuckets},
		{&c.MaxBatchKeys, DefaultMaxBatchKeys},
		{&c.MaxBatchBytes, DefaultMaxBatchBytes},
		{&c.PageKeys, DefaultPageKeys},
	} {
		if *f.field <= 0 {
			*f.field = f.def
		}
	}
}

// checkName refuses a bucket or key that is too long.
func (c *MemoryConfig) checkName(what, name string) error {
	if n := int64(len(name)); n > c.MaxKeyBytes {
		return other("%s of %d bytes is over the limit of %d", what, n, c.MaxKeyBytes)
	}
	return nil
}

func (c *MemoryConfig) checkNames(bucket, key string) error {
	if err := c.checkName("bucket name", bucket); err != nil {
		return err
	}
	return c.checkName("key", key)
}

func (c *MemoryConfig) checkValue(n int) error {
	if int64(n) > c.MaxValueBytes {
		return other("value of %d bytes is over the limit of %d", n, c.MaxValueBytes)
	}
	return nil
}

func (c *MemoryConfig) checkBatch(n int) error {
	if int64(n) > c.MaxBatchKeys {
		return other("batch of %d keys is over the limit of %d", n, c.MaxBatchKeys)
	}
	return nil
}

// other returns the contract's error for all that has no case of its own.
func other(format string, args ...any) error {
	return contract.Error{Tag: contract.ErrorOther, Other: fmt.Sprintf(format, args...)}
}

// claim is room that a change takes, or gives back where it is negative.
type claim struct{ buckets, keys, bytes int64 }

// ledger counts what is held against the limits. It is shared by all stripes,
// and never over a limit, not even for a moment: a claim that fails does not
// make another fail that there is room for.
type ledger struct{ buckets, keys, bytes atomic.Int64 }

// take books a claim, or says which limit it is over and books nothing.
func (l *ledger) take(c claim, limits *MemoryConfig) error {
	if !add(&l.buckets, c.buckets, limits.MaxBuckets) {
		return other("one more bucket is over the limit of %d", limits.MaxBuckets)
	}
	if !add(&l.keys, c.keys, limits.MaxKeys) {
		l.buckets.Add(-c.buckets)
		return other("one more key is over the limit of %d", limits.MaxKeys)
	}
	if !add(&l.bytes, c.bytes, limits.MaxBytes) {
		l.buckets.Add(-c.buckets)
		l.keys.Add(-c.keys)
		return other("%d more bytes are over the limit of %d in all", c.bytes, limits.MaxBytes)
	}
	return nil
}

// add adds n, unless it is more than 0 and the sum more than limit.
func add(counter *atomic.Int64, n, limit int64) bool {
	if n <= 0 {
		counter.Add(n)
		return true
	}
	for {
		old := counter.Load()
		if old > limit-n {
			return false
		}
		if counter.CompareAndSwap(old, old+n) {
			return true
		}
	}
}
