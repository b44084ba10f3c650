package keyvalue

import (
	"slices"
	"sort"
	"time"
)

// bucket is keys and values, and the order in which the keys came. Its stripe's
// lock guards it.
type bucket struct {
	name    string
	entries map[string]*entry
	// order has a slot for each entry, by rising age. That of an entry that was
	// deleted stays for a while, empty, so that deleting need not move others.
	order []slot
	empty int
}

// entry is one key. Its value is never written to, only replaced: readers keep
// it without a copy.
type entry struct {
	bucket *bucket
	key    string
	value  []byte
	age    uint64
	end    time.Duration // since the store was made; 0: never
	due    int           // its place among those that end, from 1; 0: none
}

type slot struct {
	age   uint64
	entry *entry
}

// minEmpty is how many empty slots are not worth clearing away.
const minEmpty = 32

func newBucket(name string) *bucket { return &bucket{name: name, entries: make(map[string]*entry)} }

// add adds an entry, which must be younger than all others.
func (b *bucket) add(e *entry) {
	b.entries[e.key] = e
	b.order = append(b.order, slot{e.age, e})
}

func (b *bucket) remove(e *entry) {
	delete(b.entries, e.key)
	b.order[b.after(e.age-1)].entry = nil
	b.empty++
	if b.empty < minEmpty || b.empty <= len(b.order)/2 {
		return
	}
	// As many removals went before as there are slots to move now.
	b.order = slices.DeleteFunc(b.order, func(s slot) bool { return s.entry == nil })
	if cap(b.order) > 4*len(b.order) {
		b.order = slices.Clone(b.order)
	}
	b.empty = 0
}

// after returns the index of the first slot that is younger than age.
func (b *bucket) after(age uint64) int {
	return sort.Search(len(b.order), func(i int) bool { return b.order[i].age > age })
}

// page returns the keys that are younger than the cursor, oldest first: at most
// most of them, and no more than about maxPageBytes. next is the cursor of the
// following page, or 0 if there is none.
func (b *bucket) page(cursor uint64, most int64, now time.Duration) (keys []string, next uint64) {
	size := 0
	for _, s := range b.order[b.after(cursor):] {
		if s.entry == nil || s.entry.over(now) {
			continue
		}
		if int64(len(keys)) == most || size > maxPageBytes {
			return keys, next
		}
		keys = append(keys, s.entry.key)
		size += len(s.entry.key)
		next = s.age
	}
	return keys, 0
}
