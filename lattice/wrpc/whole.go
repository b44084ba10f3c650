package wrpc

import (
	"errors"
	"io"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// Whole returns a test for [Call.Root]: whether bytes are the
// whole encoding of values of the given types. What follows them does not
// matter. The work is proportional to the bytes, however often it is asked
// about a growing prefix. It is for one call.
func Whole(types ...*wit.Type) func(b []byte) (bool, error) {
	var skipper *wire.Skipper
	return func(b []byte) (bool, error) {
		if skipper == nil {
			// Mostly everything comes at once; what does not is skipped by steps.
			if whole, err := isWhole(types, b); whole || err != nil {
				return whole, err
			}
			skipper = wire.NewSkipper(types)
		}
		_, err := skipper.Skip(b)
		return enough(err)
	}
}

// isWhole reports whether bytes are the whole encoding of values.
func isWhole(types []*wit.Type, b []byte) (bool, error) {
	_, err := wire.Skip(types, b)
	return enough(err)
}

// enough tells a lack of bytes from bytes that are wrong.
func enough(err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return false, nil
	}
	return false, err
}
