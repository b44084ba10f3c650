package filesystem

import (
	"errors"
	goio "io"
	"math"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// writeAt writes all of b at an offset. With a quota it is refused as a whole
// if there is no room for all of it.
func (o *openFile) writeAt(b []byte, offset int64) (int, error) {
	switch {
	case int64(len(b)) > math.MaxInt64-offset:
		return 0, contract.ErrorCodeFileTooLarge
	case len(b) == 0:
		return 0, nil // which makes no file longer, wherever it is
	}
	return o.counted(func(size int64) int64 { return offset + int64(len(b)) - size }, func() (int, error) {
		return o.f.WriteAt(b, offset)
	})
}

// append writes all of b at the end.
func (o *openFile) append(b []byte) (int, error) {
	return o.counted(func(int64) int64 { return int64(len(b)) }, func() (int, error) {
		if n, ok, err := appendTo(o.f, b); ok {
			return n, err
		}
		o.mount.appends.Lock()
		defer o.mount.appends.Unlock()
		i, err := fileStat(o.f)
		if err != nil {
			return 0, err
		}
		return o.f.WriteAt(b, int64(i.size))
	})
}

// counted writes what the quota has room for. growth says by how much a file
// of that size will grow.
func (o *openFile) counted(growth func(size int64) int64, write func() (int, error)) (int, error) {
	q := o.mount.quota
	if q == nil {
		return write()
	}
	defer q.lock()()
	before, err := fileStat(o.f)
	if err != nil {
		return 0, err
	}
	grow := max(0, growth(int64(before.size)))
	if err := q.charge(grow); err != nil {
		return 0, err
	}
	n, err := write()
	if err != nil { // what was written before it failed stays counted
		if after, statErr := fileStat(o.f); statErr == nil {
			q.refund(grow - max(0, int64(after.size)-int64(before.size)))
		}
	}
	return n, err
}

// resize cuts the file or fills it up with zeros.
func (o *openFile) resize(size int64) error {
	_, err := o.counted(func(now int64) int64 { return size - now }, func() (int, error) {
		if o.mount.quota == nil {
			return 0, o.f.Truncate(size)
		}
		before, err := fileStat(o.f)
		if err == nil {
			err = o.f.Truncate(size)
		}
		if err == nil {
			o.mount.quota.refund(int64(before.size) - size)
		}
		return 0, err
	})
	return err
}

// reader, writer and appender are what streams are made of. They own a share
// of the file, and fail with an error code of the contract, for
// filesystem-error-code to find.
type reader struct {
	*openFile
	offset int64
}

// Read implements [goio.Reader].
func (r *reader) Read(b []byte) (int, error) {
	b = b[:min(int64(len(b)), math.MaxInt64-r.offset)]
	if len(b) == 0 {
		return 0, goio.EOF
	}
	n, err := r.f.ReadAt(b, r.offset)
	r.offset += int64(n)
	if errors.Is(err, goio.EOF) {
		return n, goio.EOF
	}
	return n, code(err)
}

// Close implements [goio.Closer].
func (r *reader) Close() error {
	r.close()
	return nil
}

type writer struct {
	*openFile
	offset int64
}

// Write implements [goio.Writer].
func (w *writer) Write(b []byte) (int, error) {
	n, err := w.writeAt(b, w.offset)
	w.offset += int64(n)
	return n, code(err)
}

// Close implements [goio.Closer].
func (w *writer) Close() error {
	w.close()
	return nil
}

type appender struct{ *openFile }

// Write implements [goio.Writer].
func (a appender) Write(b []byte) (int, error) {
	n, err := a.append(b)
	return n, code(err)
}

// Close implements [goio.Closer].
func (a appender) Close() error {
	a.close()
	return nil
}
