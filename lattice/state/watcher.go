package state

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/lathhost/lath/lattice"
)

// Change is what became of the links that start from one id.
type Change struct {
	ID string
	// Before is what the watcher was last told of this id, and After what holds
	// now; changes in between are left out. Both may be empty, not both at once.
	Before, After []lattice.Link
}

// Watcher tells one reader of all changes of links. It starts from nothing: its
// first changes are all links that there are. Changes that are not read yet are
// merged by id, so that a slow reader sees less often but never less.
type Watcher struct {
	cache *specs
	told  map[string][]lattice.Link // only touched by Next

	mu      sync.Mutex
	changed map[string]struct{}
	wake    chan struct{} // holds one token while changed is not empty
	ended   chan struct{}
	once    sync.Once
}

// Watch starts to watch. The caller closes the watcher.
func (s *Store) Watch() *Watcher {
	w := &Watcher{
		cache:   s.specs,
		told:    make(map[string][]lattice.Link),
		changed: make(map[string]struct{}),
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
	}
	s.specs.mu.Lock()
	defer s.specs.mu.Unlock()
	if s.specs.closed {
		w.end()
		return w
	}
	s.specs.watchers[w] = struct{}{}
	for id := range s.specs.entries {
		w.mark(id)
	}
	return w
}

// Next waits for changes and returns them, ordered by id. It returns ctx's error
// when ctx ends, and ErrClosed after Close of the watcher or the store. Only one
// goroutine may call it.
func (w *Watcher) Next(ctx context.Context) ([]Change, error) {
	for {
		select {
		case <-w.ended:
			return nil, ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-w.wake:
		}
		if changes := w.collect(); len(changes) > 0 {
			return changes, nil
		}
	}
}

// collect turns the marked ids into changes.
func (w *Watcher) collect() []Change {
	w.mu.Lock()
	ids := slices.Sorted(maps.Keys(w.changed))
	clear(w.changed)
	w.mu.Unlock()
	var out []Change
	for _, id := range ids {
		before, after := w.told[id], w.cache.linksFrom(id)
		if sameLinks(before, after) {
			continue
		}
		if len(after) == 0 {
			delete(w.told, id)
		} else {
			w.told[id] = after
		}
		out = append(out, Change{ID: id, Before: cloneLinks(before), After: cloneLinks(after)})
	}
	return out
}

// mark notes that an id may have changed. It never waits.
func (w *Watcher) mark(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed[id] = struct{}{}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Close ends the watcher; a waiting Next returns. It may be called again.
func (w *Watcher) Close() {
	w.cache.mu.Lock()
	delete(w.cache.watchers, w)
	w.cache.mu.Unlock()
	w.end()
}

func (w *Watcher) end() { w.once.Do(func() { close(w.ended) }) }
