package component

import (
	"context"
	"errors"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// ImportCall is one call of an imported function, to be answered by a
// [Callee] before it returns. It must not be kept.
type ImportCall struct {
	inst     *Instance
	fn       *canonFunc
	stack    []uint64
	answered bool
	fault    error // the calling guest's own
}

// Context carries the calling invocation's deadline and values, and is done
// when that invocation is cancelled.
func (c *ImportCall) Context() context.Context { return c.inst.ctx.Base }

// Component returns the id of the calling component.
func (c *ImportCall) Component() string { return c.inst.tmpl.name }

// Interface returns the full name of the imported interface.
func (c *ImportCall) Interface() string { return c.fn.iface }

// Func returns the imported function's type.
func (c *ImportCall) Func() *wit.Func { return c.fn.fn }

// AppendParams appends the parameters, in wRPC's value encoding, to dst. An
// error is the calling guest's own fault and will trap it.
func (c *ImportCall) AppendParams(dst []byte) ([]byte, error) {
	g := c.inst.guest(c.fn.guest)
	g.Budget = int64(c.inst.tmpl.limits.LiftBytes)
	var out []byte
	if c.fn.sig.flatParams {
		out, c.fault = c.fn.lifts.LiftFlat(g, nil, c.stack[:c.fn.sig.nparams], dst)
	} else {
		out, c.fault = c.fn.lifts.LiftMem(g, nil, uint32(c.stack[0]), dst)
	}
	return out, c.fault
}

// SetResults answers with results in wRPC's value encoding. An error means
// that the bytes are not a value of the result type, or that the guest could
// not take it, which traps it.
func (c *ImportCall) SetResults(b []byte) error {
	if c.fault = c.checkResultPointer(); c.fault != nil {
		return c.fault
	}
	g := c.inst.guest(c.fn.guest)
	var err error
	switch sig := &c.fn.sig; {
	case !sig.hasResult:
	case sig.flatResult:
		b, err = c.fn.lowers.LowerFlat(g, nil, b, c.stack[:1])
	default:
		b, err = c.fn.lowers.LowerMem(g, nil, b, uint32(c.stack[sig.nparams]))
	}
	c.fault = g.Fault
	if err == nil && len(b) > 0 {
		err = errors.New("the answer has bytes after its last value")
	}
	c.answered = err == nil
	return err
}

// Forward answers by a call of an export of another store: values go from
// memory to memory, under target's own limits and ctx. The export must have
// the imported function's type; see [wit.EqualFunc]. target is dead after an
// error.
//
// # Errors
//
// The target's *[trap.Error], or the calling guest's own fault, which will
// trap the caller.
func (c *ImportCall) Forward(ctx context.Context, target *Instance, e *Export) error {
	if err := target.acquire(ctx, e); err != nil {
		return err
	}
	if c.fault = c.checkResultPointer(); c.fault != nil {
		target.end()
		return c.fault
	}
	if err := c.forward(target, e); err != nil {
		return c.failed(err, target, e)
	}
	target.end()
	c.answered = true
	return nil
}

// failed ends a call that was forwarded.
func (c *ImportCall) failed(err error, target *Instance, e *Export) error {
	if c.fault = c.ownFault(err, target, e); c.fault == nil {
		return target.abort(err, e)
	}
	target.detach(true)
	target.dead = errAbandoned
	target.letGo()
	return c.fault
}

// ownFault returns the calling guest's fault that a forwarded call failed by; nil:
// it was the target's.
func (c *ImportCall) ownFault(err error, target *Instance, e *Export) error {
	if fault := c.inst.guest(c.fn.guest).Fault; fault != nil {
		return fault
	}
	if lift, ok := errors.AsType[*liftError](err); ok && target.guest(e.lift.guest).Fault == nil {
		return lift.error
	}
	return nil
}

var errAbandoned = &trap.Error{Code: trap.Poisoned, Msg: "the caller trapped during its call"}

func (c *ImportCall) forward(target *Instance, e *Export) error {
	b, err := e.bridge(c.fn.def.Options.Encoding)
	if err != nil {
		return err
	}
	comp := &target.comps[e.lift.inst]
	if err := comp.enter(nil); err != nil {
		return err
	}
	comp.thread = thread{}
	fr := target.push()
	err = transferCall(c.inst.guest(c.fn.guest), target, e.lift, target.guest(e.lift.guest), b.params, b.results, c.stack, fr)
	target.pop()
	if err == nil {
		comp.leave(nil)
	}
	return err
}

// checkResultPointer checks the place for the result before anything is
// called, so that a fault of the caller is never taken for one of the callee.
func (c *ImportCall) checkResultPointer() error {
	sig := &c.fn.sig
	if !sig.hasResult || sig.flatResult {
		return nil
	}
	g := c.inst.guest(c.fn.guest)
	_, err := abi.Region(g.Mem.Bytes(), uint32(c.stack[sig.nparams]), 1, sig.resultSize, sig.resultAlign)
	return err
}

// bridge is the pair of programs that join callers of one string encoding to
// an export.
type bridge struct{ params, results *abi.Transfer }

// bridge returns the programs for a caller's encoding, compiled once.
func (e *Export) bridge(from abi.Encoding) (*bridge, error) {
	if b := e.bridges[from].Load(); b != nil {
		return b, nil
	}
	b := &bridge{}
	var err error
	if b.params, err = abi.CompileTransfer(e.Type.ParamTypes(), from, e.enc); err != nil {
		return nil, err
	}
	if b.results, err = abi.CompileTransfer(e.Type.ResultTypes(), e.enc, from); err != nil {
		return nil, err
	}
	e.bridges[from].Store(b)
	return b, nil
}
