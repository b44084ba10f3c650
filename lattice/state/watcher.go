package state

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Watcher tells one reader whose links have changed. It starts with all ids that
// there are. Ids that are not read yet are told once, however often they change, so
// that a slow reader sees less often but never less.
//
// What an id has now is the reader's to ask, by [Store.LinksFrom]. It may be what the
// reader knows already: also then it is told, since it may have read something else
// in between.
type Watcher struct {
	cache *specs

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

// Next waits for changes and returns the ids whose links they are, in order. It
// returns ctx's error when ctx ends, and ErrClosed after Close of the watcher or the
// store. Only one goroutine may call it.
func (w *Watcher) Next(ctx context.Context) ([]string, error) {
	select {
	case <-w.ended:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-w.wake:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := slices.Sorted(maps.Keys(w.changed))
	clear(w.changed)
	return ids, nil
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
