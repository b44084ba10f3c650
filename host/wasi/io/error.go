package io

import (
	"context"

	contract "github.com/lathhost/lath/wit/wasi/io"
)

// Error is the resource of that name: why a stream failed. Other packages find
// their own errors in it by [errors.As].
type Error struct{ err error }

var _ contract.Error = (*Error)(nil)

// ToDebugString implements the contract.
func (e *Error) ToDebugString(context.Context) (string, error) { return e.err.Error(), nil }

// Drop implements the contract.
func (e *Error) Drop() {}

// Error implements error.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// closed is how a stream that has ended answers.
func closed() error { return contract.StreamError{Tag: contract.StreamErrorClosed} }

// failed is how the operation that a stream died of answers.
func failed(err error) error {
	return contract.StreamError{Tag: contract.StreamErrorLastOperationFailed, LastOperationFailed: &Error{err}}
}

// fate is how a stream ended, if it did. The first operation after a failure
// answers with its cause, every later one that the stream is closed.
type fate struct {
	ended bool
	cause error // nil: the stream ended well, or the cause was told
}

func (f *fate) end(cause error) {
	if !f.ended {
		f.ended, f.cause = true, cause
	}
}

// answer returns the stream error of an ended stream.
func (f *fate) answer() error {
	if cause := f.cause; cause != nil {
		f.cause = nil
		return failed(cause)
	}
	return closed()
}
