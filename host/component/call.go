package component

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// Export is an exported function of a template.
type Export struct {
	// Interface is the full name of the exported interface, empty for a
	// function that the world exports by itself.
	Interface string
	Type      *wit.Func

	lift    *liftedFunc
	enc     abi.Encoding
	lowers  *abi.Wire
	lifts   *abi.Wire
	borrows bool
	tmpl    *Template
	bridges [3]atomic.Pointer[bridge] // by the caller's string encoding
	refused error                     // why the function cannot be called
}

// Exports returns the exported functions.
func (t *Template) Exports() []*Export { return t.exports }

// Export returns the exported function of that name, or nil. iface is matched
// exactly, then with any compatible version.
func (t *Template) Export(iface, fn string) *Export {
	var near *Export
	for _, e := range t.exports {
		if e.Type.Name != fn {
			continue
		}
		if e.Interface == iface {
			return e
		}
		if wit.Track(e.Interface) == wit.Track(iface) {
			near = e
		}
	}
	return near
}

func (t *Template) prepareExport(x link.Export) (*Export, error) {
	e := &Export{tmpl: t, Interface: x.Interface, Type: x.Func.Type, borrows: hasBorrow(x.Func.Type)}
	if x.Func.Lift == nil {
		e.refused = trap.New(trap.Unsupported, "the function is an import that is exported again")
		return e, nil
	}
	var err error
	if e.lift, err = t.lifted(x.Func.Lift, e.Type); err != nil {
		e.refused = err
		return e, nil
	}
	e.enc = x.Func.Lift.Options.Encoding
	if e.lowers, err = t.programs.Wire(e.Type.ParamTypes(), e.enc); err == nil {
		e.lifts, err = t.programs.Wire(e.Type.ResultTypes(), e.enc)
	}
	if errors.Is(err, abi.ErrAsync) {
		e.refused, err = err, nil
	}
	return e, err
}

func (e *Export) name() string {
	if e.Interface == "" {
		return e.Type.Name
	}
	return e.Interface + "." + e.Type.Name
}

// Call takes an instance, calls one export on it and gives it back. Parameters and results are in wRPC's value encoding; results
// are appended to dst.
func (t *Template) Call(ctx context.Context, e *Export, params, dst []byte) ([]byte, error) {
	i, err := t.Take(ctx)
	if err != nil {
		return dst, err
	}
	dst, err = i.Call(ctx, e, params, dst)
	return dst, errors.Join(err, i.Release())
}

// Call calls an export. Parameters and results are in wRPC's value encoding;
// results are appended to dst.
//
// # Errors
//
// A *[trap.Error], after which the instance is dead; or an error of the
// parameters' encoding, also fatal to the instance.
func (i *Instance) Call(ctx context.Context, e *Export, params, dst []byte) ([]byte, error) {
	if err := i.acquire(ctx, e); err != nil {
		return dst, err
	}
	out, err := i.callWire(e, params, dst)
	if err != nil {
		return dst, i.abort(err, e)
	}
	i.end()
	return out, nil
}

// Drop drops a handle of one of the guest's own resources that the host got by
// [Instance.Call], encoded as it was there. The guest's destructor runs as a call of
// its own, with its own CPU time.
//
// # Errors
//
// Those of [Instance.Call].
func (i *Instance) Drop(ctx context.Context, r *wit.Resource, handle []byte) error {
	return i.finish(ctx, r, func() error { return i.dropHandle(r, handle) })
}

// finish ends one of the guest's own resources, as a call of its own.
func (i *Instance) finish(ctx context.Context, r *wit.Resource, end func() error) error {
	if !i.begin(ctx) {
		return errRunning
	}
	if err := i.startable(ctx); err != nil {
		i.end()
		return err
	}
	i.meter.SetTickLimit(uint64(i.tmpl.limits.CPU))
	if err := end(); err != nil {
		i.detach(true)
		err = i.fail(err, "[resource-drop]"+r.Name)
		i.letGo()
		return err
	}
	i.end()
	return nil
}

func (i *Instance) dropHandle(r *wit.Resource, handle []byte) error {
	index, ok := abi.ParseHandle(handle)
	if !ok {
		return trap.New(trap.Abi, "parameters: the handle is none of this instance")
	}
	rep, err := i.peer.takeOwn(r, index)
	if err != nil {
		return err
	}
	return i.destroy(nil, r, rep)
}

// acquire begins a call and gives it its CPU time, or says why it cannot be.
func (i *Instance) acquire(ctx context.Context, e *Export) error {
	if !i.begin(ctx) {
		return errRunning
	}
	if err := i.usable(ctx, e); err != nil {
		i.end()
		return err
	}
	i.meter.SetTickLimit(uint64(i.tmpl.limits.CPU))
	return nil
}

// startable returns why no call can begin.
func (i *Instance) startable(ctx context.Context) error {
	switch {
	case i.dead != nil:
		return &trap.Error{Code: trap.Poisoned, Err: i.dead, Msg: i.dead.Error(), Component: i.tmpl.name}
	case ctx.Err() != nil:
		t := over(ctx)
		t.Component = i.tmpl.name
		return t
	}
	return nil
}

// abort ends a call that failed: the instance is dead.
func (i *Instance) abort(err error, e *Export) error {
	i.detach(true)
	err = i.fail(err, e.name())
	i.letGo()
	return err
}

// usable returns why a call cannot begin.
func (i *Instance) usable(ctx context.Context, e *Export) error {
	switch {
	case e == nil || e.tmpl != i.tmpl:
		return fmt.Errorf("%s: the function is no export of this component", i.tmpl.name)
	case i.dead != nil:
		return &trap.Error{Code: trap.Poisoned, Err: i.dead, Msg: i.dead.Error(), Component: i.tmpl.name, Func: e.name()}
	case e.refused == nil && ctx.Err() != nil:
		t := over(ctx)
		t.Component, t.Func = i.tmpl.name, e.name()
		return t
	}
	return e.refused
}

func (i *Instance) callWire(e *Export, params, dst []byte) ([]byte, error) {
	comp := &i.comps[e.lift.inst]
	if err := comp.enter(nil); err != nil {
		return nil, err
	}
	comp.thread = thread{}
	if e.borrows {
		comp.task = &task{}
	}
	fr := i.push()
	dst, err := i.callFrame(e, params, dst, fr)
	i.pop()
	if err != nil {
		return nil, err
	}
	comp.task = nil
	i.lent.release(&i.peer)
	comp.leave(nil)
	return dst, nil
}

// callFrame moves the parameters, calls the core function and moves the result.
func (i *Instance) callFrame(e *Export, params, dst []byte, fr *frame) ([]byte, error) {
	comp, g, host := &i.comps[e.lift.inst], i.guest(e.lift.guest), (*hostHandles)(i)
	if err := i.lowerParams(e, g, host, params, fr); err != nil {
		if trap.As(err) == nil {
			err = trap.New(trap.Abi, "parameters: %w", err) // the caller's encoding, no guest's fault
		}
		return nil, err
	}
	if err := i.callCore(e.lift.core, fr.in[:]); err != nil {
		return nil, err
	}
	if comp.task != nil && comp.task.borrows > 0 {
		return nil, trap.New(trap.Handle, "borrow handles still remain at the end of the call")
	}
	g.Budget = int64(i.tmpl.limits.LiftBytes)
	var err error
	switch sig := &e.lift.sig; {
	case !sig.hasResult:
	case sig.flatResult:
		dst, err = e.lifts.LiftFlat(g, host, fr.in[:1], dst)
	default:
		dst, err = e.lifts.LiftMem(g, host, uint32(fr.in[0]), dst)
	}
	if err != nil {
		return nil, err
	}
	return dst, i.postReturn(e.lift, fr.in[0])
}

func (i *Instance) lowerParams(e *Export, g *abi.Guest, host abi.Handles, params []byte, fr *frame) (err error) {
	var rest []byte
	if sig := &e.lift.sig; sig.flatParams {
		rest, err = e.lowers.LowerFlat(g, host, params, fr.in[:sig.nparams])
	} else {
		var ptr uint32
		if ptr, err = abi.Alloc(g, e.lowers.Align(), e.lowers.Size()); err != nil {
			return err
		}
		rest, err = e.lowers.LowerMem(g, host, params, ptr)
		fr.in[0] = uint64(ptr)
	}
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after the last parameter", len(rest))
	}
	return err
}

// hostHandles is the handle table of the host as a caller of guests.
type hostHandles Instance

// LiftOwn implements abi.Handles.
func (h *hostHandles) LiftOwn(r *wit.Resource, handle uint32) (uint32, error) {
	return h.peer.takeOwn(r, handle)
}

// LiftBorrow implements abi.Handles: the handle is lent until the call returns.
func (h *hostHandles) LiftBorrow(r *wit.Resource, handle uint32) (uint32, error) {
	return h.lent.lend(&h.peer, r, handle)
}

// LowerOwn implements abi.Handles.
func (h *hostHandles) LowerOwn(r *wit.Resource, rep uint32) (uint32, error) {
	return h.peer.add(entry{kind: entryResource, own: true, res: r, rep: rep})
}

// LowerBorrow implements abi.Handles: validation allows no borrow in results.
func (h *hostHandles) LowerBorrow(*wit.Resource, uint32) (uint32, error) {
	return 0, trap.New(trap.Handle, "a borrowed handle cannot be returned")
}

// CallValues is [Instance.Call] with dynamic values, for tools and tests. The
// result is nil where the function has none.
func (i *Instance) CallValues(ctx context.Context, e *Export, args ...wit.Value) (*wit.Value, error) {
	if e == nil {
		return nil, i.usable(ctx, e)
	}
	if len(args) != len(e.Type.Params) {
		return nil, fmt.Errorf("%s takes %d arguments, not %d", e.name(), len(e.Type.Params), len(args))
	}
	var params []byte
	for k, p := range e.Type.Params {
		var err error
		if params, err = wire.Append(params, p.Type, args[k]); err != nil {
			return nil, fmt.Errorf("argument %s: %w", p.Name, err)
		}
	}
	out, err := i.Call(ctx, e, params, nil)
	if err != nil || e.Type.Result == nil {
		return nil, err
	}
	v, _, err := wire.Decode(e.Type.Result, out, wire.Limits{})
	return &v, err
}
