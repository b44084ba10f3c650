package par

import (
	"compress/flate"
	"errors"
	"fmt"
	"io"

	"github.com/lathhost/lath/lattice"
)

// bounded fails once more than so many bytes were read: a small file may
// decompress to anything.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: it is too long when it is decompressed", lattice.ErrInvalid)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// isFlate says that compressed data makes no sense.
func isFlate(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt
}
