package state

import (
	"errors"

	"github.com/lathhost/lath/lattice"
)

// ErrClosed: the store was closed.
var ErrClosed = errors.New("state: store is closed")

// ErrLinkConflict refuses a link whose interface the source already has linked
// to another target under the same name. It matches lattice.ErrConflict.
var ErrLinkConflict error = &v1Error{
	text: "link already exists with different target, consider deleting the existing link or using a different link name",
	kind: lattice.ErrConflict,
}

// v1Error is an error whose text is v1's, to the letter, because people and
// tools look for it.
type v1Error struct {
	text string
	kind error
}

func (e *v1Error) Error() string { return e.text }
func (e *v1Error) Unwrap() error { return e.kind }
