package bolt

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/lathhost/lath/providers/keyvalue"
)

// The file has, at its root:
//
//	held          the counts of "buckets", "keys", "bytes" and "age"
//	due           end, age → length of the bucket's name, bucket, key
//	=BUCKET       keys:  =KEY → age, end, value
//	              order: age → KEY
//
// Numbers are 8 bytes, big-endian; an end is nanoseconds since 1970, 0 for never.
// bbolt has no empty names, hence the "=".
var (
	rootHeld = []byte("held")
	rootDue  = []byte("due")
	subKeys  = []byte("keys")
	subOrder = []byte("order")
)

// Counts that the file holds.
const (
	countBuckets = "buckets"
	countKeys    = "keys"
	countBytes   = "bytes"
	countAge     = "age"
)

const numberSize = 8

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func named(name string) []byte { return append([]byte("="), name...) }

// errBroken is told of a file that is not what this package writes.
func errBroken(what string) error {
	return fmt.Errorf("key-value file: %s is not what was written: it is broken, restore a copy", what)
}

// entry is a key with its value. The value is the file's, and lives as long as
// the transaction.
type entry struct {
	bucket, key string
	age, end    uint64
	value       []byte
}

// page is the entries of one bucket, in one transaction.
type page struct{ keys, order *bbolt.Bucket }

// open returns a bucket's entries, or false where it has none.
func open(tx *bbolt.Tx, bucket string) (page, bool, error) {
	b := tx.Bucket(named(bucket))
	if b == nil {
		return page{}, false, nil
	}
	p := page{b.Bucket(subKeys), b.Bucket(subOrder)}
	if p.keys == nil || p.order == nil {
		return page{}, false, errBroken("bucket " + bucket)
	}
	return p, true, nil
}

// find returns a key's entry, or nil.
func find(tx *bbolt.Tx, bucket, key string) (*entry, error) {
	p, ok, err := open(tx, bucket)
	if err != nil || !ok {
		return nil, err
	}
	raw := p.keys.Get(named(key))
	if raw == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	if len(raw) < 2*numberSize {
		return nil, errBroken("key " + key)
	}
	return &entry{bucket, key, binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[numberSize:]), raw[2*numberSize:]}, nil
}

// count reads a count.
func count(tx *bbolt.Tx, name string) uint64 {
	raw := tx.Bucket(rootHeld).Get([]byte(name))
	if len(raw) != numberSize {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}

// add changes a count. Where there is a limit and the sum is over it, it refuses.
func add(tx *bbolt.Tx, name string, delta, limit int64) error {
	sum := int64(count(tx, name)) + delta
	if limit > 0 && delta > 0 && sum > limit {
		return keyvalue.Other("%d more %s are over the limit of %d in all", delta, name, limit)
	}
	return tx.Bucket(rootHeld).Put([]byte(name), number(uint64(max(sum, 0))))
}

// remove takes an entry away, and its bucket if that was the last one.
func remove(tx *bbolt.Tx, e *entry) error {
	p, ok, err := open(tx, e.bucket)
	if err != nil || !ok {
		return err
	}
	steps := []error{
		p.order.Delete(number(e.age)), tx.Bucket(rootDue).Delete(dueKey(e)),
		add(tx, countKeys, -1, 0), add(tx, countBytes, -int64(len(e.key)+len(e.value)), 0),
		p.keys.Delete(named(e.key)), // the value is no more from here on
	}
	for _, err := range steps {
		if err != nil {
			return err
		}
	}
	if k, _ := p.keys.Cursor().First(); k != nil {
		return nil
	}
	if err := tx.DeleteBucket(named(e.bucket)); err != nil {
		return err
	}
	return add(tx, countBuckets, -1, 0)
}

func dueKey(e *entry) []byte { return append(number(e.end), number(e.age)...) }

// sweep takes away up to most entries that are over, and says how many.
func sweep(tx *bbolt.Tx, now uint64, most int) (n int, err error) {
	for ; n < most; n++ {
		k, v := tx.Bucket(rootDue).Cursor().First()
		if len(k) != 2*numberSize || len(v) < numberSize || binary.BigEndian.Uint64(k) > now {
			return n, nil
		}
		size := binary.BigEndian.Uint64(v)
		v = v[numberSize:]
		if size > uint64(len(v)) {
			return n, errBroken("what is due")
		}
		e, err := find(tx, string(v[:size]), string(v[size:]))
		if err != nil {
			return n, err
		}
		if e == nil || string(dueKey(e)) != string(k) {
			err = tx.Bucket(rootDue).Delete(k)
		} else {
			err = remove(tx, e)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
