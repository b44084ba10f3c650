package io

import "sync"

// Event is a [Condition] that comes to hold once and for all. The zero value is
// usable. It is safe for concurrent use.
type Event struct {
	mu      sync.Mutex
	set     bool
	waiting waiters
}

// Set makes the condition hold. Idempotent.
func (e *Event) Set() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set = true
	e.waiting.wakeAll()
}

// Ready implements [Condition].
func (e *Event) Ready() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

// Subscribe implements [Condition].
func (e *Event) Subscribe(w *Waiter) (stop func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting.add(w)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.waiting, w)
	}
}
