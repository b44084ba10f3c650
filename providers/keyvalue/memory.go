package keyvalue

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// stripeCount is over how many locks the buckets are spread.
const stripeCount = 32

// Memory keeps all in memory, and nothing beyond its own life. Buckets come
// into being with their first key and go with their last. It is safe for
// concurrent use, starts nothing and needs no closing. Instances share nothing.
//
// Keys are listed in the order in which they were first set. A key that is
// there during a whole listing is listed once, whatever else changes; one that
// is deleted and set again counts as new, and comes after all others.
//
// Each call is one step for those of one key; a batch is as many steps as it
// has keys. A value that was returned is never written to, and must not be.
type Memory struct {
	batch
	limits  MemoryConfig
	started time.Time
	held    ledger
	seed    maphash.Seed
	stripes [stripeCount]stripe
	changes Changes // told under the lock of the key's stripe
}

var (
	_ contract.Store   = (*Memory)(nil)
	_ contract.Atomics = (*Memory)(nil)
	_ contract.Batch   = (*Memory)(nil)
	_ Watchable        = (*Memory)(nil)
)

// batch is embedded without being seen.
type batch = Batch

// stripe is the buckets that share a lock.
type stripe struct {
	mu      sync.RWMutex
	buckets map[string]*bucket
	// age of the youngest key. It counts across buckets, so that a cursor of a
	// bucket that has gone and come again does not skip new keys.
	age uint64
	due due
}

// NewMemory returns an empty store.
func NewMemory(cfg MemoryConfig) *Memory {
	cfg.setDefaults()
	m := &Memory{limits: cfg, seed: maphash.MakeSeed(), started: time.Now()}
	m.batch = Batch{Store: m, Limits: &m.limits.Limits}
	for i := range m.stripes {
		m.stripes[i].buckets = make(map[string]*bucket)
	}
	return m
}

func (m *Memory) stripe(bucket string) *stripe {
	return &m.stripes[maphash.String(m.seed, bucket)%stripeCount]
}

// enter checks what is the same for all calls about one key, and returns the
// bucket's stripe.
func (m *Memory) enter(ctx context.Context, bucket, key string) (*stripe, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("keyvalue: %w", err)
	}
	if err := m.limits.CheckNames(bucket, key); err != nil {
		return nil, err
	}
	return m.stripe(bucket), nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, bucket, key string) (wit.Option[[]byte], error) {
	s, err := m.enter(ctx, bucket, key)
	if err != nil {
		return wit.None[[]byte](), err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.find(bucket, key); e != nil && !e.over(m.now()) {
		return wit.Some(e.value), nil
	}
	return wit.None[[]byte](), nil
}

// Set implements Store.
func (m *Memory) Set(ctx context.Context, bucket, key string, value []byte) error {
	s, err := m.enter(ctx, bucket, key)
	if err != nil {
		return err
	}
	if err := m.limits.CheckValue(len(value)); err != nil {
		return err
	}
	// value is the caller's again when this returns. Copied before the lock.
	value = append(make([]byte, 0, len(value)), value...)
	return m.change(s, func() error { return m.put(s, bucket, key, m.current(s, bucket, key), value) })
}

// Delete implements Store.
func (m *Memory) Delete(ctx context.Context, bucket, key string) error {
	s, err := m.enter(ctx, bucket, key)
	if err != nil {
		return err
	}
	return m.change(s, func() error {
		if e := s.find(bucket, key); e != nil {
			m.changes.Tell(bucket, Change{Key: e.key, Deleted: true})
			m.drop(s, e)
		}
		return nil
	})
}

// Watch implements [Watchable]. Keys whose time is over are not told.
func (m *Memory) Watch(ctx context.Context, bucket string, w Watch) error {
	return m.changes.Watch(ctx, bucket, w)
}

// drop takes an entry away. It needs the stripe's lock.
func (m *Memory) drop(s *stripe, e *entry) {
	freed := claim{keys: -1, bytes: -int64(len(e.key) + len(e.value))}
	e.bucket.remove(e)
	if len(e.bucket.entries) == 0 {
		delete(s.buckets, e.bucket.name)
		freed.buckets = -1
	}
	s.due.remove(e)
	_ = m.held.take(freed, &m.limits) // giving back is never refused
}

// Exists implements Store.
func (m *Memory) Exists(ctx context.Context, bucket, key string) (bool, error) {
	v, err := m.Get(ctx, bucket, key)
	return v.OK, err
}

// ListKeys implements Store.
func (m *Memory) ListKeys(ctx context.Context, bucket string, cursor wit.Option[uint64]) (contract.KeyResponse, error) {
	s, err := m.enter(ctx, bucket, "")
	if err != nil {
		return contract.KeyResponse{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[bucket]
	if b == nil {
		return contract.KeyResponse{}, nil
	}
	keys, next := b.page(cursor.Value, m.limits.PageKeys, m.now())
	return contract.KeyResponse{Keys: keys, Cursor: wit.Option[uint64]{Value: next, OK: next != 0}}, nil
}

// Increment implements Atomics.
func (m *Memory) Increment(ctx context.Context, bucket, key string, delta uint64) (uint64, error) {
	s, err := m.enter(ctx, bucket, key)
	if err != nil {
		return 0, err
	}
	var n uint64
	return n, m.change(s, func() error {
		e := m.current(s, bucket, key)
		if n = 0; e != nil {
			if n, err = ParseCounter(e.value); err != nil {
				return err
			}
		}
		if n, err = AddCounter(n, delta); err != nil {
			return err
		}
		value := strconv.AppendUint(nil, n, 10)
		if err := m.limits.CheckValue(len(value)); err != nil {
			return err
		}
		return m.put(s, bucket, key, e, value)
	})
}

// find returns the entry of a key, or nil. It needs the stripe's lock.
func (s *stripe) find(bucket, key string) *entry {
	b := s.buckets[bucket]
	if b == nil {
		return nil
	}
	return b.entries[key]
}

// current is find for one who changes the entry: one that is over goes first.
func (m *Memory) current(s *stripe, bucket, key string) *entry {
	e := s.find(bucket, key)
	if e == nil || !e.over(m.now()) {
		return e
	}
	m.drop(s, e)
	return nil
}

// put stores a value that is the store's own, in place of that of e if e is not
// nil. It needs the stripe's lock.
func (m *Memory) put(s *stripe, bucket, key string, e *entry, value []byte) error {
	if e != nil {
		if err := m.held.take(claim{bytes: int64(len(value) - len(e.value))}, &m.limits); err != nil {
			return err
		}
		e.value = value
		m.live(s, e)
		m.changes.Tell(bucket, Change{Key: e.key, Value: value})
		return nil
	}
	b := s.buckets[bucket]
	wanted := claim{keys: 1, bytes: int64(len(key) + len(value))}
	if b == nil {
		wanted.buckets = 1
	}
	if err := m.held.take(wanted, &m.limits); err != nil {
		return err
	}
	if b == nil {
		b = newBucket(strings.Clone(bucket))
		s.buckets[b.name] = b
	}
	s.age++
	// Cloned, since a caller may have cut it from something large.
	e = &entry{bucket: b, key: strings.Clone(key), value: value, age: s.age}
	b.add(e)
	m.live(s, e)
	m.changes.Tell(bucket, Change{Key: e.key, Value: value})
	return nil
}
