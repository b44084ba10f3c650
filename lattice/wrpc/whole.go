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
		var err error
		if skipper != nil {
			_, err = skipper.Skip(b)
		} else if _, err = wire.Skip(types, b); err != nil {
			// Mostly everything comes at once; what does not is skipped by steps.
			skipper = wire.NewSkipper(types)
			_, err = skipper.Skip(b)
		}
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return false, nil
		}
		return false, err
	}
}
