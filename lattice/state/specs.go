package state

import (
	"maps"
	"slices"

	"github.com/lathhost/lath/lattice"
)

// specs is the cache of all specs, with what is looked up in them.
type specs struct {
	*cache[Spec]
	// What follows is guarded by the cache's lock.

	// sources has, for every target of a link, the ids that link to it.
	sources  map[string]map[string]struct{}
	watchers map[*Watcher]struct{}
	closed   bool
}

func newSpecs() *specs {
	s := &specs{sources: make(map[string]map[string]struct{}), watchers: make(map[*Watcher]struct{})}
	s.cache = newCache(s.changed)
	return s
}

// changed keeps the index of targets and wakes the watchers.
func (s *specs) changed(id string, before, after *Spec) {
	for _, link := range before.links() {
		if set := s.sources[link.Target]; set != nil {
			delete(set, id)
			if len(set) == 0 {
				delete(s.sources, link.Target)
			}
		}
	}
	for _, link := range after.links() {
		if s.sources[link.Target] == nil {
			s.sources[link.Target] = make(map[string]struct{})
		}
		s.sources[link.Target][id] = struct{}{}
	}
	for w := range s.watchers {
		w.mark(id)
	}
}

func (s *specs) links() []lattice.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []lattice.Link
	for _, id := range slices.Sorted(maps.Keys(s.entries)) {
		out = append(out, cloneLinks(s.entries[id].value.links())...)
	}
	return out
}

func (s *specs) linksFrom(id string) []lattice.Link {
	spec, _ := s.get(id)
	return cloneLinks(spec.links())
}

func (s *specs) linksTo(target string) []lattice.Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []lattice.Link
	for _, id := range slices.Sorted(maps.Keys(s.sources[target])) {
		for _, link := range s.entries[id].value.links() {
			if link.Target == target {
				out = append(out, link.Clone())
			}
		}
	}
	return out
}

// close ends all watchers, also those to come.
func (s *specs) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for w := range s.watchers {
		w.end()
	}
	clear(s.watchers)
}
