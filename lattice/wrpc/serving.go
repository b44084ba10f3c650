package wrpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Serving is a set of functions that are served until it is drained.
type Serving struct {
	s *Server

	base context.Context //nolint:containedctx // parent of the calls' contexts
	stop context.CancelCauseFunc

	// gate orders the arrival of calls with the wait for their end.
	gate     sync.Mutex
	subjects []*subject
	left     []*nats.Subscription // of subjects that were left and may still bring calls
	running  int
	idle     chan struct{} // made by Drain; closed when running is 0
	stopped  bool
}

// subject is one that is subscribed. Its subscription stays while one serving
// replaces another, so that there is no moment in which a message meets nobody.
type subject struct {
	name, group string
	shared      bool // others serve it, too
	serves      atomic.Pointer[handling]
	sub         *nats.Subscription // nil: stepped aside; the gate of who serves it is held
}

// receive hands an invocation to who serves the subject now.
func (j *subject) receive(m *nats.Msg) {
	for {
		h := j.serves.Load()
		entered := h.v.enter()
		if entered || j.serves.Load() == h {
			h.receive(m, entered)
			return
		}
	}
}

// Serve subscribes functions, all or none, and waits until the server knows.
func (s *Server) Serve(ctx context.Context, exports ...Export) (*Serving, error) {
	return s.serve(ctx, nil, exports)
}

// Replace serves functions in the place of v, all or none: from then on every call is
// the new serving's, and there is no moment in which nobody takes it. What v alone
// serves, and the calls that run, go on until it is drained. It is in its queue groups
// also where v had stepped aside.
func (v *Serving) Replace(ctx context.Context, exports ...Export) (*Serving, error) {
	return v.s.serve(ctx, v, exports)
}

func (s *Server) serve(ctx context.Context, old *Serving, exports []Export) (*Serving, error) {
	v := &Serving{s: s}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	s.servings[v] = struct{}{}
	s.mu.Unlock()
	v.base, v.stop = context.WithCancelCause(s.base)
	taken, err := v.subscribe(old, exports)
	if err == nil && old != nil {
		err = old.Rejoin()
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
		defer cancel()
		if err = s.nc.FlushWithContext(ctx); err != nil {
			err = fmt.Errorf("serve: %w", lattice.Disconnected(err))
		}
	}
	if err == nil && old != nil {
		err = old.hand(v, taken)
	}
	if err != nil {
		v.unsubscribe()
		v.stop(&Error{Code: Lost, Detail: "not served after all", MayHaveRun: true}) // who called by a new subject meanwhile
		return nil, err
	}
	return v, nil
}

// subscribe subscribes what old does not, and returns what is to be taken from it.
func (v *Serving) subscribe(old *Serving, exports []Export) (taken map[*subject]*handling, err error) {
	taken = map[*subject]*handling{}
	for i := range exports {
		e := &exports[i]
		if (e.Unary == nil) == (e.Stream == nil) {
			return nil, fmt.Errorf("serve %s.%s: %w: want either Unary or Stream", e.Instance, e.Func, lattice.ErrInvalid)
		}
		h := newHandling(v, e)
		for _, prefix := range [...]string{e.Prefix, e.Direct} {
			if prefix == "" {
				continue
			}
			j := &subject{name: lattice.InvocationSubject(prefix, e.Instance, e.Func), group: prefix, shared: prefix == e.Prefix}
			if !validSubject(j.name) {
				return nil, fmt.Errorf("serve %.80q: %w subject", j.name, lattice.ErrInvalid)
			}
			if has := old.has(j); has != nil {
				taken[has] = h
				continue
			}
			j.serves.Store(h)
			if err := v.add(j); err != nil {
				return nil, fmt.Errorf("serve %s: %w", j.name, lattice.Disconnected(err))
			}
		}
	}
	return taken, nil
}

// has returns the subject that is subscribed like j; nil: none.
func (v *Serving) has(j *subject) *subject {
	if v == nil {
		return nil
	}
	v.gate.Lock()
	defer v.gate.Unlock()
	for _, is := range v.subjects {
		if is.name == j.name && is.group == j.group && is.shared == j.shared {
			return is
		}
	}
	return nil
}

// hand gives subjects to another serving, by which they are to be handled.
func (v *Serving) hand(to *Serving, taken map[*subject]*handling) error {
	v.gate.Lock()
	defer v.gate.Unlock()
	if v.stopped {
		return ErrClosed // its subscriptions have ended
	}
	if err := v.rejoin(); err != nil { // should it have stepped aside since
		return err
	}
	to.gate.Lock()
	defer to.gate.Unlock()
	if to.stopped {
		return ErrClosed
	}
	v.subjects = slices.DeleteFunc(v.subjects, func(j *subject) bool { return taken[j] != nil })
	for j, h := range taken {
		j.serves.Store(h)
		to.subjects = append(to.subjects, j)
	}
	return nil
}

// add subscribes a subject.
func (v *Serving) add(j *subject) error {
	v.gate.Lock()
	defer v.gate.Unlock()
	if v.stopped {
		return ErrClosed
	}
	err := v.join(j)
	if err == nil {
		v.subjects = append(v.subjects, j)
	}
	return err
}

// join needs gate.
func (v *Serving) join(j *subject) (err error) {
	if j.sub, err = v.s.nc.QueueSubscribe(j.name, j.group, j.receive); err != nil {
		j.sub = nil
	}
	return err
}

// StepAside leaves the queue groups, so that calls go to others who serve the
// same; those that have arrived are served, and direct subjects go on. Where it
// fails, it has left some of them and may be called again.
func (v *Serving) StepAside() error {
	v.gate.Lock()
	defer v.gate.Unlock()
	for _, j := range v.subjects {
		if !j.shared || j.sub == nil || v.stopped {
			continue
		}
		if err := v.s.drain(j.sub); err != nil {
			return fmt.Errorf("leave the queue group of %s: %w", j.name, lattice.Disconnected(err))
		}
		v.left = append(v.left, j.sub)
		j.sub = nil
	}
	return nil
}

// Rejoin takes part in the queue groups again. Where it fails, it is in some of
// them and may be called again.
func (v *Serving) Rejoin() error {
	v.gate.Lock()
	defer v.gate.Unlock()
	return v.rejoin()
}

// rejoin needs gate.
func (v *Serving) rejoin() error {
	v.left = slices.DeleteFunc(v.left, func(s *nats.Subscription) bool { return !s.IsValid() })
	for _, j := range v.subjects {
		if j.sub != nil || v.stopped {
			continue
		}
		if err := v.join(j); err != nil {
			return fmt.Errorf("join the queue group of %s: %w", j.name, lattice.Disconnected(err))
		}
	}
	return nil
}

// subscriptions returns all that may still bring calls.
func (v *Serving) subscriptions() []*nats.Subscription {
	v.gate.Lock()
	defer v.gate.Unlock()
	list := slices.Clone(v.left)
	for _, j := range v.subjects {
		if j.sub != nil {
			list = append(list, j.sub)
		}
	}
	return list
}

// enter notes a call that has arrived; false means that it comes too late.
func (v *Serving) enter() bool {
	v.gate.Lock()
	defer v.gate.Unlock()
	if v.stopped {
		return false
	}
	v.running++
	v.s.calls.Add(1)
	return true
}

func (v *Serving) leave() {
	v.gate.Lock()
	if v.running--; v.running == 0 && v.idle != nil {
		close(v.idle)
		v.idle = nil
	}
	v.gate.Unlock()
	v.s.calls.Done()
}

// unsubscribe stops new calls at once, and forgets the serving.
func (v *Serving) unsubscribe() {
	v.gate.Lock()
	v.stopped = true
	v.gate.Unlock()
	for _, sub := range v.subscriptions() {
		// Fails only on a connection that is closed or a subscription that is.
		_ = sub.Unsubscribe()
	}
	v.s.mu.Lock()
	delete(v.s.servings, v)
	v.s.mu.Unlock()
}

// Drain stops taking calls, serves those that have already arrived, and returns
// when they have ended and their callers were answered. When ctx ends first, those that still run are
// interrupted, and Drain returns its error once their handlers have returned.
func (v *Serving) Drain(ctx context.Context) error {
	err := v.drainSubscriptions(ctx)
	v.unsubscribe()
	idle := v.whenIdle()
	select {
	case <-idle:
	case <-ctx.Done():
		select {
		case <-idle: // in time
		default:
			err = fmt.Errorf("drain: %w", context.Cause(ctx))
		}
	}
	v.stop(&Error{Code: Lost, Detail: "host is leaving", MayHaveRun: true})
	<-idle
	return err
}

// drain ends a subscription once what nats.go has received is handed over, which
// Unsubscribe would drop. It fails without a connection, and then ends nothing: nats.go
// would subscribe anew with the next one, and forget the subscription, but not the
// server, which would go on giving it calls.
func (s *Server) drain(sub *nats.Subscription) error {
	since := s.nc.Stats().Reconnects
	if !s.nc.IsConnected() {
		return lattice.ErrDisconnected
	}
	if err := sub.Drain(); err != nil {
		return err
	}
	if !s.nc.IsConnected() || s.nc.Stats().Reconnects != since { // it may have been as above
		return sub.Unsubscribe()
	}
	return nil
}

// drainSubscriptions lets nats.go hand over what has arrived, and waits for it.
func (v *Serving) drainSubscriptions(ctx context.Context) error {
	for _, sub := range v.subscriptions() {
		closed := sub.StatusChanged(nats.SubscriptionClosed)
		if !sub.IsValid() { // one that had stepped aside
			continue
		}
		if err := v.s.drain(sub); err != nil {
			if errors.Is(err, nats.ErrBadSubscription) || lattice.IsDisconnected(err) {
				continue // nothing more arrives
			}
			return fmt.Errorf("drain %s: %w", sub.Subject, err)
		}
		select {
		case <-closed:
		case <-ctx.Done():
			return fmt.Errorf("drain %s: %w", sub.Subject, context.Cause(ctx))
		}
	}
	return nil
}

// whenIdle returns a channel that is closed when no call runs.
func (v *Serving) whenIdle() <-chan struct{} {
	v.gate.Lock()
	defer v.gate.Unlock()
	if v.running == 0 {
		idle := make(chan struct{})
		close(idle)
		return idle
	}
	if v.idle == nil {
		v.idle = make(chan struct{})
	}
	return v.idle
}
