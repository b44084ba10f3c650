package sockets

import (
	"sync"

	"github.com/lathhost/lath/host/wasi/io"
)

// ahead gets things for a guest without blocking it: it asks now, or lets a
// goroutine wait for the next one and keeps that. It is a [io.Condition] that
// holds while there is one, or none will come.
type ahead[T any] struct {
	// now returns a thing if there is one. nil: only wait does.
	now func() (thing T, err error, ok bool)
	// wait returns a thing when there is one, or an error.
	wait func() (T, error)
	// stop ends a wait that is under way, with an error, and the next ones.
	stop func()
	// lost is called with a thing that nobody took. Optional.
	lost func(T)

	mu      sync.Mutex
	kept    *got[T]
	waiting map[*io.Waiter]struct{}
	running bool
	closed  bool
	runs    sync.WaitGroup
}

type got[T any] struct {
	thing T
	err   error
}

// take returns a thing, or why there will be none; not ok is not yet.
func (a *ahead[T]) take() (thing T, err error, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.look() {
		return thing, nil, false
	}
	g := a.kept
	a.kept = nil
	return g.thing, g.err, true
}

// peek returns what take would, and leaves it: for what comes once.
func (a *ahead[T]) peek() (thing T, err error, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.look() {
		return thing, nil, false
	}
	return a.kept.thing, a.kept.err, true
}

// look tells whether a thing is kept, after it tried to get one; mu is held.
func (a *ahead[T]) look() bool {
	if a.kept != nil || a.closed || a.running || a.now == nil {
		return a.kept != nil
	}
	if thing, err, ok := a.now(); ok {
		a.kept = &got[T]{thing, err}
	}
	return a.kept != nil
}

// start lets the goroutine wait for the next thing.
func (a *ahead[T]) start() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.demand()
}

// demand is start where it is needed; mu is held.
func (a *ahead[T]) demand() {
	if a.kept != nil || a.closed || a.running {
		return
	}
	a.running = true
	a.runs.Go(func() {
		thing, err := a.wait()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.running = false
		a.kept = &got[T]{thing, err}
		for w := range a.waiting {
			w.Wake()
		}
	})
}

// Ready implements [io.Condition].
func (a *ahead[T]) Ready() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed || a.look()
}

// Subscribe implements [io.Condition].
func (a *ahead[T]) Subscribe(w *io.Waiter) (stop func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting = map[*io.Waiter]struct{}{}
	}
	a.waiting[w] = struct{}{}
	a.demand()
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, w)
	}
}

// join waits for the goroutine, which has what it waited for.
func (a *ahead[T]) join() { a.runs.Wait() }

// close ends the goroutine and waits for it. Idempotent.
func (a *ahead[T]) close() {
	a.mu.Lock()
	a.closed = true
	for w := range a.waiting {
		w.Wake()
	}
	a.mu.Unlock()
	a.stop()
	a.runs.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if g := a.kept; g != nil && g.err == nil && a.lost != nil {
		a.lost(g.thing)
	}
	a.kept = nil
}
