package io

import (
	"context"
	"errors"

	"github.com/lathhost/lath/host/component/trap"
)

// Waiter is one goroutine's wish to be woken. It may be registered with many
// conditions at once.
type Waiter struct{ wake chan struct{} }

// NewWaiter makes a waiter for the calling goroutine.
func NewWaiter() *Waiter { return &Waiter{wake: make(chan struct{}, 1)} }

// Wake ends a [Waiter.Wait] that is under way, or else the next one. It does
// not block and is safe for concurrent use.
func (w *Waiter) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Wait sleeps until Wake is called or ctx ends; the error is then a trap that
// says which end it was.
func (w *Waiter) Wait(ctx context.Context) error {
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// ended is the trap of a guest whose context ended while it was parked.
func ended(ctx context.Context) error {
	code := trap.Cancelled
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		code = trap.Deadline
	}
	return &trap.Error{Code: code, Msg: "while waiting for input, output or time", Err: context.Cause(ctx)}
}

// Condition is what a pollable stands for.
type Condition interface {
	// Ready reports whether the condition holds now. It does not block.
	Ready() bool
	// Subscribe has w woken at least once after the condition has come to
	// hold, until the returned function is called; needless wakes are
	// allowed. A waiter subscribes first and asks Ready then, so that nothing
	// is missed in between.
	Subscribe(w *Waiter) (stop func())
}

// waitFor parks the calling goroutine until c holds.
func waitFor(ctx context.Context, c Condition) error {
	if c.Ready() {
		return nil
	}
	w := NewWaiter()
	defer c.Subscribe(w)()
	for !c.Ready() {
		if err := w.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// waiters is a set of waiters, guarded by the mutex of what they wait for.
type waiters map[*Waiter]struct{}

func (s *waiters) add(w *Waiter) {
	if *s == nil {
		*s = waiters{}
	}
	(*s)[w] = struct{}{}
}

func (s waiters) wakeAll() {
	for w := range s {
		w.Wake()
	}
}
