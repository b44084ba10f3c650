package component

import (
	"context"
	"fmt"

	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/wit"
)

// ExportsOf returns the exported functions of an interface, in its order, for
// generated callers. The interface is found as by [Template.Export]; every
// function must have the very type that it has there.
func (t *Template) ExportsOf(iface *wit.Interface) ([]*Export, error) {
	list := make([]*Export, len(iface.Funcs))
	for k, f := range iface.Funcs {
		e := t.Export(iface.Name, f.Name)
		switch {
		case e == nil:
			return nil, fmt.Errorf("component %s does not export %s.%s", t.name, iface.Name, f.Name)
		case !wit.EqualFunc(e.Type, f):
			return nil, fmt.Errorf("component %s exports %s.%s with another type: %v", t.name, iface.Name, f.Name, e.Type)
		}
		list[k] = e
	}
	return list, nil
}

// Hold begins calls of generated callers that share their context, limits and
// what is to be done for each call: until [Instance.Unhold], no other call may
// begin, and those of callers must have this very ctx. They have CPU time
// together, as if they were one call, and each costs hardly more than the jump
// into the guest. A trap ends it, too.
func (i *Instance) Hold(ctx context.Context) error {
	if !i.begin(ctx) {
		return errRunning
	}
	if err := i.startable(ctx); err != nil {
		i.end()
		return err
	}
	i.meter.SetTickLimit(uint64(i.tmpl.limits.CPU))
	i.held = true
	return nil
}

// Unhold ends what [Instance.Hold] began.
func (i *Instance) Unhold() {
	if i.held {
		i.held, i.out.again = false, nil
		i.end()
	}
}

// Outcall is one call of an exported function by the host's Go code, without an
// encoding between: generated callers move the values.
//
//	Outcall → parameters into Stack → Do → results out of it, and of memory → End
type Outcall struct {
	// Stack has the parameters as core values, then the result. Where there
	// are more than [wit.MaxFlatParams] flat parameters, Stack[0] points to them;
	// where the result has more than [wit.MaxFlatResults], it points to it.
	Stack [maxCoreValues]uint64

	inv   Invocation
	lift  *liftedFunc
	core  *coreFunc
	again *Export // of the last call, where the next is held together with it; nil: none is
	plain bool    // nothing is to be done after the call but to let the next one in
}

// Outcall begins a call of an export of the instance's template, unless one runs.
//
// # Errors
//
// Those of [Instance.Call].
func (i *Instance) Outcall(ctx context.Context, e *Export) (*Outcall, error) {
	o := &i.out
	if o.again != e || !i.boundTo(ctx) {
		if err := i.beginOut(ctx, e); err != nil {
			return nil, err
		}
	}
	comp := o.inv.comp
	if comp.parent == nil && comp.mayEnter {
		comp.mayEnter = false // what enter does there
	} else if err := comp.enter(nil); err != nil {
		return nil, i.abortOut(err)
	}
	comp.thread = thread{}
	return o, nil
}

// beginOut begins a call that is not like the last one.
func (i *Instance) beginOut(ctx context.Context, e *Export) error {
	if !i.held || !i.boundTo(ctx) {
		if err := i.acquire(ctx, e); err != nil {
			return err
		}
	} else if err := i.usable(ctx, e); err != nil {
		return err
	}
	o, inv := &i.out, &i.out.inv
	if i.held {
		o.again = e
	}
	o.lift, o.core = e.lift, &i.funcs[e.lift.core]
	o.plain = o.again != nil && o.lift.postReturn < 0 && i.comps[e.lift.inst].parent == nil
	inv.out, inv.comp, inv.enc, inv.guest = e, &i.comps[e.lift.inst], e.enc, i.guest(e.lift.guest)
	return nil
}

// Values moves values that are not numbers, which may trap the guest by a panic:
// the caller needs [Outcall.Recover].
func (o *Outcall) Values() *Invocation { return &o.inv }

// Do calls the function.
func (o *Outcall) Do() error {
	i, f := o.inv.inst, o.core
	if f.fn == nil {
		if err := i.callCore(o.lift.core, o.Stack[:]); err != nil {
			return i.abortOut(err)
		}
	} else { // callCore, where no call waits for this one
		i.nesting, f.busy = 1, true
		if err := f.fn.Call(&i.ctx, o.Stack[:]); err != nil {
			return i.abortOut(err)
		}
		i.nesting, f.busy = 0, false
	}
	o.inv.guest.Budget = int64(i.tmpl.limits.LiftBytes)
	return nil
}

// End ends the call, after which the guest may free its results. Stack must be as
// Do left it.
func (o *Outcall) End() error {
	if o.plain {
		o.inv.comp.mayEnter = true // what leave does there
		return nil
	}
	i := o.inv.inst
	if o.lift.postReturn >= 0 {
		if err := i.postReturn(o.lift, o.Stack[0]); err != nil {
			return i.abortOut(err)
		}
	}
	if comp := o.inv.comp; comp.parent == nil {
		comp.mayEnter = true // what leave does there
	} else {
		comp.leave(nil)
	}
	if o.again == nil {
		i.end()
	}
	return nil
}

// Recover is deferred where values are moved, which may panic: then it ends the
// call and sets err.
func (o *Outcall) Recover(err *error) {
	if r := recover(); r != nil {
		*err = o.inv.inst.abortOut(engine.Recovered(r))
	}
}

// abortOut ends a call that failed, and with it the instance.
func (i *Instance) abortOut(err error) error {
	i.held, i.out.again = false, nil
	return i.abort(err, i.out.inv.out)
}
