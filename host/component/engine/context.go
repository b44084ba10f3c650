package engine

import (
	"context"
	"time"
)

// Context is the context of a call or an instantiation. A type satisfies it by
// embedding [CallContext]; host functions are handed that same value, so they
// can assert its type, for calls and for start functions alike.
type Context interface {
	context.Context
	// Instantiated is told of a module before its start function runs, so that
	// it can be interrupted while it does.
	Instantiated(m *Module)

	callContext() *CallContext
}

// CallContext makes the type that embeds it a [Context]. Deadline, Done and Err
// are Base's. Value finds nothing in Base: the engine looks values up on every
// call, which must not cost a walk through nested contexts.
//
// A CallContext serves one goroutine at a time.
type CallContext struct {
	// Base is what the call is bound to; nil means no deadline and no end.
	Base context.Context
	// Symbols name the frames of traps' stacks; nil leaves them without names.
	Symbols Symbols

	// Meter is what the modules that are instantiated share; nil gives each one
	// its own. It does not matter to calls.
	Meter *Meter

	making making
}

// NewContext returns a Context that is nothing but base's deadline and end.
func NewContext(base context.Context) *CallContext { return &CallContext{Base: base} }

// Deadline implements context.Context.
func (c *CallContext) Deadline() (deadline time.Time, ok bool) {
	if c.Base == nil {
		return time.Time{}, false
	}
	return c.Base.Deadline()
}

// Done implements context.Context.
func (c *CallContext) Done() <-chan struct{} {
	if c.Base == nil {
		return nil
	}
	return c.Base.Done()
}

// Err implements context.Context.
func (c *CallContext) Err() error {
	if c.Base == nil {
		return nil
	}
	return c.Base.Err()
}

// Value implements context.Context.
func (c *CallContext) Value(key any) any {
	if c.making.m == nil {
		return nil
	}
	return c.making.value(key)
}

// Instantiated implements [Context]; it does nothing.
func (c *CallContext) Instantiated(*Module) {}

func (c *CallContext) callContext() *CallContext { return c }
