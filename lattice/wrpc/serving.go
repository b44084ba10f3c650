package wrpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Serving is a set of functions that are served until it is drained.
type Serving struct {
	s *Server

	base context.Context //nolint:containedctx // parent of the calls' contexts
	stop context.CancelCauseFunc

	// gate orders the arrival of calls with the wait for their end.
	gate    sync.Mutex
	subs    []*nats.Subscription // all that may still bring calls
	groups  []membership
	running int
	idle    chan struct{} // made by Drain; closed when running is 0
	stopped bool
}

// membership is a subscription in a queue group that others serve, too.
type membership struct {
	subject, group string
	receive        nats.MsgHandler
	sub            *nats.Subscription // nil: stepped aside
}

// Serve subscribes functions, all or none, and waits until the server knows.
func (s *Server) Serve(ctx context.Context, exports ...Export) (*Serving, error) {
	v := &Serving{s: s}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	s.servings[v] = struct{}{}
	s.mu.Unlock()
	v.base, v.stop = context.WithCancelCause(s.base)
	for i := range exports {
		if err := v.subscribe(&exports[i]); err != nil {
			v.unsubscribe()
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout)
	defer cancel()
	if err := s.nc.FlushWithContext(ctx); err != nil {
		v.unsubscribe()
		return nil, fmt.Errorf("serve: %w", lattice.Disconnected(err))
	}
	return v, nil
}

func (v *Serving) subscribe(e *Export) error {
	if (e.Unary == nil) == (e.Stream == nil) {
		return fmt.Errorf("serve %s.%s: %w: want either Unary or Stream", e.Instance, e.Func, lattice.ErrInvalid)
	}
	h := newHandling(v, e)
	for _, prefix := range [...]string{e.Prefix, e.Direct} {
		if prefix == "" {
			continue
		}
		subject := lattice.InvocationSubject(prefix, e.Instance, e.Func)
		if !validSubject(subject) {
			return fmt.Errorf("serve %.80q: %w subject", subject, lattice.ErrInvalid)
		}
		v.gate.Lock()
		sub, err := v.add(subject, prefix, h.receive)
		if err == nil && prefix == e.Prefix {
			v.groups = append(v.groups, membership{subject, prefix, h.receive, sub})
		}
		v.gate.Unlock()
		if err != nil {
			return fmt.Errorf("serve %s: %w", subject, lattice.Disconnected(err))
		}
	}
	return nil
}

// add needs gate.
func (v *Serving) add(subject, group string, receive nats.MsgHandler) (*nats.Subscription, error) {
	if v.stopped {
		return nil, ErrClosed
	}
	sub, err := v.s.nc.QueueSubscribe(subject, group, receive)
	if err == nil {
		v.subs = append(v.subs, sub)
	}
	return sub, err
}

// StepAside leaves the queue groups, so that calls go to others who serve the
// same; those that have arrived are served, and direct subjects go on. Where it
// fails, it has left some of them and may be called again.
func (v *Serving) StepAside() error {
	v.gate.Lock()
	defer v.gate.Unlock()
	for i := range v.groups {
		m := &v.groups[i]
		if m.sub == nil || v.stopped {
			continue
		}
		// Unsubscribe would drop what nats.go has received and not handed over.
		if err := m.sub.Drain(); err != nil {
			return fmt.Errorf("leave the queue group of %s: %w", m.subject, lattice.Disconnected(err))
		}
		m.sub = nil
	}
	return nil
}

// Rejoin takes part in the queue groups again. Where it fails, it is in some of
// them and may be called again.
func (v *Serving) Rejoin() error {
	v.gate.Lock()
	defer v.gate.Unlock()
	v.subs = slices.DeleteFunc(v.subs, func(s *nats.Subscription) bool { return !s.IsValid() })
	for i := range v.groups {
		m := &v.groups[i]
		if m.sub != nil || v.stopped {
			continue
		}
		var err error
		if m.sub, err = v.add(m.subject, m.group, m.receive); err != nil {
			m.sub = nil
			return fmt.Errorf("join the queue group of %s: %w", m.subject, lattice.Disconnected(err))
		}
	}
	return nil
}

func (v *Serving) subscriptions() []*nats.Subscription {
	v.gate.Lock()
	defer v.gate.Unlock()
	return slices.Clip(v.subs)
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
// when they have ended. When ctx ends first, those that still run are
// interrupted, and Drain returns its error once their handlers have returned.
func (v *Serving) Drain(ctx context.Context) error {
	err := v.drainSubscriptions(ctx)
	v.unsubscribe()
	idle := v.whenIdle()
	select {
	case <-idle:
	case <-ctx.Done():
		err = fmt.Errorf("drain: %w", context.Cause(ctx))
	}
	v.stop(&Error{Code: Lost, Detail: "host is leaving", MayHaveRun: true})
	<-idle
	return err
}

// drainSubscriptions lets nats.go hand over what has arrived, and waits for it.
func (v *Serving) drainSubscriptions(ctx context.Context) error {
	for _, sub := range v.subscriptions() {
		if !v.s.nc.IsConnected() {
			return nil // nothing more arrives, and nats.go would wait for the server
		}
		closed := sub.StatusChanged(nats.SubscriptionClosed)
		if !sub.IsValid() { // one that had stepped aside
			continue
		}
		if err := sub.Drain(); err != nil {
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
