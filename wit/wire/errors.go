package wire

import (
	"errors"
	"fmt"
	"io"

	"github.com/lathhost/lath/wit"
)

// Errors of reading. Bytes that merely stop too early give
// [io.ErrUnexpectedEOF], never one of these.
var (
	// ErrMalformed: no continuation of the bytes is a value of the type.
	ErrMalformed = errors.New("malformed wRPC value")
	// ErrLimit: the value is larger than the caller's [Limits].
	ErrLimit = errors.New("wRPC value exceeds the limit")
)

// ErrUnsupported: the type has no wRPC encoding (error-context).
var ErrUnsupported = errors.New("type has no wRPC encoding")

// SyntaxError says where and why bytes are malformed. It wraps
// [ErrMalformed].
type SyntaxError struct {
	Offset int // of the item that is wrong, from the start of the bytes read
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%v at byte %d: %s", ErrMalformed, e.Offset, e.Reason)
}

// Unwrap returns [ErrMalformed].
func (e *SyntaxError) Unwrap() error { return ErrMalformed }

func malformed(off int, format string, args ...any) error {
	return &SyntaxError{Offset: off, Reason: fmt.Sprintf(format, args...)}
}

// ValueError says which part of a dynamic value does not fit its type.
type ValueError struct {
	Path   string // of the part, such as ".headers[2].name"; empty for the whole
	Reason string
}

func (e *ValueError) Error() string {
	if e.Path == "" {
		return "value does not fit its type: " + e.Reason
	}
	return fmt.Sprintf("value does not fit its type at %s: %s", e.Path, e.Reason)
}

// at puts a step in front of the path of a [*ValueError].
func at(err error, step string) error {
	if e, ok := errors.AsType[*ValueError](err); ok {
		e.Path = step + e.Path
	}
	return err
}

func isEOF(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }

func unsupported(t *wit.Type) error { return fmt.Errorf("%s: %w", t.Kind, ErrUnsupported) }
