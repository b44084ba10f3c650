package state

import (
	"sync"
	"time"
)

// entry is what a cache knows of one key. Values are never changed in place.
type entry[T any] struct {
	// value is nil for what was deleted, and for what was never readable.
	value *T
	// rev is the bucket's revision that made it so.
	rev uint64
}

// cache holds all values of one bucket. What it holds may come from a list, from
// the watch or from a write of our own, in any order: revisions decide which is
// newer.
type cache[T any] struct {
	// changed is told of each key whose value has become another one, with mu
	// held.
	changed func(key string, before, after *T)

	mu      sync.Mutex
	epoch   time.Time // when the bucket was made; revisions of two buckets do not compare
	entries map[string]entry[T]
}

func newCache[T any](changed func(key string, before, after *T)) *cache[T] {
	return &cache[T]{changed: changed, entries: make(map[string]entry[T])}
}

// apply takes in one change; value is nil for a deletion.
func (c *cache[T]) apply(key string, value *T, rev uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rev <= c.entries[key].rev {
		return
	}
	c.set(key, entry[T]{value: value, rev: rev})
}

// keep notes that a revision of a key could not be read: what was known before
// stays.
func (c *cache[T]) keep(key string, rev uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[key]; rev > e.rev {
		c.set(key, entry[T]{value: e.value, rev: rev})
	}
}

// forget takes a key away whose deletion has no known revision, unless it is
// another value by now than that of revision rev.
func (c *cache[T]) forget(key string, rev uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries[key].rev == rev {
		c.set(key, entry[T]{rev: rev})
	}
}

// listing is a whole bucket at some moment.
type listing[T any] struct {
	// epoch is when the bucket was made, and asOf its last revision before the
	// listing began: what is not listed and not newer than that is gone.
	epoch   time.Time
	asOf    uint64
	entries map[string]entry[T]
	// unreadable has keys whose value makes no sense, with the revision.
	unreadable map[string]uint64
}

// replace makes the cache equal to a listing, but for changes that are newer.
func (c *cache[T]) replace(l listing[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.epoch.Equal(l.epoch) {
		// Another bucket: it alone is true, and its revisions start anew.
		for key, e := range c.entries {
			c.entries[key] = entry[T]{value: e.value}
		}
		c.epoch = l.epoch
	}
	for key, rev := range l.unreadable {
		if e := c.entries[key]; rev > e.rev {
			c.set(key, entry[T]{value: e.value, rev: rev})
		}
	}
	for key, e := range l.entries {
		if e.rev > c.entries[key].rev {
			c.set(key, e)
		}
	}
	for key, e := range c.entries {
		_, listed := l.entries[key]
		_, unreadable := l.unreadable[key]
		if !listed && !unreadable && e.rev <= l.asOf {
			c.set(key, entry[T]{})
			delete(c.entries, key)
		}
	}
}

// set stores an entry and tells of the change.
func (c *cache[T]) set(key string, e entry[T]) {
	before := c.entries[key].value
	c.entries[key] = e
	if before != e.value {
		c.changed(key, before, e.value)
	}
}

// each calls f for each value that there is, with the cache locked.
func (c *cache[T]) each(f func(key string, value *T, rev uint64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.entries {
		if e.value != nil {
			f(key, e.value, e.rev)
		}
	}
}

// get returns the value of a key, or nil, and its revision.
func (c *cache[T]) get(key string) (*T, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	return e.value, e.rev
}
