package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Store keeps values in a file. It is safe for concurrent use. Keys are listed in
// the order in which they were first set. Each call about one key is one step; a
// batch is as many as it has keys.
type Store struct {
	batch
	cfg Config
	db  *bbolt.DB

	changes keyvalue.Changes // told in turn, when they are in the file

	turn   sync.Mutex // held while writing
	mu     sync.Mutex // guards what waits
	waits  []*change
	closed bool
}

// batch is embedded without being seen.
type batch = keyvalue.Batch

var (
	_ contract.Store   = (*Store)(nil)
	_ contract.Atomics = (*Store)(nil)
	_ contract.Batch   = (*Store)(nil)

	_ keyvalue.Watchable = (*Store)(nil)
)

// Open opens a file, or makes it. One that another process holds, or that is
// none of this package, is an error.
func Open(path string, cfg Config) (*Store, error) {
	cfg.setDefaults()
	s := &Store{cfg: cfg}
	s.batch = keyvalue.Batch{Store: s, Limits: &s.cfg.Limits}
	err := guarded(func() (err error) {
		s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: openTimeout, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return err
		}
		return s.db.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists(rootHeld)
			if err == nil {
				_, err = tx.CreateBucketIfNotExists(rootDue)
			}
			return err
		})
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("key-value file %s is in use by another provider or program", path)
	}
	if err != nil {
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
		return nil, fmt.Errorf("key-value file %s: %w", path, err)
	}
	return s, nil
}

// Close ends what runs, and gives the file up.
func (s *Store) Close() error {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.db.Close()
}

// guarded makes errors of bbolt's panics, which are what it mostly says of pages
// that something else has written to. It believes what a page says of itself, so
// that not all can be caught: the file is the host's own, and nobody else's.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true)) // it reads where pages point
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errBroken("a page"), r)
		}
	}()
	return do()
}

// view reads. What is read of the file must not outlive it.
func (s *Store) view(ctx context.Context, do func(tx *bbolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("keyvalue: %w", err)
	}
	return guarded(func() error { return s.db.View(do) })
}

// change is something that a caller wants written.
type change struct {
	do   func(tx *bbolt.Tx, now uint64) error
	done bool
	err  error
	made func() // tells of what was written
}

// write changes the file. do must change nothing when it fails, since others
// share its transaction. Whoever gets the turn writes what all that wait have
// brought, so that they share one wait for the disk.
func (s *Store) write(ctx context.Context, do func(tx *bbolt.Tx, now uint64) error, made func()) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("keyvalue: %w", err)
	}
	c := &change{do: do, made: made}
	s.mu.Lock()
	s.waits = append(s.waits, c)
	s.mu.Unlock()
	s.turn.Lock()
	defer s.turn.Unlock()
	if c.done {
		return c.err
	}
	s.mu.Lock()
	list := s.waits
	s.waits = nil
	s.mu.Unlock()
	err := guarded(func() error { return s.db.Update(func(tx *bbolt.Tx) error { return s.apply(tx, list) }) })
	for _, c := range list {
		c.done = true
		if err != nil {
			c.err = fmt.Errorf("key-value file: %w", err)
		} else if c.err == nil {
			c.made()
		}
	}
	return c.err
}

// maxSweep is how many entries that are over one write takes away; where there is
// no room, all of manySweep.
const (
	maxSweep  = 64
	manySweep = 4096
)

func (s *Store) apply(tx *bbolt.Tx, list []*change) error {
	now := uint64(time.Now().UnixNano())
	if _, err := sweep(tx, now, maxSweep); err != nil {
		return err
	}
	for _, c := range list {
		c.err = roomy(tx, now, c.do)
		if _, refused := errors.AsType[contract.Error](c.err); c.err != nil && !refused {
			return c.err // of the file: nothing of this transaction may stay
		}
	}
	return nil
}

// roomy does something and, where that is refused, does it again if what is over
// made room.
func roomy(tx *bbolt.Tx, now uint64, do func(tx *bbolt.Tx, now uint64) error) error {
	err := do(tx, now)
	if _, refused := errors.AsType[contract.Error](err); !refused {
		return err
	}
	n, failed := sweep(tx, now, manySweep)
	switch {
	case failed != nil:
		return failed
	case n == 0:
		return err
	}
	return do(tx, now)
}

// over says whether an entry's time has passed.
func (e *entry) over(now uint64) bool { return e.end > 0 && e.end <= now }

// Get implements the contract.
func (s *Store) Get(ctx context.Context, bucket, key string) (wit.Option[[]byte], error) {
	var v wit.Option[[]byte]
	if err := s.cfg.CheckNames(bucket, key); err != nil {
		return v, err
	}
	return v, s.view(ctx, func(tx *bbolt.Tx) error {
		e, err := find(tx, bucket, key)
		if e != nil && !e.over(uint64(time.Now().UnixNano())) {
			v = wit.Some(append([]byte{}, e.value...))
		}
		return err
	})
}

// Set implements the contract.
func (s *Store) Set(ctx context.Context, bucket, key string, value []byte) error {
	if err := errors.Join(s.cfg.CheckNames(bucket, key), s.cfg.CheckValue(len(value))); err != nil {
		return err
	}
	return s.write(ctx, func(tx *bbolt.Tx, now uint64) error { return s.set(tx, now, bucket, key, value) },
		func() { s.tellSet(bucket, key, value) })
}

// tellSet tells of a value, which is the caller's.
func (s *Store) tellSet(bucket, key string, value []byte) {
	s.changes.Tell(bucket, keyvalue.Change{Key: key, Value: append([]byte{}, value...)})
}

// Watch implements keyvalue.Watchable. Keys whose time is over are not told.
func (s *Store) Watch(ctx context.Context, bucket string, w keyvalue.Watch) error {
	return s.changes.Watch(ctx, bucket, w)
}

func (s *Store) set(tx *bbolt.Tx, now uint64, bucket, key string, value []byte) error {
	e, err := find(tx, bucket, key)
	if err != nil {
		return err
	}
	return s.put(tx, now, e, bucket, key, value)
}

// put stores a value in place of that of e, if there is one.
func (s *Store) put(tx *bbolt.Tx, now uint64, e *entry, bucket, key string, value []byte) error {
	var err error
	if e != nil {
		if err = add(tx, countBytes, int64(len(value)-len(e.value)), s.cfg.MaxBytes); err != nil {
			return err
		}
		if e.end > 0 {
			err = tx.Bucket(rootDue).Delete(dueKey(e))
		}
		e = &entry{bucket: bucket, key: key, age: e.age}
	} else {
		e, err = s.admit(tx, bucket, key, len(value))
	}
	if err != nil {
		return err
	}
	if s.cfg.TTL > 0 {
		e.end = now + uint64(s.cfg.TTL)
		place := append(append(number(uint64(len(bucket))), bucket...), key...)
		if err := tx.Bucket(rootDue).Put(dueKey(e), place); err != nil {
			return err
		}
	}
	p, _, err := open(tx, bucket)
	if err != nil {
		return err
	}
	return p.keys.Put(named(key), append(append(number(e.age), number(e.end)...), value...))
}

// admit makes room for a new key, or refuses and changes nothing.
func (s *Store) admit(tx *bbolt.Tx, bucket, key string, size int) (*entry, error) {
	isNew := int64(0)
	if tx.Bucket(named(bucket)) == nil {
		isNew = 1
	}
	for _, c := range []struct {
		name         string
		delta, limit int64
	}{{countBuckets, isNew, s.cfg.MaxBuckets}, {countKeys, 1, s.cfg.MaxKeys}, {countBytes, int64(len(key) + size), s.cfg.MaxBytes}} {
		if int64(count(tx, c.name))+c.delta > c.limit && c.delta > 0 {
			return nil, keyvalue.Other("%d more %s are over the limit of %d in all", c.delta, c.name, c.limit)
		}
	}
	err := errors.Join(add(tx, countBuckets, isNew, 0), add(tx, countKeys, 1, 0), add(tx, countBytes, int64(len(key)+size), 0), add(tx, countAge, 1, 0))
	if err == nil && isNew == 1 {
		err = create(tx, bucket)
	}
	if err != nil {
		return nil, err
	}
	p, _, err := open(tx, bucket)
	if err != nil {
		return nil, err
	}
	e := &entry{bucket: bucket, key: key, age: count(tx, countAge)}
	return e, p.order.Put(number(e.age), []byte(key))
}

func create(tx *bbolt.Tx, bucket string) error {
	b, err := tx.CreateBucket(named(bucket))
	if err == nil {
		_, err = b.CreateBucket(subKeys)
	}
	if err == nil {
		_, err = b.CreateBucket(subOrder)
	}
	return err
}

// Delete implements the contract.
func (s *Store) Delete(ctx context.Context, bucket, key string) error {
	if err := s.cfg.CheckNames(bucket, key); err != nil {
		return err
	}
	was := false
	return s.write(ctx, func(tx *bbolt.Tx, _ uint64) (err error) {
		was, err = drop(tx, bucket, key)
		return err
	}, func() { s.tellDeleted(bucket, key, was) })
}

func (s *Store) tellDeleted(bucket, key string, was bool) {
	if was {
		s.changes.Tell(bucket, keyvalue.Change{Key: key, Deleted: true})
	}
}

// drop takes a key away, and says whether it was there.
func drop(tx *bbolt.Tx, bucket, key string) (was bool, err error) {
	e, err := find(tx, bucket, key)
	if err != nil || e == nil {
		return false, err
	}
	return true, remove(tx, e)
}

// many makes the steps of a batch in one write. Those before one that is refused
// stay; made tells of each.
func (s *Store) many(ctx context.Context, n int, step func(tx *bbolt.Tx, now uint64, i int) error, made func(i int)) error {
	if err := s.cfg.CheckBatch(n); err != nil {
		return err
	}
	var refused error
	i := 0
	err := s.write(ctx, func(tx *bbolt.Tx, now uint64) error {
		for refused = nil; i < n; i++ {
			err := roomy(tx, now, func(tx *bbolt.Tx, now uint64) error { return step(tx, now, i) })
			if _, of := errors.AsType[contract.Error](err); of && i > 0 {
				refused = err
				return nil
			} else if err != nil {
				return err
			}
		}
		return nil
	}, func() {
		for k := range i {
			made(k)
		}
	})
	return errors.Join(err, refused)
}

// SetMany implements the contract.
func (s *Store) SetMany(ctx context.Context, bucket string, keyValues []contract.TupleStringBytes) error {
	return s.many(ctx, len(keyValues), func(tx *bbolt.Tx, now uint64, i int) error {
		key, value := keyValues[i].F0, keyValues[i].F1
		if err := errors.Join(s.cfg.CheckNames(bucket, key), s.cfg.CheckValue(len(value))); err != nil {
			return err
		}
		return s.set(tx, now, bucket, key, value)
	}, func(i int) { s.tellSet(bucket, keyValues[i].F0, keyValues[i].F1) })
}

// DeleteMany implements the contract.
func (s *Store) DeleteMany(ctx context.Context, bucket string, keys []string) error {
	were := make([]bool, min(len(keys), int(s.cfg.MaxBatchKeys)))
	return s.many(ctx, len(keys), func(tx *bbolt.Tx, _ uint64, i int) error {
		if err := s.cfg.CheckNames(bucket, keys[i]); err != nil {
			return err
		}
		was, err := drop(tx, bucket, keys[i])
		were[i] = was
		return err
	}, func(i int) { s.tellDeleted(bucket, keys[i], were[i]) })
}

// Exists implements the contract.
func (s *Store) Exists(ctx context.Context, bucket, key string) (is bool, err error) {
	if err := s.cfg.CheckNames(bucket, key); err != nil {
		return false, err
	}
	return is, s.view(ctx, func(tx *bbolt.Tx) error {
		e, err := find(tx, bucket, key)
		is = e != nil && !e.over(uint64(time.Now().UnixNano()))
		return err
	})
}

// maxPageBytes ends a page of keys early, however long keys may be.
const maxPageBytes = 1 << 20

// ListKeys implements the contract.
func (s *Store) ListKeys(ctx context.Context, bucket string, cursor wit.Option[uint64]) (page contract.KeyResponse, err error) {
	if err := s.cfg.CheckNames(bucket, ""); err != nil {
		return page, err
	}
	return page, s.view(ctx, func(tx *bbolt.Tx) error {
		p, ok, err := open(tx, bucket)
		if err != nil || !ok {
			return err
		}
		now, size := uint64(time.Now().UnixNano()), 0
		var last uint64
		c := p.order.Cursor()
		for k, key := c.Seek(number(cursor.Value + 1)); k != nil; k, key = c.Next() {
			if len(k) != numberSize {
				return errBroken("the order of bucket " + bucket)
			}
			raw := p.keys.Get(named(string(key)))
			if len(raw) < 2*numberSize || !bytes.Equal(raw[:numberSize], k) {
				return errBroken("the order of bucket " + bucket)
			}
			if end := binary.BigEndian.Uint64(raw[numberSize:]); end > 0 && end <= now {
				continue
			}
			if int64(len(page.Keys)) == s.cfg.PageKeys || size > maxPageBytes {
				page.Cursor = wit.Some(last)
				return nil
			}
			page.Keys, last = append(page.Keys, string(key)), binary.BigEndian.Uint64(k)
			size += len(key)
		}
		return nil
	})
}

// Increment implements the contract.
func (s *Store) Increment(ctx context.Context, bucket, key string, delta uint64) (n uint64, err error) {
	if err := s.cfg.CheckNames(bucket, key); err != nil {
		return 0, err
	}
	return n, s.write(ctx, func(tx *bbolt.Tx, now uint64) error {
		n = 0
		e, err := find(tx, bucket, key)
		if err != nil {
			return err
		}
		if e != nil && !e.over(now) {
			if n, err = keyvalue.ParseCounter(e.value); err != nil {
				return err
			}
		}
		if n, err = keyvalue.AddCounter(n, delta); err != nil {
			return err
		}
		value := strconv.AppendUint(nil, n, 10)
		if err := s.cfg.CheckValue(len(value)); err != nil {
			return err
		}
		return s.put(tx, now, e, bucket, key, value)
	}, func() { s.tellSet(bucket, key, strconv.AppendUint(nil, n, 10)) })
}
