package component

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lathhost/lath/wit"
)

// first is what there was of an instance beside memories and globals when its
// start functions had run. Most have nothing there.
type first struct {
	comps []firstComp // by component instance
	// renewals make the host objects anew, by representation; free is that of
	// objects.
	renewals []func(context.Context) (Resource, error)
	free     []uint32
	slots    int
}

// firstComp is the part of one component instance.
type firstComp struct {
	entries      []entry
	free         []uint32
	thread       thread
	backpressure uint32
}

// mark makes the instance's present state the one that reset brings back, or
// notes why there is none.
func (i *Instance) mark() error {
	if i.unpoolable = i.remember(); i.unpoolable != "" {
		i.tmpl.pool.unkept.CompareAndSwap(nil, &i.unpoolable)
		return nil
	}
	for k, m := range i.cores {
		if err := m.Mark(i.tmpl.globals[k]); err != nil {
			return fmt.Errorf("core instance %d: %w", k, err)
		}
	}
	return nil
}

// remember notes what start functions left beside memories and globals, or tells
// what of it a reset could not bring back.
func (i *Instance) remember() (unpoolable string) {
	f := first{slots: i.slots, free: slices.Clone(i.objects.free)}
	found := len(i.objects.list) > 0 // or there is nothing to remember
	names := make(map[uint32]string, len(i.objects.list))
	for k := range i.comps {
		c := &i.comps[k]
		for _, e := range c.handles.entries {
			if e.kind != entryFree && (e.kind != entryResource || !e.own || e.lends > 0) {
				return "is in the middle of something when it has started"
			}
			if e.kind == entryResource && !i.defines(e.res) {
				names[e.rep] = e.res.Name
			}
		}
		found = found || len(c.handles.entries) > 0 || c.thread != (thread{}) || c.backpressure != 0
		f.comps = append(f.comps, firstComp{slices.Clone(c.handles.entries), slices.Clone(c.handles.free), c.thread, c.backpressure})
	}
	for rep, obj := range i.objects.list {
		renew := renewal(obj)
		if renew == nil && obj != nil {
			return fmt.Sprintf("opens a resource of the host when it starts that cannot be opened again (%s)", names[uint32(rep)])
		}
		f.renewals = append(f.renewals, renew)
	}
	switch {
	case found:
		i.first = &f
	case i.hostBytes.used.Load() != 0:
		return "keeps memory of the host when it starts"
	}
	return ""
}

func renewal(obj Resource) func(context.Context) (Resource, error) {
	if r, ok := obj.(Renewable); ok {
		return r.Renewal()
	}
	return nil
}

// defines tells whether a component of the instance defines the resource, so
// that its representations are the guests' own.
func (i *Instance) defines(r *wit.Resource) bool {
	_, ok := i.tmpl.plan.Resources[r]
	return ok
}

// renew gives the instance the host objects that its start functions opened, as
// ctx's call is to find them, if it has been without.
func (i *Instance) renew(ctx context.Context) error {
	if !i.bare {
		return nil
	}
	i.bare = false
	ctx = &hostContext{Context: ctx, budget: &i.hostBytes}
	for _, renew := range i.first.renewals {
		var obj Resource
		if renew != nil {
			var err error
			if obj, err = renew(ctx); err != nil {
				return fmt.Errorf("open again what was open: %w", err)
			}
		}
		i.objects.list = append(i.objects.list, obj)
	}
	i.objects.free = append(i.objects.free, i.first.free...)
	return nil
}

// park drops the host objects of an instance that is to wait for a call.
func (i *Instance) park() []error {
	i.bare = i.first != nil && len(i.first.renewals) > 0
	return i.objects.dropAll()
}

// parked makes an instance that is new wait for a call, and reports whether it
// can.
func (i *Instance) parked() bool {
	return i.unpoolable == "" && len(i.park()) == 0 && i.hostBytes.used.Load() == 0
}

var errHolds = errors.New("the host still holds memory for the instance")

// reset brings the instance back to the state of mark: its memories, globals,
// handle tables and what else calls leave behind. keep and written are those
// of [memory.Linear.Reset]. No call may be running, the host's objects are
// dropped already.
func (i *Instance) reset(keep int) (written int, err error) {
	if i.hostBytes.used.Load() != 0 {
		return 0, errHolds // whose end would then be counted to another call
	}
	for k, m := range i.cores {
		n, err := m.Reset(keep)
		if written += n; err != nil {
			return written, fmt.Errorf("core instance %d: %w", k, err)
		}
	}
	i.meter.Reset()
	for k := range i.comps {
		i.comps[k].reset()
	}
	i.peer.reset()
	i.lent = subtask{}
	i.slots = i.tmpl.limits.Handles
	i.first.restore(i)
	i.watch.stopped.Store(false)
	i.hostBytes.peak.Store(0)
	i.budget.ResetPeak()
	i.hostCtx, i.ctx.Base = nil, nil
	i.trim()
	return written, nil
}

const (
	// maxKeptFuncs bounds the call engines that an instance keeps for the next
	// call, of about 12 KB each, maxKeptStack the bytes of each one's stack: a
	// guest that recurses has one of several megabytes.
	maxKeptFuncs = 16
	maxKeptStack = 128 << 10
)

// trim forgets the call engines that hold too much of the host's memory.
func (i *Instance) trim() {
	kept := 0
	for k := range i.funcs {
		f := &i.funcs[k]
		if f.fn == nil {
			continue
		}
		if kept == maxKeptFuncs || f.fn.Grown(maxKeptStack) {
			f.fn = nil
			continue
		}
		kept++
	}
}

// restore brings back what was noted; nil has nothing.
func (f *first) restore(i *Instance) {
	if f == nil {
		return
	}
	i.slots = f.slots
	for k := range f.comps {
		c, was := &i.comps[k], &f.comps[k]
		c.handles.entries = append(c.handles.entries, was.entries...)
		c.handles.free = append(c.handles.free, was.free...)
		c.thread, c.backpressure = was.thread, was.backpressure
	}
}

func (c *compInst) reset() {
	c.handles.reset()
	*c = compInst{handles: c.handles, parent: c.parent, depth: c.depth, store: c.store, mayEnter: true, mayLeave: true}
}

// maxKept bounds what of a long table is kept for the next call.
const maxKept = 1 << 10

func (t *table) reset() {
	if cap(t.entries) > maxKept {
		t.entries, t.free = nil, nil
		return
	}
	clear(t.entries)
	t.entries, t.free = t.entries[:0], t.free[:0]
}

// Release gives the instance back to its template, which keeps it for a later
// call or closes it, according to [PoolConfig]. Host objects that the guest left
// behind end at once, unless state is kept. The caller must not use the instance
// any more. The error is that of an end, as of [Instance.Close].
func (i *Instance) Release() error { return i.release(false) }

// ReleaseLate is Release for who has something more urgent to do, such as to send
// an answer, and then calls [Template.Clean].
func (i *Instance) ReleaseLate() error { return i.release(true) }

func (i *Instance) release(late bool) error {
	p := i.tmpl.pool
	switch {
	case p == nil:
		return i.Close()
	case i.dead != nil || i.unpoolable != "":
		p.discarded()
		return i.Close()
	case !i.take():
		i.interrupt()
		return errRunning
	}
	var errs []error
	if p.cfg.Reuse == Pristine {
		errs = i.park()
	} else {
		i.trim()
	}
	i.letGo()
	if len(errs) == 0 && p.put(i, late) {
		return nil
	}
	return errors.Join(append(errs, i.Close())...)
}

// Clean brings the instances that were released late back to their first state.
func (t *Template) Clean() {
	if t.pool != nil {
		t.pool.clean()
	}
}

// Unpoolable returns why instances are made anew for every call although the
// template was to keep them; nothing where they are kept. What start functions do
// is known only when there was an instance.
func (t *Template) Unpoolable() []string {
	all := slices.Clone(t.unpoolable)
	if t.pool != nil {
		if why := t.pool.unkept.Load(); why != nil {
			all = append(all, *why)
		}
	}
	return all
}

// Pool returns what the template's pool has counted so far.
func (t *Template) Pool() PoolStats {
	if t.pool == nil {
		return PoolStats{}
	}
	return t.pool.snapshot()
}
