package blobstore

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Range returns where a range of an object of so many bytes begins and how long it
// is: from byte start to byte end, both in it, without what lies behind the object.
func Range(start, end uint64, size int64) (offset, length int64, err error) {
	switch {
	case start > end:
		return 0, 0, Errorf("range from byte %d to byte %d: the start is behind the end", start, end)
	case start >= uint64(size):
		return size, 0, nil
	case end >= uint64(size):
		return int64(start), size - int64(start), nil
	}
	return int64(start), int64(end-start) + 1, nil
}

// Listing returns the page of names that limit and offset ask for. It sorts names,
// and keeps them.
func Listing(names []string, limit, offset wit.Option[uint64]) contract.Names {
	slices.Sort(names)
	names = names[min(offset.Value, uint64(len(names))):]
	if limit.OK {
		names = names[:min(limit.Value, uint64(len(names)))]
	}
	return &listing{names}
}

type listing struct{ names []string }

// Next implements contract.Names.
func (l *listing) Next(most int) ([]string, error) {
	if len(l.names) == 0 {
		return nil, io.EOF
	}
	n := max(0, min(most, len(l.names)))
	list := l.names[:n]
	l.names = l.names[n:]
	return list, nil
}

// Close implements contract.Names.
func (l *listing) Close() error { return nil }

// ReadCloser makes a reader that fails when ctx ends, of one that does not wait.
// close may be nil.
func ReadCloser(ctx context.Context, r io.Reader, close func() error) io.ReadCloser { //nolint:predeclared // it is what it does
	return &reader{ctx: ctx, r: r, close: close}
}

type reader struct {
	ctx    context.Context //nolint:containedctx // a reader is as short as its context
	r      io.Reader
	close  func() error
	closed sync.Once
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// Close implements io.Closer.
func (r *reader) Close() (err error) {
	r.closed.Do(func() {
		if r.close != nil {
			err = r.close()
		}
	})
	return err
}

// Upload is the data of an object on its way into a store. It fails when ctx has
// ended, when the object is over a limit and when data fails, and remembers why.
type Upload struct {
	ctx    context.Context //nolint:containedctx // as short as the call
	data   io.Reader
	limits *Limits
	held   *Held // nil: not counted
	// Size is how many bytes were read.
	Size int64
	// Err is why the object must be given up; nil: it need not.
	Err error
}

// NewUpload reads data for an object. held may be nil; what it has booked is
// the upload's until [Upload.Free].
func NewUpload(ctx context.Context, data io.Reader, limits *Limits, held *Held) *Upload {
	return &Upload{ctx: ctx, data: data, limits: limits, held: held}
}

// Read implements io.Reader.
func (u *Upload) Read(p []byte) (int, error) {
	if u.Err != nil {
		return 0, u.Err
	}
	if u.ctx.Err() != nil {
		u.Err = context.Cause(u.ctx)
		return 0, u.Err
	}
	n, err := u.data.Read(p)
	if n > 0 {
		if over := u.book(int64(n)); over != nil {
			u.Err = over
			return 0, over
		}
	}
	if err != nil && (!errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		u.Err = err
	} else if err != nil && u.ctx.Err() != nil { // the end may be that of the call
		err = context.Cause(u.ctx)
		u.Err = err
	}
	return n, err
}

func (u *Upload) book(n int64) error {
	if err := u.limits.CheckSize(u.Size + n); err != nil {
		return err
	}
	if u.held != nil {
		if err := u.held.Bytes(n); err != nil {
			return err
		}
	}
	u.Size += n
	return nil
}

// Free gives back what was booked, for an object that was given up.
func (u *Upload) Free() {
	if u.held != nil {
		u.held.Free(0, u.Size)
	}
}
