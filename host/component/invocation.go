package component

import (
	"bytes"
	"context"
	"errors"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// Invocation is one call from a guest into the host, or the other way round.
// Generated bindings are written against it. Every method that finds the guest
// at fault traps it, by a panic that the runtime recovers.
type Invocation struct {
	inst  *Instance
	comp  *compInst
	fn    *canonFunc // of a call from the guest
	out   *Export    // of a call into it
	enc   abi.Encoding
	guest *abi.Guest
	lent  subtask
}

func (inv *Invocation) name() string {
	if inv.out != nil {
		return inv.out.name()
	}
	return inv.fn.name()
}

// Context carries the call's deadline, its values and the instance's
// [HostBudget], and is done when the call is cancelled. Whatever blocks must
// watch it.
func (inv *Invocation) Context() context.Context {
	i := inv.inst
	if i.hostCtx == nil {
		i.hostCtx = &hostContext{Context: i.ctx.Base, budget: &i.hostBytes}
	}
	return i.hostCtx
}

// Memory returns the guest's memory as it is now. A call of Realloc,
// LowerString or LowerOwn makes the slice stale: fetch it again.
func (inv *Invocation) Memory() []byte { return inv.guest.Mem.Bytes() }

// Region returns the n elements of size bytes at ptr, after checking that they
// are aligned and inside memory. The slice goes stale like [Invocation.Memory]'s.
func (inv *Invocation) Region(ptr, n, size, align uint32) []byte {
	b, err := abi.Region(inv.guest.Mem.Bytes(), ptr, n, size, align)
	if err == nil {
		// Glue may make Go values of it, so it counts like what is copied.
		if inv.guest.Budget -= int64(len(b)); inv.guest.Budget < 0 {
			err = trap.New(trap.Limit, "the values take more than %d bytes", inv.inst.tmpl.limits.LiftBytes)
		}
	}
	inv.check(err)
	return b
}

// Bytes returns the n bytes at ptr, after checking that they are inside memory:
// of a call from the guest those in its memory, which go stale like
// [Invocation.Memory]'s, else a copy.
func (inv *Invocation) Bytes(ptr, n uint32) []byte {
	b := inv.Region(ptr, n, 1, 1)
	if inv.out != nil {
		return bytes.Clone(b)
	}
	return b
}

// Realloc asks the guest for size new bytes. The result is aligned and inside
// memory, for any size including 0.
func (inv *Invocation) Realloc(align, size uint32) (ptr uint32) {
	ptr, err := abi.Alloc(inv.guest, align, size)
	inv.check(err)
	return ptr
}

// LiftString copies the string at ptr out of memory, in the encoding that the
// guest declared for the function; units is its length as the guest gave it.
func (inv *Invocation) LiftString(ptr, units uint32) string {
	s, err := abi.LiftString(inv.guest, inv.enc, ptr, units)
	inv.check(err)
	return s
}

// LowerString stores s in the guest's memory and encoding.
func (inv *Invocation) LowerString(s string) (ptr, units uint32) {
	ptr, units, err := abi.LowerString(inv.guest, inv.enc, s)
	inv.check(err)
	return ptr, units
}

// Trap stops the guest with err; it does not return.
func (inv *Invocation) Trap(err error) {
	t := trap.As(err)
	switch ctx := inv.Context(); {
	case t != nil:
		c := *t
		c.Msg = inv.name() + ": " + t.Msg
		t = &c
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		t = trap.New(trap.Deadline, "%s: %w", inv.name(), err)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		t = trap.New(trap.Cancelled, "%s: %w", inv.name(), err)
	case inv.out != nil:
		t = trap.New(trap.Host, "%s: %w", inv.name(), err)
	default:
		t = trap.New(trap.Import, "%s: %w", inv.name(), err)
	}
	panic(t)
}

func (inv *Invocation) check(err error) {
	if err != nil {
		inv.Trap(err)
	}
}

// LiftOwn takes an owned handle away from the guest and returns its object.
func (inv *Invocation) LiftOwn(r *wit.Resource, handle uint32) Resource {
	rep, err := inv.comp.LiftOwn(r, handle)
	inv.check(err)
	obj, err := inv.inst.objects.take(rep)
	inv.check(err)
	return obj
}

// LiftBorrow returns the object of a handle that the guest lends for the call.
func (inv *Invocation) LiftBorrow(r *wit.Resource, handle uint32) Resource {
	rep, err := inv.comp.LiftBorrow(r, handle)
	inv.check(err)
	obj, err := inv.inst.objects.get(rep)
	inv.check(err)
	return obj
}

// Owe notes an object that LowerOwn will be called with, in the order of those
// calls. If the guest traps before, as it may while the rest of a result is
// stored, the object is dropped with the instance: else nobody would drop it.
func (inv *Invocation) Owe(obj Resource) { inv.inst.objects.owe(obj) }

// LowerOwn gives the guest an owned handle of obj.
func (inv *Invocation) LowerOwn(r *wit.Resource, obj Resource) (handle uint32) {
	h, err := inv.comp.LowerOwn(r, inv.inst.objects.give(obj))
	inv.check(err)
	return h
}
