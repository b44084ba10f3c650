package keyvalue

import (
	"context"
	"sync"
	"sync/atomic"
)

// Change is what became of one key.
type Change struct {
	Key string
	// Deleted: the key is gone; else Value is what was set, which nobody writes to.
	Deleted bool
	Value   []byte
}

// Watch is who hears of changes. Its functions are called one at a time.
type Watch struct {
	// Ready is called once, when changes that are made from now on will be told.
	Ready func()
	// Changed is told each change; those of one key in their order. It may take its
	// time.
	Changed func(Change)
	// Lost is told how many changes will not be told.
	Lost func(n uint64)
}

// Watchable is a store that tells of changes.
type Watchable interface {
	// Watch tells of the changes of a bucket, whoever makes them, until ctx ends: nil,
	// or it cannot go on, and says why. Keys whose time is over are told where the
	// backend hears of it.
	Watch(ctx context.Context, bucket string, w Watch) error
}

// Bounds of what waits for one who watches a store of this process.
const (
	maxWaiting      = 4096
	maxWaitingBytes = 16 << 20
)

// Changes tells of what is changed in a store by this process alone. Who watches
// too slowly misses changes; who makes them never waits. The zero value is ready,
// and safe for concurrent use.
type Changes struct {
	watched atomic.Int32 // how many watch: mostly none

	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

// watcher is one who watches.
type watcher struct {
	bucket string

	mu      sync.Mutex
	waiting []Change
	bytes   int
	lost    uint64
	wake    chan struct{} // holds a token while something waits
}

// Tell tells of a change of a bucket. Changes of one key must be told one after the
// other.
func (c *Changes) Tell(bucket string, change Change) {
	if c.watched.Load() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := range c.watchers {
		if w.bucket == bucket {
			w.put(change)
		}
	}
}

func (w *watcher) put(change Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := len(change.Key) + len(change.Value)
	if len(w.waiting) >= maxWaiting || len(w.waiting) > 0 && w.bytes+size > maxWaitingBytes {
		w.lost++
	} else {
		w.waiting, w.bytes = append(w.waiting, change), w.bytes+size
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() (list []Change, lost uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list, lost = w.waiting, w.lost
	w.waiting, w.bytes, w.lost = nil, 0, 0
	return list, lost
}

// Watch implements [Watchable].
func (c *Changes) Watch(ctx context.Context, bucket string, to Watch) error {
	w := &watcher{bucket: bucket, wake: make(chan struct{}, 1)}
	c.mu.Lock()
	if c.watchers == nil {
		c.watchers = map[*watcher]struct{}{}
	}
	c.watchers[w] = struct{}{}
	c.watched.Add(1)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, w)
		c.watched.Add(-1)
	}()
	to.Ready()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		}
		list, lost := w.take()
		for _, change := range list {
			if ctx.Err() != nil {
				return nil
			}
			to.Changed(change)
		}
		if lost > 0 {
			to.Lost(lost)
		}
	}
}
