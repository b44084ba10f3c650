package component

import (
	"errors"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
)

// callLifted is a call from one component instance to another of the same
// store: values go from memory to memory.
func callLifted(c *canonFunc, i *Instance, stack []uint64) error {
	caller, callee := &i.comps[c.def.Instance], &i.comps[c.lift.inst]
	if err := callee.enter(caller); err != nil {
		return err
	}
	// A child may call its parent, which waits for it: the parent has a call out
	// and a call in then, which are put back.
	call, outer, waiting := caller.call, callee.task, callee.thread
	caller.call, callee.task, callee.thread = nil, nil, thread{}
	if c.hasBorrow {
		caller.call, callee.task = &subtask{}, &task{}
	}
	fr := i.push()
	err := transferCall(i.guest(c.guest), i, c.lift, i.guest(c.lift.guest), c.params, c.results, stack, fr)
	i.pop()
	if err != nil {
		if lift, ok := errors.AsType[*liftError](err); ok {
			err = lift.error // one store: it does not matter whose fault it was
		}
		return err // the store is dead: nothing is put back
	}
	if c.hasBorrow {
		caller.call.release(&caller.handles)
	}
	caller.call, callee.task, callee.thread = call, outer, waiting
	callee.leave(caller)
	return nil
}

// transferCall moves the parameters of a lowered call from src, calls the
// lifted function of dst, and moves the result back. g is the lifted side, and
// dst's instance has been entered.
func transferCall(src *abi.Guest, dst *Instance, l *liftedFunc, g *abi.Guest, params, results *abi.Transfer, stack []uint64, fr *frame) error {
	callee, sig := &dst.comps[l.inst], &l.sig
	if sig.flatParams {
		if err := params.Flat(src, g, stack[:sig.nparams], fr.in[:]); err != nil {
			return &liftError{err}
		}
	} else {
		ptr, err := abi.Alloc(g, params.Align(), params.Size())
		if err != nil {
			return err
		}
		if err := params.Mem(src, g, uint32(stack[0]), ptr); err != nil {
			return &liftError{err}
		}
		fr.in[0] = uint64(ptr)
	}
	if err := dst.callCore(l.core, fr.in[:]); err != nil {
		return err
	}
	if callee.task != nil && callee.task.borrows > 0 {
		return trap.New(trap.Handle, "borrow handles still remain at the end of the call")
	}
	if sig.hasResult {
		var err error
		if sig.flatResult {
			err = results.Flat(g, src, fr.in[:1], fr.out[:])
		} else {
			err = results.Mem(g, src, uint32(fr.in[0]), uint32(stack[sig.nparams]))
		}
		if err != nil {
			return err
		}
	}
	if err := dst.postReturn(l, fr.in[0]); err != nil {
		return err
	}
	if sig.hasResult && sig.flatResult {
		stack[0] = fr.out[0]
	}
	return nil
}

// liftError marks a failure to move the parameters of a call, which is the
// caller's fault unless the callee's realloc trapped.
type liftError struct{ error }

func (e *liftError) Unwrap() error { return e.error }

// postReturn lets the guest free its results; it may not call out meanwhile.
func (i *Instance) postReturn(l *liftedFunc, result uint64) error {
	if l.postReturn < 0 {
		return nil
	}
	fr := i.push()
	fr.in[0] = result
	c := &i.comps[l.inst]
	c.mayLeave = false
	err := i.callCore(l.postReturn, fr.in[:])
	c.mayLeave = true
	i.pop()
	return err
}

// callHost is a call to an interface that the host implements.
func callHost(c *canonFunc, i *Instance, stack []uint64) error {
	if i.watch.stopped.Load() {
		return i.cancelled() // the host does nothing more for a call that is over
	}
	inv, comp, g := &i.inv, &i.comps[c.def.Instance], i.guest(c.guest)
	if inv.fn != c { // a guest often calls one function again
		inv.fn, inv.guest, inv.comp, inv.enc = c, g, comp, c.def.Options.Encoding
	}
	g.Budget = int64(i.tmpl.limits.LiftBytes)
	call := comp.call
	comp.call = &inv.lent
	c.host.Call(inv, stack)
	if len(inv.lent.lenders) > 0 {
		inv.lent.release(&comp.handles)
	}
	comp.call = call
	if ctx := i.hostCtx; i.watch.stopped.Load() || ctx != nil && ctx.asked.Load() {
		return i.cancelled()
	}
	return nil
}

// cancelled ends a guest whose call is over while the host worked for it.
func (i *Instance) cancelled() error {
	if !i.watch.stopped.Load() {
		if i.ctx.Base.Err() == nil {
			return nil
		}
		i.interrupt()
	}
	return trap.New(trap.Unreachable, "stopped by the host")
}

// callImport is a call to a function that a [Callee] carries out. A store makes
// one at a time: all that runs in it meanwhile is realloc, which may not leave.
func callImport(c *canonFunc, i *Instance, stack []uint64) error {
	call := &i.imported
	call.inst, call.fn, call.stack = i, c, stack
	err := call.carryOut()
	call.inst, call.stack, call.answered, call.fault = nil, nil, false, nil // it must not be kept
	return err
}

// carryOut has the call answered, by a value that tells why it failed if need
// be.
func (c *ImportCall) carryOut() error {
	err := c.fn.callee.Call(c)
	if c.fault != nil {
		return c.fault
	}
	if err != nil && c.Context().Err() != nil {
		return over(c.Context()) // which the guest must not take for an answer
	}
	if c.inst.watch.stopped.Load() {
		return c.inst.cancelled()
	}
	if err == nil && !c.answered {
		err = errors.New("the host gave no answer")
	}
	if err == nil {
		return nil
	}
	value, ok := failureValue(c.fn.fn.Result, err.Error())
	if !ok {
		return trap.New(trap.Import, "%s: %w", c.fn.name(), err)
	}
	return c.SetResults(value)
}
