package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// farewell is how long the destructors may take, together, of what one caller
// leaves behind.
const farewell = time.Second

// pins are the instances of a workload that callers have handles of.
type pins struct {
	mu      sync.Mutex
	all     map[*pinned]struct{}
	stopped bool
}

// pinned is an instance that belongs to one caller, as a call does: it counts as
// one of those that run until the caller's last handle is gone. The caller uses it
// from one goroutine at a time; only its revocation comes from elsewhere.
type pinned struct {
	w     *Workload
	route *link.Route

	// The caller's alone.
	pin   *component.Pin
	iface string    // that was called last
	until time.Time // when the caller's farewell is over; zero: it has not begun

	mu       sync.Mutex
	instance *component.Instance // nil: not yet, or no more
	busy     bool                // in a call
	revoked  bool                // nothing begins any more
	why      error               // the instance ended before its handles
}

var _ link.Pinned = (*pinned)(nil)

// Pinned implements link.Component.
func (w *Workload) Pinned(route *link.Route) link.Pinned { return &pinned{w: w, route: route} }

// Route implements link.Pinned.
func (p *pinned) Route() *link.Route { return p.route }

// Over implements link.Pinned.
func (p *pinned) Over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why != nil
}

// Forward implements link.Pinned.
func (p *pinned) Forward(ctx context.Context, call *component.ImportCall, iface string, most time.Duration) error {
	e, err := p.w.export(iface, call.Func().Name)
	if err != nil {
		return err
	}
	c := p.w.newCallContext(ctx, p.w.bounded(most))
	defer c.end()
	i, err := p.begin(c, call, e.Export)
	if err != nil {
		return err
	}
	p.iface = iface
	before := i.Usage().Ticks
	err = p.w.called(c, e.Export, i, before, p.pin.Forward(c, call, e.Export))
	return errors.Join(err, p.end(err))
}

// Drop implements component.Keeper.
func (p *pinned) Drop(ctx context.Context, ended bool, r *wit.Resource, rep uint32) {
	i, _ := p.use()
	if i == nil {
		return // what it was part of is gone
	}
	most := farewell
	if ended {
		if p.until.IsZero() {
			p.until = time.Now().Add(farewell)
		}
		most = time.Until(p.until)
	}
	c := p.w.newCallContext(ctx, max(most, time.Nanosecond))
	defer c.end()
	place := &component.Export{Interface: p.iface, Type: &wit.Func{Name: "[resource-drop]" + r.Name}}
	before := i.Usage().Ticks
	err := p.w.called(c, place, i, before, p.pin.Destroy(c, r, rep))
	_ = p.end(err) // the log has both: nobody waits for an answer
}

// begin readies the instance for a call. The first one takes it, and room for it.
func (p *pinned) begin(ctx context.Context, call *component.ImportCall, e *component.Export) (*component.Instance, error) {
	if i, why := p.use(); i != nil || why != nil {
		return i, why
	}
	if err := p.w.enter(ctx, p.w.path(ctx, call), false); err != nil {
		return nil, err
	}
	i, _, err := p.w.take(ctx, e)
	if err != nil {
		p.w.admit.release()
		return nil, err
	}
	p.pin, p.instance, p.busy = call.NewPin(i, p), i, true
	p.w.pins.add(p)
	return i, nil
}

// path is that of a call from a component of this host. Instances that its caller
// keeps will not become free while it waits, as those that wait for it will not.
func (w *Workload) path(ctx context.Context, call *component.ImportCall) []string {
	meta, _ := wrpc.MetaFromContext(ctx)
	path := meta.Path
	for _, pin := range call.Pins() {
		if p, ok := pin.Keeper().(*pinned); ok && p.w == w && !p.Over() {
			path = append(slices.Clip(path), w.cfg.ID)
		}
	}
	return path
}

// use readies the instance for a call, if there is one, or returns why there is
// none any more.
func (p *pinned) use() (*component.Instance, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = p.instance != nil
	return p.instance, p.why
}

// end ends a call, and lets the instance go where no handle of it is of use: none
// is left, it trapped, or its component stops.
func (p *pinned) end(err error) error {
	p.mu.Lock()
	p.busy = false
	switch {
	case p.pin.Dead():
		p.why = &wrpc.Error{Code: wrpc.Trap, Detail: fmt.Sprintf("its instance that the handles are of has ended: %v", err), Err: err}
	case p.revoked:
		p.why = errRevoked
	case p.pin.Handles() > 0:
		p.mu.Unlock()
		return nil
	}
	return p.letGo()
}

var errRevoked = &wrpc.Error{Code: wrpc.Refused, Detail: "the component was stopped or updated while its caller had handles of its resources"}

// letGo gives up the instance and its room. The caller holds the lock, which it
// gives up too.
func (p *pinned) letGo() error {
	i := p.instance
	p.instance = nil
	p.mu.Unlock()
	if i == nil {
		return nil
	}
	p.w.pins.remove(p)
	err := i.Release()
	p.w.admit.release()
	return err
}

// revoke takes the instance away from its caller: now, or when the call ends that
// runs.
func (p *pinned) revoke() {
	p.mu.Lock()
	if p.revoked = true; p.busy {
		p.mu.Unlock()
		return
	}
	p.why = errRevoked
	_ = p.letGo() // of the end of an instance nobody is left to be told
}

func (p *pins) add(x *pinned) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[*pinned]struct{}{}
	}
	p.all[x] = struct{}{}
	if p.stopped {
		x.mu.Lock()
		x.revoked = true
		x.mu.Unlock()
	}
}

func (p *pins) remove(x *pinned) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, x)
}

// revoke takes all pinned instances away from their callers, and those that are
// to come. Calls that run are to be cut off by whoever calls it.
func (p *pins) revoke() {
	p.mu.Lock()
	p.stopped = true
	all := make([]*pinned, 0, len(p.all))
	for x := range p.all {
		all = append(all, x)
	}
	p.mu.Unlock()
	for _, x := range all {
		x.revoke()
	}
}
