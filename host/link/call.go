package link

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/bind"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// CallError is a call along a link that failed. It reads the same whichever
// route the call took.
type CallError struct {
	Source, LinkName, Target string
	Interface, Func          string
	// Code and Detail are what the target, or the way to it, said.
	Code   wrpc.Code
	Detail string
	Err    error
}

// Error names the component, the link, the target and the cause.
func (e *CallError) Error() string {
	s := fmt.Sprintf("component %q, link %q", e.Source, e.LinkName)
	if e.Target != "" {
		s += fmt.Sprintf(" to %q", e.Target)
	}
	s += fmt.Sprintf(", %s.%s: %s", e.Interface, e.Func, e.Code)
	if e.Detail != "" && e.Detail != e.Code.String() {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// Callee returns what answers the calls of one function of the import.
func (i *Import) Callee(fn *wit.Func) component.Callee {
	return &function{imp: i, fn: fn, wire: lattice.FunctionName(fn.Name), results: fn.ResultTypes()}
}

// function is one function of an import; it implements component.Callee.
type function struct {
	imp     *Import
	fn      *wit.Func
	wire    string // its name on the wire
	results []*wit.Type
}

// Call implements component.Callee.
func (f *function) Call(c *component.ImportCall) error {
	if f.imp.shares {
		return f.share(c)
	}
	route := f.imp.RouteOf(c.Context())
	err := f.along(c, route)
	if err == nil || route.Component == nil {
		return err
	}
	// A target that was stopping did nothing. Where links or components have
	// changed since, as they do when a target is updated, the new one answers.
	if call, ok := errors.AsType[*CallError](err); ok && call.Code == wrpc.Busy {
		if next := f.imp.RouteNamed(route.LinkName); next != route {
			return f.along(c, next)
		}
		if ran, err := f.elsewhere(c, route); ran {
			return err
		}
	}
	return err
}

// elsewhere makes a call of a component that has no room here on another host; ran is
// false if it was not made.
func (f *function) elsewhere(c *component.ImportCall, route *Route) (ran bool, err error) {
	ctx, cancel, err := f.imp.Outgoing(c.Context(), route, f.fn.Name)
	if err != nil {
		return false, nil // as it is found to be here
	}
	defer cancel()
	params, err := c.AppendParams(nil)
	if err != nil {
		return true, err
	}
	results, ran, err := f.imp.elsewhere(ctx, route, f.imp.iface.Name, f.wire, f.results, params)
	switch {
	case !ran:
		return false, nil
	case err != nil:
		return true, f.imp.Failed(route, f.fn.Name, err)
	}
	if err := c.SetResults(results); err != nil {
		return true, f.imp.Malformed(route, f.fn.Name, err)
	}
	return true, nil
}

func (f *function) along(c *component.ImportCall, route *Route) error {
	if route.Err != nil {
		return f.imp.Refused(route, f.fn.Name, route.Err)
	}
	if route.Component != nil {
		if route.Component.Crowded() {
			if ran, err := f.elsewhere(c, route); ran {
				return err
			}
		}
		ctx, err := f.imp.identify(c.Context(), route, f.fn.Name)
		if err != nil {
			return err
		}
		f.imp.RecordLocal(ctx, route, f.fn.Name)
		return f.imp.Failed(route, f.fn.Name, route.Component.Forward(ctx, c, f.imp.iface.Name, f.imp.most(route)))
	}
	ctx, cancel, err := f.imp.Outgoing(c.Context(), route, f.fn.Name)
	if err != nil {
		return err
	}
	defer cancel()
	params, err := c.AppendParams(nil)
	if err != nil {
		return err
	}
	results, err := f.imp.call(ctx, route, f.imp.iface.Name, f.wire, f.results, params)
	if err != nil {
		return f.imp.Failed(route, f.fn.Name, err)
	}
	if err := c.SetResults(results); err != nil {
		return f.imp.Malformed(route, f.fn.Name, err)
	}
	return nil
}

// call makes a call of a component of this host, or by wRPC. results, where known,
// tell a whole answer from one that a v1 callee broke off.
func (i *Import) call(ctx context.Context, route *Route, iface, fn string, results []*wit.Type, params []byte) ([]byte, error) {
	if route.Component != nil {
		return i.local(ctx, route, iface, fn, results, params)
	}
	wrpc.RecordHop(ctx, wrpc.Hop{Source: i.source, Target: route.Target, Interface: i.key, Func: fn, Route: wrpc.OverNATS})
	meta, _ := wrpc.MetaFromContext(ctx)
	target := wrpc.Target{Instance: iface, Func: fn, Results: results}
	out, _, err := i.router.caller.Call(ctx, route.Target, target, meta, params)
	return out, err
}

// local is call for a component of this host, which goes to another host where this
// one has no room.
func (i *Import) local(ctx context.Context, route *Route, iface, fn string, results []*wit.Type, params []byte) ([]byte, error) {
	if route.Component.Crowded() {
		if out, ran, err := i.elsewhere(ctx, route, iface, fn, results, params); ran {
			return out, err
		}
	}
	i.RecordLocal(ctx, route, fn)
	out, err := route.Component.Invoke(ctx, iface, fn, params, i.most(route))
	if errors.Is(err, wrpc.ErrBusy) {
		// As in Call: what has taken the place of one that was stopping answers.
		if next := i.RouteNamed(route.LinkName); next != route && next.Err == nil && next.Provider == nil {
			return i.call(ctx, next, iface, fn, results, params)
		}
		if out, ran, err := i.elsewhere(ctx, route, iface, fn, results, params); ran {
			return out, err
		}
	}
	return out, err
}

// elsewhere makes a call of a component of this host on another one; ran is false if
// none took it.
func (i *Import) elsewhere(ctx context.Context, route *Route, iface, fn string, results []*wit.Type, params []byte) (out []byte, ran bool, err error) {
	meta, _ := wrpc.MetaFromContext(ctx)
	target := wrpc.Target{Instance: iface, Func: fn, Results: results}
	if out, ran, err = i.router.caller.Elsewhere(ctx, route.Target, target, meta, params); ran {
		wrpc.RecordHop(ctx, wrpc.Hop{Source: i.source, Target: route.Target, Interface: i.key, Func: fn, Route: wrpc.OverNATS})
	}
	return out, ran, err
}

// Outgoing is the context of a call that follows the import: who calls, by
// which link, through which components, and for how long. A chain of calls that
// is longer than the wire can carry is refused, on every route.
func (i *Import) Outgoing(ctx context.Context, route *Route, fn string) (context.Context, context.CancelFunc, error) {
	ctx, err := i.identify(ctx, route, fn)
	if err != nil {
		return nil, nil, err
	}
	most := i.most(route)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < most {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	return ctx, cancel, nil
}

// Streaming is Outgoing for a call that lasts as long as somebody reads or writes
// its streams: it has the time that its link's own config gives, or all that its
// caller has.
func (i *Import) Streaming(ctx context.Context, route *Route, fn string) (context.Context, context.CancelFunc, error) {
	ctx, err := i.identify(ctx, route, fn)
	if err != nil {
		return nil, nil, err
	}
	most := route.timeout
	if _, ok := ctx.Deadline(); !ok && most == 0 {
		most = wrpc.DefaultMaxTime
	}
	if most > 0 {
		ctx, cancel := context.WithTimeout(ctx, most)
		return ctx, cancel, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	return ctx, cancel, nil
}

// identify is Outgoing without the time.
func (i *Import) identify(ctx context.Context, route *Route, fn string) (context.Context, error) {
	in, _ := wrpc.MetaFromContext(ctx)
	if len(in.Path) >= wrpc.MaxPath {
		return nil, i.Refused(route, fn, fmt.Errorf("the chain of calls is longer than %d components", wrpc.MaxPath))
	}
	out := wrpc.Meta{
		SourceID: i.source, LinkName: route.LinkName,
		Path:        append(slices.Clip(in.Path), i.source),
		TraceParent: in.TraceParent, TraceState: in.TraceState,
	}
	return wrpc.ContextWithMeta(ctx, out), nil
}

// Failed makes a [CallError] of how a call along a route failed; nil stays nil.
func (i *Import) Failed(route *Route, fn string, err error) error {
	if err == nil {
		return nil
	}
	e := &CallError{Source: i.source, LinkName: route.LinkName, Target: route.Target,
		Interface: i.iface.Name, Func: fn, Code: wrpc.Trap, Err: err}
	var call *wrpc.Error
	switch t := trap.As(err); {
	case errors.As(err, &call):
		e.Code, e.Detail = call.Code, call.Detail
		if call.Code == wrpc.NotConnected && call.Detail == "" {
			e.Detail = fmt.Sprintf("no host of lattice %q runs it with this function; see `lath get inventory`", i.router.lattice)
		}
		if errors.Is(err, wrpc.ErrUnreachable) {
			e.Detail = fmt.Sprintf("host %s is unreachable", call.Host)
		}
		if call.Code == wrpc.Lost && call.MayHaveRun {
			e.Detail = strings.TrimSpace(e.Detail + " (may have run)")
		}
	case t != nil:
		e.Detail = t.Error()
	default:
		e.Detail = err.Error()
	}
	return e
}

// Refused is the error of a call that was not made, and why.
func (i *Import) Refused(route *Route, fn string, why error) error {
	return i.Failed(route, fn, &wrpc.Error{Code: wrpc.Refused, Detail: why.Error(), Err: why})
}

// Name returns the full name of the imported interface.
func (i *Import) Name() string { return i.iface.Name }

// RecordLocal notes a call of what runs in this process.
func (i *Import) RecordLocal(ctx context.Context, route *Route, fn string) {
	wrpc.RecordHop(ctx, wrpc.Hop{Source: i.source, Target: route.Target, Interface: i.key, Func: fn, Route: wrpc.InProcess})
}

// Malformed is the error of a call whose results make no sense.
func (i *Import) Malformed(route *Route, fn string, err error) error {
	return i.Failed(route, fn, &wrpc.Error{Code: wrpc.Protocol, Detail: "malformed results: " + err.Error(), MayHaveRun: true, Err: err})
}

// Invoker calls the target of a route with encoded parameters, for generated stubs:
// a component of this host directly, and all others by wRPC.
type Invoker struct {
	imp      *Import
	route    *Route
	contract *wit.Interface
}

var _ bind.Invoker = (*Invoker)(nil)

// Invoker returns what calls the functions of a contract at the route's target. The context of its calls must come from [Import.Outgoing].
func (i *Import) Invoker(route *Route, contract *wit.Interface) *Invoker {
	return &Invoker{imp: i, route: route, contract: contract}
}

// Invoke implements bind.Invoker.
func (v *Invoker) Invoke(ctx context.Context, instance, function string, params []byte) ([]byte, error) {
	var results []*wit.Type
	if f := v.contract.Func(function); f != nil {
		results = f.ResultTypes()
	}
	out, err := v.imp.call(ctx, v.route, instance, lattice.FunctionName(function), results, params)
	return out, v.imp.Failed(v.route, function, err)
}

// Open starts a call with streams or futures among its parameters or results, as
// [wrpc.Caller.Open] does. The failures of what it returns are those of the wire;
// [Invoker.Failed] makes them the link's.
func (v *Invoker) Open(ctx context.Context, instance, function string, params []byte, paths ...wrpc.Path) (*wrpc.Call, error) {
	if v.route.Component != nil {
		return nil, v.imp.Refused(v.route, function, errors.New("a component has no streams to answer it with"))
	}
	name := lattice.FunctionName(function)
	wrpc.RecordHop(ctx, wrpc.Hop{Source: v.imp.source, Target: v.route.Target, Interface: v.imp.key, Func: name, Route: wrpc.OverNATS})
	meta, _ := wrpc.MetaFromContext(ctx)
	call, err := v.imp.router.caller.Open(ctx, v.route.Target, wrpc.Target{Instance: instance, Func: name}, meta, params, paths...)
	return call, v.Failed(function, err)
}

// Open starts a call with streams along a route, wherever that leads: by NATS, also to
// what runs on this host. The context must come from [Import.Streaming].
func (i *Import) Open(ctx context.Context, route *Route, t wrpc.Target, m wrpc.Meta, params []byte, paths ...wrpc.Path) (*wrpc.Call, error) {
	wrpc.RecordHop(ctx, wrpc.Hop{Source: i.source, Target: route.Target, Interface: i.key, Func: t.Func, Route: wrpc.OverNATS})
	call, err := i.router.caller.Open(ctx, route.Target, t, m, params, paths...)
	return call, i.Failed(route, t.Func, err)
}

// OpenElsewhere is Open for a target that runs on this host, too, which has no room
// now. nil, nil: no other host has, and nothing was done.
func (i *Import) OpenElsewhere(ctx context.Context, route *Route, t wrpc.Target, m wrpc.Meta, params []byte, paths ...wrpc.Path) (*wrpc.Call, error) {
	call, err := i.router.caller.OpenElsewhere(ctx, route.Target, t, m, params, paths...)
	if call != nil || err != nil {
		wrpc.RecordHop(ctx, wrpc.Hop{Source: i.source, Target: route.Target, Interface: i.key, Func: t.Func, Route: wrpc.OverNATS})
	}
	return call, i.Failed(route, t.Func, err)
}

// Failed is the error of a call that failed after it was opened. What is no
// failure of the wire stays as it is.
func (v *Invoker) Failed(function string, err error) error {
	if _, ok := errors.AsType[*wrpc.Error](err); !ok {
		return err
	}
	return v.imp.Failed(v.route, function, err)
}
