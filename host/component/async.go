package component

import (
	"errors"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// Asynchronous calls between two components of one store are carried out as
// far as nobody has to wait: the callee returns its result and ends before
// control goes back to its caller. Where one would have to wait, the store
// traps with [trap.Unsupported].

// The parts of the asynchronous ABI's numbers that such calls meet.
const (
	subtaskReturned = 2   // of a lowered call: it is over, and has no handle
	callbackMask    = 0xf // of what a function with a callback returns
	callbackExit    = 0
)

// completion is where the result of a call in progress goes.
type completion struct {
	lower  *canonFunc // what the caller called
	caller *abi.Guest
	ptr    uint32   // in the caller's memory
	flat   []uint64 // or here, where the result is one core value
	done   bool
}

// prepareAsync readies a lowering whose function type or whose options are
// asynchronous.
func (t *Template) prepareAsync(c *canonFunc) error {
	lift := c.def.Func.Lift
	if lift == nil {
		c.run = refuseAsync
		return nil
	}
	c.lift, c.run = t.liftedFunc(lift, c.fn), callAsync
	lower := c.def.Options.Encoding
	var err error
	if c.params, err = t.programs.Transfer(c.fn.ParamTypes(), lower, lift.Options.Encoding); err == nil {
		c.results, err = t.programs.Transfer(c.fn.ResultTypes(), lift.Options.Encoding, lower)
	}
	if errors.Is(err, abi.ErrAsync) {
		c.run, err = refuseAsync, nil
	}
	return err
}

func refuseAsync(c *canonFunc, _ *Instance, _ []uint64) error {
	return trap.New(trap.Unsupported, "%s: asynchronous calls are not carried out yet", c.name())
}

// callAsync is [callLifted] where one of the two sides, or both, use the
// asynchronous ABI.
func callAsync(c *canonFunc, i *Instance, stack []uint64) error {
	caller, callee := &i.comps[c.def.Instance], &i.comps[c.lift.inst]
	if err := callee.enter(caller); err != nil {
		return err
	}
	call, outer, waiting := caller.call, callee.task, callee.thread
	fr := i.push()
	to := &completion{lower: c, caller: i.guest(c.guest), flat: fr.out[:1]}
	if c.sig.hasResult && !c.returnsFlat() {
		to.ptr = uint32(stack[c.lowerParams()])
	}
	caller.call, callee.task, callee.thread = &subtask{}, &task{}, thread{}
	if c.lift.async {
		callee.task.returns = to
	}
	err := c.complete(i, to, stack, fr)
	i.pop()
	if err != nil {
		return err // the store is dead: nothing is put back
	}
	caller.call.release(&caller.handles)
	caller.call, callee.task, callee.thread = call, outer, waiting
	callee.leave(caller)
	switch {
	case c.def.Options.Async:
		stack[0] = subtaskReturned
	case c.returnsFlat():
		stack[0] = fr.out[0]
	}
	return nil
}

// complete passes the parameters, runs the callee and sees that it returns.
func (c *canonFunc) complete(i *Instance, to *completion, stack []uint64, fr *frame) error {
	g, callee := i.guest(c.lift.guest), &i.comps[c.lift.inst]
	if err := c.passParams(to.caller, g, stack, fr.in[:]); err != nil {
		return err
	}
	if err := i.callCore(c.lift.core, fr.in[:]); err != nil {
		return err
	}
	switch {
	case c.lift.async && c.lift.callback && fr.in[0]&callbackMask != callbackExit,
		c.lift.async && !to.done && c.lift.callback:
		return trap.New(trap.Unsupported, "%s has to wait: asynchronous calls are not carried out yet", c.name())
	case c.lift.async && !to.done:
		return trap.New(trap.Abi, "%s ended without returning a result", c.name())
	case callee.task.borrows > 0:
		return trap.New(trap.Handle, "borrow handles still remain at the end of the call")
	case c.lift.async:
		return nil
	}
	if err := to.put(g, c.sig.flatResult, fr.in[:1]); err != nil {
		return err
	}
	return i.postReturn(c.lift, fr.in[0])
}

// passParams moves the parameters from where the caller's ABI has them to where
// the callee's wants them.
func (c *canonFunc) passParams(src, dst *abi.Guest, stack, in []uint64) error {
	switch {
	case !c.sig.flatParams:
		ptr, err := abi.Alloc(dst, c.params.Align(), c.params.Size())
		if err != nil {
			return err
		}
		in[0] = uint64(ptr)
		return c.params.Mem(src, dst, uint32(stack[0]), ptr)
	case c.lowersFlat():
		return c.params.Flat(src, dst, stack[:c.sig.nparams], in)
	default:
		return c.params.MemToFlat(src, dst, uint32(stack[0]), in)
	}
}

// lowersFlat reports whether the caller passes flat parameters.
func (c *canonFunc) lowersFlat() bool {
	return c.sig.flatParams && (!c.def.Options.Async || c.sig.nparams <= wit.MaxFlatAsyncParams)
}

// lowerParams returns how many core parameters stand before a result pointer.
func (c *canonFunc) lowerParams() int {
	if c.lowersFlat() {
		return c.sig.nparams
	}
	return 1
}

// returnsFlat reports whether the caller gets the result as a core value.
func (c *canonFunc) returnsFlat() bool {
	return c.sig.hasResult && c.sig.flatResult && !c.def.Options.Async
}

// put moves the result: core values from, or the memory that the first of them
// points to.
func (to *completion) put(g *abi.Guest, flat bool, from []uint64) error {
	c := to.lower
	to.done = true
	switch {
	case !c.sig.hasResult:
		return nil
	case !flat:
		return c.results.Mem(g, to.caller, uint32(from[0]), to.ptr)
	case c.returnsFlat():
		return c.results.Flat(g, to.caller, from, to.flat)
	default:
		return c.results.FlatToMem(g, to.caller, from, to.ptr)
	}
}

// prepareTaskReturn readies the built-in by which asynchronous functions return.
func (t *Template) prepareTaskReturn(c *canonFunc) {
	c.guest = t.guests.add(c.def.Instance, c.def.Options, &t.refs)
	c.run = taskReturn
}

// taskReturn checks that the result is the one that the running task was lifted
// with, in type and options, and passes it on.
func taskReturn(c *canonFunc, i *Instance, stack []uint64) error {
	callee := &i.comps[c.def.Instance]
	if callee.task == nil || callee.task.returns == nil {
		return trap.New(trap.Abi, "task.return called by a function that is not asynchronous")
	}
	to := callee.task.returns
	lift := to.lower.lift
	guests := i.tmpl.guests.list
	switch {
	case !wit.Equal(c.def.Result, to.lower.fn.Result),
		c.def.Options.Encoding != lift.enc,
		guests[c.guest].memory != guests[lift.guest].memory:
		return trap.New(trap.Abi, "invalid task.return signature or options for %s", to.lower.name())
	case to.done:
		return trap.New(trap.Abi, "task.return called twice for %s", to.lower.name())
	case callee.task.borrows > 0:
		return trap.New(trap.Handle, "borrow handles still remain at the end of the call")
	}
	return to.put(i.guest(c.guest), c.def.Result == nil || c.def.Result.FitsFlat(wit.MaxFlatParams), stack)
}

// liftedFunc readies a lifted function of either ABI.
func (t *Template) liftedFunc(l *link.Lift, f *wit.Func) *liftedFunc {
	r := &liftedFunc{inst: l.Instance, core: t.refs.add(l.Core), postReturn: -1,
		guest: t.guests.add(l.Instance, l.Options, &t.refs), sig: signatureOf(f),
		enc: l.Options.Encoding, async: l.Options.Async, callback: l.Options.Callback != nil}
	if l.Options.PostReturn != nil {
		r.postReturn = t.refs.add(*l.Options.PostReturn)
	}
	return r
}
