package component

import (
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// entryKind says what an index of a handle table stands for. Resources,
// waitables, waitable sets and error contexts share one table per component
// instance (Canonical ABI, Table State).
type entryKind uint8

const (
	entryFree entryKind = iota
	entryResource
	entryWaitable
	entryWaitableSet
	entryErrorContext
)

// entry is one entry of a handle table.
type entry struct {
	kind entryKind
	own  bool
	// lends counts the calls that borrow this handle now.
	lends uint32
	rep   uint32
	res   *wit.Resource
	// task is the call that a borrowed handle must be dropped in.
	task *task
	// waitable is the state of the kinds that async calls use.
	waitable *waitable
}

// waitable is what a task can wait for. Asynchronous calls are not carried
// out yet; the field keeps one table for all kinds.
type waitable struct{}

// table is the handle table of one component instance: index 0 is never used,
// freed indices are used again last in, first out.
type table struct {
	entries []entry
	free    []uint32
	slots   *int // what all tables of the store may still grow by
}

func (t *table) add(e entry) (uint32, error) {
	if n := len(t.free); n > 0 {
		i := t.free[n-1]
		t.free = t.free[:n-1]
		t.entries[i] = e
		return i, nil
	}
	if len(t.entries) == 0 {
		t.entries = append(t.entries, entry{})
	}
	if *t.slots <= 0 {
		return 0, trap.New(trap.Limit, "too many open handles")
	}
	*t.slots--
	t.entries = append(t.entries, e)
	return uint32(len(t.entries) - 1), nil
}

// resource returns the entry of a handle, which must be of that resource.
func (t *table) resource(r *wit.Resource, handle uint32) (*entry, error) {
	if uint64(handle) >= uint64(len(t.entries)) || t.entries[handle].kind == entryFree {
		return nil, trap.New(trap.Handle, "unknown handle index %d", handle)
	}
	e := &t.entries[handle]
	if e.kind != entryResource {
		return nil, trap.New(trap.Handle, "handle index %d is not a resource", handle)
	}
	if e.res != r {
		return nil, trap.New(trap.Handle, "handle index %d used with the wrong type: want %s", handle, r.Name)
	}
	return e, nil
}

func (t *table) remove(handle uint32) {
	t.entries[handle] = entry{}
	t.free = append(t.free, handle)
}

// takeOwn removes an owned handle that nobody borrows and returns its rep.
func (t *table) takeOwn(r *wit.Resource, handle uint32) (uint32, error) {
	e, err := t.resource(r, handle)
	if err != nil {
		return 0, err
	}
	if e.lends > 0 {
		return 0, trap.New(trap.Handle, "cannot remove owned resource while borrowed (handle %d)", handle)
	}
	if !e.own {
		return 0, trap.New(trap.Handle, "cannot transfer ownership of borrowed handle %d", handle)
	}
	rep := e.rep
	t.remove(handle)
	return rep, nil
}
