// Package trap is the typed end of a guest: why it was stopped. It imports
// nothing of the runtime, so that every part of it can make traps.
package trap

import (
	"errors"
	"fmt"
)

// Code is the reason of a trap, stable across versions and safe to show.
type Code string

// The codes.
const (
	Unreachable       Code = "unreachable"
	MemoryOutOfBounds Code = "memory out of bounds"
	TableOutOfBounds  Code = "table out of bounds"
	IndirectCall      Code = "indirect call"
	IntegerOverflow   Code = "integer overflow"
	DivideByZero      Code = "integer divide by zero"
	StackOverflow     Code = "stack overflow"
	// Abi: a value, pointer, length or handle that the canonical ABI forbids.
	Abi Code = "canonical ABI"
	// Reentrance: a component instance was entered while it may not be.
	Reentrance Code = "cannot enter component instance"
	// MayNotLeave: a call out during realloc or post-return.
	MayNotLeave Code = "cannot leave component instance"
	Handle      Code = "handle"
	Deadline    Code = "deadline exceeded"
	Cancelled   Code = "cancelled"
	Limit       Code = "limit exceeded"
	// Import: an imported function could not be carried out.
	Import Code = "import failed"
	// Host: the host's own code failed; a bug of ours.
	Host Code = "host failure"
	// Exit: the guest ended itself (wasi:cli/exit).
	Exit Code = "exit"
	// Poisoned: the instance trapped before and takes no more calls.
	Poisoned Code = "instance is dead after a trap"
	// Unsupported: a feature that this runtime refuses.
	Unsupported Code = "unsupported"
	// Other is a trap of the engine that has no code of its own.
	Other Code = "trap"
)

// Error is a trap. It is an error of one store: the instances of one deployed
// component's invocation, all of which are dead after it.
type Error struct {
	Code Code
	// Msg says what exactly happened, in words for the guest's author.
	Msg string
	// Component and Func say where, as far as known: the component's id and
	// the export or import that was running.
	Component, Func string
	// ExitStatus counts for Code Exit.
	ExitStatus int
	// Stack is the guest's backtrace, innermost frame first, at most
	// [MaxFrames]. Stack, GoStack and Stderr are for the eyes of the
	// component's owner only, and no part of the text of Error.
	Stack Stack
	// GoStack is where the host itself failed, for Code Host.
	GoStack string
	// Stderr are the last lines that the guest wrote to standard error.
	Stderr []string
	// Trace is the id of the trace that the call belongs to, 32 hexadecimal
	// digits, or empty.
	Trace string
	Err   error
}

// New makes a trap.
func New(code Code, format string, args ...any) *Error {
	e := fmt.Errorf(format, args...)
	return &Error{Code: code, Msg: e.Error(), Err: errors.Unwrap(e)}
}

// Error implements error.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Msg != "" {
		s += ": " + e.Msg
	}
	if e.Func != "" {
		s = e.Func + ": " + s
	}
	if e.Component != "" {
		s = e.Component + ": " + s
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, &Error{Code: c}) match by code alone.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Msg == ""
}

// As returns the trap in err's chain, or nil.
func As(err error) *Error {
	if t, ok := errors.AsType[*Error](err); ok {
		return t
	}
	return nil
}
