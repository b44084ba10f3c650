package component

import (
	"context"
	"slices"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// Pin ties an instance to a store whose guests have handles of the instance's
// resources: what the handles stand for is the instance's state, so all calls
// with them go there. It is used by who owns the store, one at a time.
type Pin struct {
	holder, target *Instance
	keeper         Keeper
	live           int // handles that the holder has
	cross          crossing
}

// Keeper looks after an instance that is pinned: by calls of [Pin.Forward] and
// [Pin.Destroy], while [Pin.Handles] is not zero.
type Keeper interface {
	// Drop ends a resource whose handle is gone. ctx is that of the holder's call;
	// where that is over, or ended is set, it is never done. Drop may be called
	// while the holder's other objects end: it must not be long.
	Drop(ctx context.Context, ended bool, r *wit.Resource, rep uint32)
}

// NewPin pins an instance for the store that makes the call. It takes effect
// when a call of [Pin.Forward] gives the store a handle.
func (c *ImportCall) NewPin(target *Instance, k Keeper) *Pin {
	return &Pin{holder: c.inst, target: target, keeper: k}
}

// Keeper returns who looks after the pinned instance.
func (p *Pin) Keeper() Keeper { return p.keeper }

// Handles returns how many handles of the instance's resources the holder has.
func (p *Pin) Handles() int { return p.live }

// Dead reports whether the instance has trapped: nothing can be done with its
// handles any more.
func (p *Pin) Dead() bool { return p.target.dead != nil }

// Pins returns the pins that the calling store has handles of.
func (c *ImportCall) Pins() []*Pin { return c.inst.pins }

// Held returns the pin of the first parameter, where that is a handle of a
// pinned instance's resource, and else nil. A handle that the calling guest does
// not have is its own fault and will trap it.
func (c *ImportCall) Held() (*Pin, error) {
	params := c.fn.fn.Params
	if len(params) == 0 || params[0].Type.Resource == nil {
		return nil, nil
	}
	handle := uint32(c.stack[0])
	if !c.fn.sig.flatParams {
		b, err := abi.Region(c.inst.guest(c.fn.guest).Mem.Bytes(), handle, 1, 4, 4)
		if c.fault = err; err != nil {
			return nil, err
		}
		handle = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	}
	comp := &c.inst.comps[c.fn.def.Instance]
	f, err := comp.foreign(params[0].Type.Resource, handle)
	if c.fault = err; err != nil || f == nil {
		return nil, err
	}
	return f.pin, nil
}

// foreign is a resource of another store's guest, of which a guest has a handle.
// It is one of the store's objects.
type foreign struct {
	pin *Pin
	res *wit.Resource // as the pinned instance defines it
	rep uint32
}

// foreign returns what a handle stands for; nil: nothing of another store.
func (c *compInst) foreign(r *wit.Resource, handle uint32) (*foreign, error) {
	e, err := c.handles.resource(r, handle)
	if err != nil {
		return nil, err
	}
	if c.store.defines(r) {
		return nil, nil
	}
	obj, err := c.store.objects.get(e.rep)
	f, _ := obj.(*foreign)
	return f, err
}

// Drop implements Resource.
func (f *foreign) Drop() {
	p := f.pin
	p.forget()
	i := p.holder
	ctx, ended := i.ctx.Base, !i.calling()
	switch {
	case ctx == nil:
		ctx, ended = context.Background(), true
	case ended || ctx.Err() != nil:
		ctx, ended = context.WithoutCancel(ctx), true
	}
	p.keeper.Drop(ctx, ended, f.res, f.rep)
}

// calling reports whether a call runs on the instance.
func (i *Instance) calling() bool {
	s := i.watch.state.Load()
	return s == stateCalling || s == stateSeen
}

// gave notes a handle that the holder got.
func (p *Pin) gave() {
	if p.live++; p.live == 1 {
		p.holder.pins = append(p.holder.pins, p)
	}
}

// forget notes a handle that the holder has no more.
func (p *Pin) forget() {
	if p.live--; p.live == 0 {
		p.holder.pins = slices.DeleteFunc(p.holder.pins, func(x *Pin) bool { return x == p })
	}
}

// Forward is [ImportCall.Forward] to the pinned instance, for a function that may
// pass handles of its resources. The function's type must be that of the export,
// but for who defines the resources.
//
// # Errors
//
// Those of [ImportCall.Forward]; a handle that the caller does not have, or of
// something else than the pinned instance, is the caller's fault.
func (p *Pin) Forward(ctx context.Context, c *ImportCall, e *Export) error {
	m, err := c.fn.match(e)
	if err != nil {
		return err
	}
	if err := p.target.acquire(ctx, e); err != nil {
		return err
	}
	if c.fault = c.checkResultPointer(); c.fault != nil {
		p.target.end()
		return c.fault
	}
	if err := p.cross.call(p, c, e, m); err != nil {
		if c.fault = c.ownFault(err, p.target, e); c.fault == nil {
			return p.target.abort(err, e)
		}
		// No code of the target was stopped: it can still run destructors.
		p.target.unpoolable = "its caller trapped during a call"
		p.target.end()
		return c.fault
	}
	p.target.end()
	c.answered = true
	return nil
}

// Destroy runs the destructor of a resource of the pinned instance whose handle is
// gone, as a call of its own with its own CPU time.
//
// # Errors
//
// Those of [Instance.Call].
func (p *Pin) Destroy(ctx context.Context, r *wit.Resource, rep uint32) error {
	return p.target.finish(ctx, r, func() error { return p.target.destroy(nil, r, rep) })
}

// match says which resources of an import are which of an export.
type match struct {
	export *Export
	types  map[*wit.Resource]*wit.Resource // the importer's, by the exporter's
	err    error
}

// match matches an imported function with an export, which is done once.
func (c *canonFunc) match(e *Export) (*match, error) {
	m := c.matched.Load()
	if m == nil || m.export != e {
		m = &match{export: e, types: map[*wit.Resource]*wit.Resource{}}
		m.err = m.compare(c)
		c.matched.Store(m)
	}
	return m, m.err
}

func (m *match) compare(c *canonFunc) error {
	if !wit.MatchFunc(c.fn, m.export.Type, m.types) {
		return trap.New(trap.Abi, "%s: component %q has %s, its caller wants %s", c.name(), m.export.tmpl.name, m.export.Type, c.fn)
	}
	for theirs, ours := range m.types {
		if _, ok := m.export.tmpl.plan.Resources[theirs]; !ok {
			return trap.New(trap.Unsupported, "%s: component %q does not define resource %q itself, and hands on none", c.name(), m.export.tmpl.name, theirs.Name)
		}
		if !c.foreign[ours] {
			return trap.New(trap.Unsupported, "%s: resource %q is the host's own, which no component can have another of", c.name(), ours.Name)
		}
	}
	return nil
}

// crossing is a call between two stores that may pass handles: each side sees the
// other's through its own table.
type crossing struct {
	pin      *Pin
	match    *match
	comp     *compInst // that calls
	lent     subtask
	src, dst abi.Guest
}

func (x *crossing) call(p *Pin, c *ImportCall, e *Export, m *match) error {
	b, err := e.bridge(c.fn.def.Options.Encoding)
	if err != nil {
		return err
	}
	callee := &p.target.comps[e.lift.inst]
	if err := callee.enter(nil); err != nil {
		return err
	}
	src, dst := c.inst.guest(c.fn.guest), p.target.guest(e.lift.guest)
	x.pin, x.match, x.comp, x.src, x.dst = p, m, &c.inst.comps[c.fn.def.Instance], *src, *dst
	x.src.Handles, x.dst.Handles = (*callerHandles)(x), (*calleeHandles)(x)
	outer := x.comp.call
	x.comp.call = &x.lent
	callee.thread = thread{}
	if e.borrows {
		callee.task = &task{}
	}
	fr := p.target.push()
	err = transferCall(&x.src, p.target, e.lift, &x.dst, b.params, b.results, c.stack, fr)
	p.target.pop()
	src.Fault, dst.Fault = x.src.Fault, x.dst.Fault
	x.lent.release(&x.comp.handles)
	x.comp.call = outer
	callee.task = nil
	callee.leave(nil)
	return err
}

// callerHandles is the table of the component that calls. Resources are the
// callee's, by whose types values move.
type callerHandles crossing

// take returns what a handle of the caller stands for.
func (h *callerHandles) take(r *wit.Resource, handle uint32) (*foreign, error) {
	f, err := h.comp.foreign(h.match.types[r], handle)
	switch {
	case err != nil:
		return nil, err
	case f == nil || f.pin != h.pin:
		return nil, trap.New(trap.Handle, "handle %d is not of the instance of component %q that is called with it", handle, h.pin.target.tmpl.name)
	case f.res != r:
		return nil, trap.New(trap.Handle, "handle %d is of a %s, not of a %s", handle, f.res.Name, r.Name)
	}
	return f, nil
}

// LiftOwn implements abi.Handles.
func (h *callerHandles) LiftOwn(r *wit.Resource, handle uint32) (uint32, error) {
	f, err := h.take(r, handle)
	if err != nil {
		return 0, err
	}
	obj, err := h.comp.LiftOwn(h.match.types[r], handle)
	if err == nil {
		_, err = h.pin.holder.objects.take(obj)
		h.pin.forget()
	}
	return f.rep, err
}

// LiftBorrow implements abi.Handles.
func (h *callerHandles) LiftBorrow(r *wit.Resource, handle uint32) (uint32, error) {
	f, err := h.take(r, handle)
	if err == nil {
		_, err = h.comp.LiftBorrow(h.match.types[r], handle)
	}
	if err != nil {
		return 0, err
	}
	return f.rep, nil
}

// LowerOwn implements abi.Handles. A resource whose handle finds no room is
// dropped with the caller's store, which traps.
func (h *callerHandles) LowerOwn(r *wit.Resource, rep uint32) (uint32, error) {
	obj := h.pin.holder.objects.add(&foreign{h.pin, r, rep})
	h.pin.gave()
	handle, err := h.comp.LowerOwn(h.match.types[r], obj)
	h.src.Fault = err
	return handle, err
}

// LowerBorrow implements abi.Handles: validation allows no borrow in results.
func (h *callerHandles) LowerBorrow(*wit.Resource, uint32) (uint32, error) {
	return 0, trap.New(trap.Handle, "a borrowed handle cannot be returned")
}

// calleeHandles is the table of the component that is called, whose fault it is
// where that has no room.
type calleeHandles crossing

func (h *calleeHandles) table() *compInst {
	return &h.pin.target.comps[h.match.export.lift.inst]
}

// LiftOwn implements abi.Handles.
func (h *calleeHandles) LiftOwn(r *wit.Resource, handle uint32) (uint32, error) {
	return h.table().LiftOwn(r, handle)
}

// LiftBorrow implements abi.Handles.
func (h *calleeHandles) LiftBorrow(r *wit.Resource, handle uint32) (uint32, error) {
	return h.table().LiftBorrow(r, handle)
}

// LowerOwn implements abi.Handles.
func (h *calleeHandles) LowerOwn(r *wit.Resource, rep uint32) (handle uint32, err error) {
	handle, h.dst.Fault = h.table().LowerOwn(r, rep)
	return handle, h.dst.Fault
}

// LowerBorrow implements abi.Handles.
func (h *calleeHandles) LowerBorrow(r *wit.Resource, rep uint32) (handle uint32, err error) {
	handle, h.dst.Fault = h.table().LowerBorrow(r, rep)
	return handle, h.dst.Fault
}
