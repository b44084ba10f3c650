package filesystem

import (
	"sync"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// nameCost is what a quota counts for a new name.
const nameCost = 1 << 10

// quota counts what a component adds to a directory: see the package. Whoever
// changes something holds mu, from looking at the file to having changed it, so
// that what is counted is what happened. A nil quota counts nothing.
type quota struct {
	limit   int64
	refused func()

	mu   sync.Mutex
	used int64
	// open are the files that instances have open, by how many descriptors:
	// a file that lost its last name takes room until it is closed.
	open map[fileID]int
}

// fileID tells files apart; the zero value is not known.
type fileID struct{ dev, ino uint64 }

// lock returns what unlocks. A nil quota has no lock.
func (q *quota) lock() (unlock func()) {
	if q == nil {
		return func() {}
	}
	q.mu.Lock()
	return q.mu.Unlock
}

// charge counts n more bytes, or refuses them. mu is held.
func (q *quota) charge(n int64) error {
	if q == nil || n <= 0 {
		return nil
	}
	if n > q.limit-q.used {
		q.refused()
		return contract.ErrorCodeQuota
	}
	q.used += n
	return nil
}

// refund gives n bytes back, no more than were counted: what was there before
// the component is no room for it. mu is held.
func (q *quota) refund(n int64) {
	if q != nil && n > 0 {
		q.used = max(0, q.used-n)
	}
}

// removed gives back a name, and the file's bytes if it was the last and
// nobody has the file open. mu is held.
func (q *quota) removed(i info) {
	if q == nil {
		return
	}
	q.refund(nameCost)
	switch i.kind {
	case contract.DescriptorTypeSymbolicLink:
		if i.links <= 1 { // it may have other names
			q.refund(int64(i.size))
		}
	case contract.DescriptorTypeRegularFile:
		if i.links <= 1 && q.open[i.id] == 0 {
			q.refund(int64(i.size))
		}
	}
}

// opened notes a file that was opened. mu is held.
func (q *quota) opened(id fileID) {
	if q != nil && id != (fileID{}) {
		q.open[id]++
	}
}

// closing notes that a descriptor of a file is closed; i is what the file is
// just before. mu is held.
func (q *quota) closing(i info) {
	if q == nil || i.id == (fileID{}) {
		return
	}
	if q.open[i.id]--; q.open[i.id] > 0 {
		return
	}
	delete(q.open, i.id)
	if i.links == 0 {
		q.refund(int64(i.size))
	}
}
