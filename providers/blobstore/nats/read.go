package nats

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// open finds an object that is to be read.
func (s *Store) open(ctx context.Context, id contract.ObjectID) (b *bucket, v *version, err error) {
	err = s.in(ctx, id.Container, timeout, func(ctx context.Context, in *bucket) (err error) {
		b = in
		v, err = in.get(ctx, id.Object)
		return err
	})
	return b, v, err
}

// GetContainerData implements contract.Store. An object of several pieces that another
// store writes anew or deletes while it is read ends in an error.
func (s *Store) GetContainerData(ctx context.Context, id contract.ObjectID, start, end uint64) (io.ReadCloser, error) {
	_, _, r, err := s.reader(ctx, id, start, end)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// reader begins to read an object as it is now.
func (s *Store) reader(ctx context.Context, id contract.ObjectID, start, end uint64) (*bucket, *version, *reader, error) {
	for last := uint64(0); ; {
		b, v, err := s.open(ctx, id)
		if err != nil {
			return nil, nil, nil, err
		}
		offset, length, err := blobstore.Range(start, end, int64(v.info.Size))
		if err != nil {
			return nil, nil, nil, err
		}
		r, err := b.read(ctx, v, offset, length)
		if !errors.Is(err, errReplaced) || v.seq == last {
			return b, v, r, err
		}
		last = v.seq // it was replaced before it was begun
	}
}

// read reads a range of an object. One piece is asked for while the one before it is
// being read.
func (b *bucket) read(ctx context.Context, v *version, offset, length int64) (*reader, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &reader{ctx: ctx, cancel: cancel, b: b, subject: b.pieces(v.info.NUID), left: length, ahead: make(chan piece, 1)}
	if length == 0 {
		return r, nil
	}
	if r.began = b.s.reads.begin(r.subject); !r.began {
		return nil, errors.Join(errReplaced, r.Close())
	}
	first, err := r.seek(offset)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if offset == 0 && uint64(length) == v.info.Size {
		if r.want, err = jetstream.DecodeObjectDigest(v.info.Digest); err == nil {
			r.digest = sha256.New()
		}
	}
	r.take(first)
	return r, nil
}

// piece is one of an object, and where in that it begins.
type piece struct {
	data []byte
	at   int64
	seq  uint64
	ours bool // it says where it begins
	err  error
}

// reader reads pieces one after the other. Read and Close may be called at the same
// time.
type reader struct {
	ctx     context.Context //nolint:containedctx // a reader is as short as its context
	cancel  context.CancelCauseFunc
	b       *bucket
	subject string

	left   int64     // bytes that are still to be read
	rest   []byte    // of the piece that is being read
	digest hash.Hash // nil: not all of the object is read
	want   []byte
	err    error

	began   bool       // it counts among those who read the pieces
	ahead   chan piece // what asks for the next piece answers here
	asking  sync.WaitGroup
	closing sync.Once
}

// errReplaced is why an object cannot be read to its end.
var errReplaced = blobstore.Errorf("the object was deleted or written anew while it was read")

// piece returns the first piece whose number is seq or more. at is where it begins, if
// it does not say so itself.
func (r *reader) piece(seq uint64, at int64) piece {
	ctx, cancel := context.WithTimeout(r.ctx, timeout)
	defer cancel()
	m, err := r.b.stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(r.subject))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return piece{err: errReplaced}
	case err != nil && r.ctx.Err() != nil:
		return piece{err: context.Cause(r.ctx)}
	case err != nil:
		return piece{err: r.b.failed(r.ctx, err)}
	case len(m.Data) == 0:
		return piece{err: blobstore.Errorf("the object has an empty piece")}
	}
	p := piece{data: m.Data, at: at, seq: m.Sequence}
	if text := m.Header.Get(offsetHeader); text != "" {
		p.ours = true
		if p.at, err = strconv.ParseInt(text, 10, 64); err != nil || p.at < 0 {
			return piece{err: blobstore.Errorf("the object has a piece at %.40q", text)}
		}
	}
	return p
}

// seek returns the piece that has an offset, without what is before that. Pieces of
// other programs are passed one by one. Of ours, it is tried where the piece would be
// if nobody else wrote meanwhile: it cannot be before.
func (r *reader) seek(offset int64) (piece, error) {
	p := r.piece(1, 0)
	for p.err == nil && p.at+int64(len(p.data)) <= offset {
		next, skip := p.at+int64(len(p.data)), uint64(1)
		if p.ours {
			skip = uint64(max(1, (offset-p.at)/int64(len(p.data))))
		}
		if p = r.piece(p.seq+skip, next); p.err == nil && p.at < next {
			p.err = errReplaced
		}
	}
	switch {
	case p.err != nil:
		return piece{}, p.err
	case p.at > offset:
		return piece{}, errReplaced // pieces are missing
	}
	p.data, p.at = p.data[offset-p.at:], offset
	return p, nil
}

// take makes p what is read, and asks for the next.
func (r *reader) take(p piece) {
	r.rest = p.data[:min(int64(len(p.data)), r.left)]
	r.left -= int64(len(r.rest))
	if r.left == 0 {
		return
	}
	next := p.at + int64(len(p.data))
	r.asking.Go(func() {
		q := r.piece(p.seq+1, next)
		if q.err == nil && q.at != next {
			q.err = errReplaced
		}
		r.ahead <- q
	})
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	switch {
	case r.ctx.Err() != nil:
		return 0, context.Cause(r.ctx)
	case r.err != nil || len(p) == 0:
		return 0, r.err
	case len(r.rest) == 0 && r.left == 0:
		r.err = r.end()
		return 0, r.err
	case len(r.rest) == 0:
		next := <-r.ahead // it comes when ctx ends, too
		if r.err = next.err; r.err != nil {
			return 0, r.err
		}
		r.take(next)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if r.digest != nil {
		r.digest.Write(p[:n])
	}
	return n, nil
}

// end is the end of what was read: io.EOF, unless its bytes are not those that were
// written.
func (r *reader) end() error {
	if r.digest != nil && !bytes.Equal(r.digest.Sum(nil), r.want) {
		return blobstore.Errorf("the bytes of the object do not match its digest")
	}
	return io.EOF
}

// errClosed is what a reader says after its end.
var errClosed = errors.New("NATS blob store: the reader is closed")

// Close implements io.Closer.
func (r *reader) Close() error {
	r.closing.Do(func() {
		r.cancel(errClosed)
		r.asking.Wait()
		if r.began && r.b.s.reads.end(r.subject) {
			r.b.purgeNow(r.ctx, r.subject)
		}
	})
	return nil
}
