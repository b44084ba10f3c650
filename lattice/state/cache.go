package state

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lathhost/lath/lattice"
)

// entry is what the cache knows of one id. Specs are never changed in place.
type entry struct {
	// spec is nil for what was deleted, and for what was never readable.
	spec *Spec
	// rev is the bucket's revision that made it so.
	rev uint64
}

// cache holds all specs. What it holds may come from a list, from the watch or
// from a write of our own, in any order: revisions decide which is newer.
type cache struct {
	mu      sync.Mutex
	epoch   time.Time // when the bucket was made; revisions of two buckets do not compare
	entries map[string]entry
	// sources has, for every target of a link, the ids that link to it.
	sources  map[string]map[string]struct{}
	watchers map[*Watcher]struct{}
	closed   bool
}

func newCache() *cache {
	return &cache{
		entries:  make(map[string]entry),
		sources:  make(map[string]map[string]struct{}),
		watchers: make(map[*Watcher]struct{}),
	}
}

// apply takes in one change; spec is nil for a deletion.
func (c *cache) apply(id string, spec *Spec, rev uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if rev <= c.entries[id].rev {
		return
	}
	c.set(id, entry{spec: spec, rev: rev})
}

// keep notes that a revision of an id could not be read: what was known before
// stays.
func (c *cache) keep(id string, rev uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[id]; rev > e.rev {
		c.set(id, entry{spec: e.spec, rev: rev})
	}
}

// listing is the whole bucket at some moment.
type listing struct {
	// epoch is when the bucket was made, and asOf its last revision before the
	// listing began: what is not listed and not newer than that is gone.
	epoch   time.Time
	asOf    uint64
	entries map[string]entry
	// unreadable has ids whose value makes no sense, with the revision.
	unreadable map[string]uint64
}

// replace makes the cache equal to a listing, but for changes that are newer.
func (c *cache) replace(l listing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.epoch.Equal(l.epoch) {
		// Another bucket: it alone is true, and its revisions start anew.
		for id, e := range c.entries {
			c.entries[id] = entry{spec: e.spec}
		}
		c.epoch = l.epoch
	}
	for id, rev := range l.unreadable {
		if e := c.entries[id]; rev > e.rev {
			c.set(id, entry{spec: e.spec, rev: rev})
		}
	}
	for id, e := range l.entries {
		if e.rev > c.entries[id].rev {
			c.set(id, e)
		}
	}
	for id, e := range c.entries {
		_, listed := l.entries[id]
		_, unreadable := l.unreadable[id]
		if !listed && !unreadable && e.rev <= l.asOf {
			c.set(id, entry{})
			delete(c.entries, id)
		}
	}
}

// set stores an entry, keeps the index of targets and wakes the watchers.
func (c *cache) set(id string, e entry) {
	before := c.entries[id].spec
	c.entries[id] = e
	if before == e.spec {
		return
	}
	for _, link := range before.links() {
		if set := c.sources[link.Target]; set != nil {
			delete(set, id)
			if len(set) == 0 {
				delete(c.sources, link.Target)
			}
		}
	}
	for _, link := range e.spec.links() {
		if c.sources[link.Target] == nil {
			c.sources[link.Target] = make(map[string]struct{})
		}
		c.sources[link.Target][id] = struct{}{}
	}
	for w := range c.watchers {
		w.mark(id)
	}
}

func (c *cache) links() []lattice.Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []lattice.Link
	for _, id := range slices.Sorted(maps.Keys(c.entries)) {
		out = append(out, cloneLinks(c.entries[id].spec.links())...)
	}
	return out
}

func (c *cache) linksFrom(id string) []lattice.Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cloneLinks(c.entries[id].spec.links())
}

func (c *cache) linksTo(target string) []lattice.Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []lattice.Link
	for _, id := range slices.Sorted(maps.Keys(c.sources[target])) {
		for _, link := range c.entries[id].spec.links() {
			if link.Target == target {
				out = append(out, link.Clone())
			}
		}
	}
	return out
}

func (c *cache) spec(id string) (Spec, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	spec := c.entries[id].spec
	if spec == nil {
		return Spec{}, false
	}
	return *spec.clone(), true
}

// close ends all watchers, also those to come.
func (c *cache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for w := range c.watchers {
		w.end()
	}
	clear(c.watchers)
}
