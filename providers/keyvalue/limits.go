package keyvalue

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lathhost/lath/providers/internal/settings"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Defaults of [Limits] and [MemoryConfig]. A page of keys and the answer to a batch fit into
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

// Limits are those that every backend has: of one call. Fields that are zero or
// negative mean the defaults: nothing is without a limit.
type Limits struct {
	// MaxValueBytes bounds one value; default [DefaultMaxValueBytes].
	MaxValueBytes int64
	// MaxKeyBytes bounds one key, and the name of a bucket; default
	// [DefaultMaxKeyBytes].
	MaxKeyBytes int64
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

// SetDefaults replaces what is zero or negative.
func (l *Limits) SetDefaults() {
	l.MaxValueBytes = settings.OrDefault(l.MaxValueBytes, DefaultMaxValueBytes)
	l.MaxKeyBytes = settings.OrDefault(l.MaxKeyBytes, DefaultMaxKeyBytes)
	l.MaxBatchKeys = settings.OrDefault(l.MaxBatchKeys, DefaultMaxBatchKeys)
	l.MaxBatchBytes = settings.OrDefault(l.MaxBatchBytes, DefaultMaxBatchBytes)
	l.PageKeys = settings.OrDefault(l.PageKeys, DefaultPageKeys)
}

// Settings are the limits by the names that a provider's configuration has for
// them; a backend adds its own.
func (l *Limits) Settings() settings.Set {
	return settings.Set{
		"max_value_bytes": settings.Positive(&l.MaxValueBytes),
		"max_key_bytes":   settings.Positive(&l.MaxKeyBytes),
		"max_batch_keys":  settings.Positive(&l.MaxBatchKeys),
		"max_batch_bytes": settings.Positive(&l.MaxBatchBytes),
		"page_keys":       settings.Positive(&l.PageKeys),
	}
}

// CheckNames refuses a bucket or a key that is too long.
func (l *Limits) CheckNames(bucket, key string) error {
	if err := l.checkName("bucket name", bucket); err != nil {
		return err
	}
	return l.checkName("key", key)
}

func (l *Limits) checkName(what, name string) error {
	if n := int64(len(name)); n > l.MaxKeyBytes {
		return Other("%s of %d bytes is over the limit of %d", what, n, l.MaxKeyBytes)
	}
	return nil
}

// CheckValue refuses a value of so many bytes if that is too long.
func (l *Limits) CheckValue(n int) error {
	if int64(n) > l.MaxValueBytes {
		return Other("value of %d bytes is over the limit of %d", n, l.MaxValueBytes)
	}
	return nil
}

// CheckBatch refuses a batch of so many keys if those are too many.
func (l *Limits) CheckBatch(n int) error {
	if int64(n) > l.MaxBatchKeys {
		return Other("batch of %d keys is over the limit of %d", n, l.MaxBatchKeys)
	}
	return nil
}

// Other returns the contract's error for all that has no case of its own.
func Other(format string, args ...any) error {
	return contract.Error{Tag: contract.ErrorOther, Other: fmt.Sprintf(format, args...)}
}

// MemoryConfig are the limits of a [Memory]. Fields that are zero or negative
// mean the defaults, of TTL that values live on.
type MemoryConfig struct {
	Limits
	// MaxBytes bounds all keys and values together, counted by their lengths;
	// default [DefaultMaxBytes]. What the process holds is more by some 150 bytes
	// for each key.
	MaxBytes int64
	// MaxKeys bounds the keys of all buckets together; default [DefaultMaxKeys].
	MaxKeys int64
	// MaxBuckets bounds the buckets that hold a key; default
	// [DefaultMaxBuckets].
	MaxBuckets int64
	// TTL is how long a value lives after it was last set or incremented; default:
	// until it is deleted.
	TTL time.Duration
}

func (c *MemoryConfig) setDefaults() {
	c.SetDefaults()
	c.MaxBytes = settings.OrDefault(c.MaxBytes, DefaultMaxBytes)
	c.MaxKeys = settings.OrDefault(c.MaxKeys, DefaultMaxKeys)
	c.MaxBuckets = settings.OrDefault(c.MaxBuckets, DefaultMaxBuckets)
	c.TTL = max(c.TTL, 0)
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
		return Other("one more bucket is over the limit of %d", limits.MaxBuckets)
	}
	if !add(&l.keys, c.keys, limits.MaxKeys) {
		l.buckets.Add(-c.buckets)
		return Other("one more key is over the limit of %d", limits.MaxKeys)
	}
	if !add(&l.bytes, c.bytes, limits.MaxBytes) {
		l.buckets.Add(-c.buckets)
		l.keys.Add(-c.keys)
		return Other("%d more bytes are over the limit of %d in all", c.bytes, limits.MaxBytes)
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
