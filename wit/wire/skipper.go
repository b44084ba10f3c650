package wire

import "github.com/lathhost/lath/wit"

// Skipper is [Skip] for values that arrive in pieces: it goes on where the
// bytes of the last call stopped, so that the work is proportional to the
// bytes however small the pieces are. Use a new one for each message. It is
// for one goroutine.
type Skipper struct {
	types []*wit.Type
	next  int // of types
	off   int
	stack []cursor // at most as deep as the types
}

type cursor struct {
	frame
	i int
}

// NewSkipper returns a skipper of values of the given types.
func NewSkipper(types []*wit.Type) *Skipper { return &Skipper{types: types} }

// Skip is [Skip] of all bytes so far: b must begin with the bytes of the last
// call. Once it has returned anything but [io.ErrUnexpectedEOF], the same
// bytes with more after them give the same answer.
func (s *Skipper) Skip(b []byte) (n int, err error) {
	r := Reader{b: b, off: min(s.off, len(b))}
	for {
		t := s.peek()
		if t == nil {
			return s.off, nil
		}
		f := r.open(t)
		if r.err != nil {
			return 0, r.err
		}
		s.off = r.off
		s.advance(f)
	}
}

// peek returns the type of the next value, or nil at the end.
func (s *Skipper) peek() *wit.Type {
	if n := len(s.stack); n > 0 {
		return s.stack[n-1].at(s.stack[n-1].i)
	}
	if s.next < len(s.types) {
		return s.types[s.next]
	}
	return nil
}

// advance passes the value whose head was read; f is the rest of it.
func (s *Skipper) advance(f frame) {
	if n := len(s.stack); n > 0 {
		s.stack[n-1].i++
	} else {
		s.next++
	}
	// Cursors at their end are dropped before a new one is pushed, so the
	// stack is no deeper than the type.
	for n := len(s.stack); n > 0 && s.stack[n-1].i == s.stack[n-1].n; n-- {
		s.stack = s.stack[:n-1]
	}
	if f.n > 0 {
		s.stack = append(s.stack, cursor{frame: f})
	}
}
