package binary

import "fmt"

// Error is a fault of a component's bytes. Package validate returns it too, so
// that every complaint about a component has a place.
type Error struct {
	// Offset is the byte offset from the start of the input.
	Offset int
	// Msg says what is wrong, in the words of the specification's rule.
	Msg string
	// Err is the cause, or nil.
	Err error
}

// Errorf makes an [Error]; the cause is what %w wraps.
func Errorf(offset int, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	e := &Error{Offset: offset, Msg: err.Error()}
	if u, ok := err.(interface{ Unwrap() error }); ok {
		e.Err = u.Unwrap()
	}
	return e
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("at 0x%x: %s", e.Offset, e.Msg) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
