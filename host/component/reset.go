package component

import (
	"errors"
	"fmt"
	"slices"
)

// mark makes the instance's present state the one that reset brings back, or
// says why there is none.
func (i *Instance) mark() error {
	if i.unpoolable = i.holds(); i.unpoolable != "" {
		return nil
	}
	for k, m := range i.cores {
		if err := m.Mark(i.tmpl.globals[k]); err != nil {
			return fmt.Errorf("core instance %d: %w", k, err)
		}
	}
	return nil
}

// holds tells what an instance has from its start functions that a reset could
// not bring back once a call took it away.
func (i *Instance) holds() string {
	if len(i.objects.list) > 0 {
		return "opens resources of the host when it starts"
	}
	for k := range i.comps {
		if c := &i.comps[k]; len(c.handles.entries) > 0 || c.thread != (thread{}) || c.backpressure != 0 {
			return "opens handles when it starts"
		}
	}
	if i.hostBytes.used.Load() != 0 {
		return "keeps memory of the host when it starts"
	}
	return ""
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
	i.watch.stopped.Store(false)
	i.hostBytes.peak.Store(0)
	i.hostCtx, i.ctx.Base = nil, nil
	return written, nil
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
func (i *Instance) Release() error {
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
		errs = i.objects.dropAll()
	}
	i.letGo()
	if len(errs) == 0 && p.put(i) {
		return nil
	}
	return errors.Join(append(errs, i.Close())...)
}

// Unpoolable returns why instances are made anew for every call although the
// template was to keep them; nothing where they are kept.
func (t *Template) Unpoolable() []string { return slices.Clone(t.unpoolable) }

// Pool returns what the template's pool has counted so far.
func (t *Template) Pool() PoolStats {
	if t.pool == nil {
		return PoolStats{}
	}
	return t.pool.snapshot()
}
