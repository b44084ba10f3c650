package wrpc

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// Pending is how a stream or future is encoded in parameters and results when
// its contents come on its path.
const Pending byte = 0

// DefaultMaxElem bounds one element of a stream, and a future's value.
const DefaultMaxElem = 16 << 20

// source is the unread bytes of a path, as many as were needed so far.
type source struct {
	r   io.Reader
	buf []byte
	off int
}

const sourceStep = 512

// more reads at least one more byte.
func (s *source) more() error {
	if s.off > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.off:])]
		s.off = 0
	}
	s.buf = slices.Grow(s.buf, sourceStep)
	n, err := s.r.Read(s.buf[len(s.buf):cap(s.buf)])
	s.buf = s.buf[:len(s.buf)+n]
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	case errors.Is(err, io.EOF):
		// The transport ended before the value.
		return fmt.Errorf("stream: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// length reads the length of a chunk.
func (s *source) length() (uint32, error) {
	for {
		v, n, err := wire.ULEB(s.buf[s.off:], 32)
		switch {
		case err == nil:
			s.off += n
			return uint32(v), nil
		case !errors.Is(err, io.ErrUnexpectedEOF):
			return 0, fmt.Errorf("stream chunk: %w: %w", ErrProtocol, err)
		}
		if err := s.more(); err != nil {
			return 0, err
		}
	}
}

// value reads one encoded value; the bytes hold until the next read.
func (s *source) value(types []*wit.Type, most int) ([]byte, error) {
	n, err := wire.Skip(types, s.buf[s.off:])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		skipper := wire.NewSkipper(types)
		for errors.Is(err, io.ErrUnexpectedEOF) {
			if len(s.buf)-s.off > most {
				return nil, fmt.Errorf("stream element of more than %d bytes: %w", most, ErrOverflow)
			}
			if err := s.more(); err != nil {
				return nil, err
			}
			n, err = skipper.Skip(s.buf[s.off:])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("stream element: %w: %w", ErrProtocol, err)
	}
	s.off += n
	return s.buf[s.off-n : s.off], nil
}

// ByteStream reads a stream<u8>: chunks of a length and so many bytes, until a
// chunk of length 0, which is io.EOF. An end of the transport before that is
// io.ErrUnexpectedEOF. It is for one goroutine.
type ByteStream struct {
	src  source
	left uint32 // of the chunk
	err  error
}

// NewByteStream reads a stream<u8> from a path.
func NewByteStream(r io.Reader) *ByteStream { return &ByteStream{src: source{r: r}} }

// Read implements io.Reader.
func (s *ByteStream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if s.left == 0 {
		if s.left, s.err = s.src.length(); s.err == nil && s.left == 0 {
			s.err = io.EOF
		}
		if s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.src.read(p[:min(len(p), int(s.left))])
	s.left -= uint32(n)
	s.err = err
	return n, err
}

// read takes what is buffered, or reads past the buffer.
func (s *source) read(p []byte) (int, error) {
	if s.off < len(s.buf) {
		n := copy(p, s.buf[s.off:])
		s.off += n
		return n, nil
	}
	n, err := s.r.Read(p)
	if n > 0 {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("stream: %w", io.ErrUnexpectedEOF)
	}
	return 0, err
}

// chunkWriter sends chunks and their end.
type chunkWriter struct {
	w      io.WriteCloser
	buf    []byte
	closed bool
}

func (c *chunkWriter) chunk(n int, p []byte) error {
	if c.closed {
		return ErrClosed
	}
	c.buf = append(wire.AppendULEB(c.buf[:0], uint64(n)), p...)
	_, err := c.w.Write(c.buf)
	return err
}

// Close sends the end of the stream and closes the path. To break a stream off,
// close the [Writer] with an error instead.
func (c *chunkWriter) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if _, err := c.w.Write([]byte{0}); err != nil {
		return err
	}
	return c.w.Close()
}

// ByteStreamWriter writes a stream<u8>. It is for one goroutine.
type ByteStreamWriter struct{ chunkWriter }

// NewByteStreamWriter writes a stream<u8> to a path.
func NewByteStreamWriter(w io.WriteCloser) *ByteStreamWriter {
	return &ByteStreamWriter{chunkWriter{w: w}}
}

// maxChunk keeps a chunk, with its length, in one message of every usual
// max_payload, and lets flow control move in steps.
const maxChunk = 32 << 10

// Write sends p as chunks. An empty p sends nothing.
func (s *ByteStreamWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		k := min(len(p)-n, maxChunk)
		if err := s.chunk(k, p[n:n+k]); err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// ElemStream reads a stream<T> as encoded elements. It is for one goroutine.
type ElemStream struct {
	src  source
	t    []*wit.Type
	most int
	left uint32 // elements of the chunk
	err  error
}

// NewElemStream reads a stream<T> from a path; t is T. An element of more than
// most bytes is an error; 0 means [DefaultMaxElem].
func NewElemStream(r io.Reader, t *wit.Type, most int) *ElemStream {
	return &ElemStream{src: source{r: r}, t: []*wit.Type{t}, most: orDefault(most, DefaultMaxElem)}
}

// Next returns the next element, encoded, until io.EOF. The bytes hold until
// the next call.
func (s *ElemStream) Next() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	elem, err := s.next()
	s.err = err
	return elem, err
}

func (s *ElemStream) next() ([]byte, error) {
	if s.left == 0 {
		n, err := s.src.length()
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, io.EOF
		}
		s.left = n
	}
	s.left--
	return s.src.value(s.t, s.most)
}

// ElemStreamWriter writes a stream<T> of encoded elements. It is for one
// goroutine.
type ElemStreamWriter struct{ chunkWriter }

// NewElemStreamWriter writes a stream<T> to a path.
func NewElemStreamWriter(w io.WriteCloser) *ElemStreamWriter {
	return &ElemStreamWriter{chunkWriter{w: w}}
}

// WriteElems sends n encoded elements as one chunk; n of 0 sends nothing.
func (s *ElemStreamWriter) WriteElems(n uint32, elems []byte) error {
	switch {
	case n == 0 && len(elems) > 0:
		return fmt.Errorf("stream chunk: %w: bytes of no elements", lattice.ErrInvalid)
	case n == 0:
		return nil
	}
	return s.chunk(int(n), elems)
}

// ReadFuture reads a future's value, encoded; t is its type, nil for none. A
// value of more than most bytes is an error; 0 means [DefaultMaxElem].
func ReadFuture(r io.Reader, t *wit.Type, most int) ([]byte, error) {
	if t == nil {
		return nil, nil
	}
	src := source{r: r}
	return src.value([]*wit.Type{t}, orDefault(most, DefaultMaxElem))
}

// WriteFuture sends a future's encoded value and closes its path.
func WriteFuture(w io.WriteCloser, value []byte) error {
	if _, err := w.Write(value); err != nil {
		return err
	}
	return w.Close()
}
