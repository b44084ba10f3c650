package core

import (
	"fmt"
	"unicode/utf8"
)

// reader reads the module's bytes up to an end. The first failure sticks, puts
// the reader at its end and makes everything after it read as zero, so that a
// caller may read on and look at err once.
type reader struct {
	b   []byte // the module, cut at the end of what may be read
	pos int
	err *Error
}

func (r *reader) fail(reason Reason, at int, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Reason: reason, Offset: at, Msg: fmt.Sprintf(format, args...)}
	}
	r.pos = len(r.b)
}

func (r *reader) left() int { return len(r.b) - r.pos }

func (r *reader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail(Malformed, r.pos, "unexpected end")
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

// u32 reads an unsigned LEB128 of 32 bits.
func (r *reader) u32() uint32 {
	if r.pos < len(r.b) && r.b[r.pos] < 0x80 {
		r.pos++
		return uint32(r.b[r.pos-1])
	}
	return r.longU32()
}

func (r *reader) longU32() uint32 {
	start := r.pos
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.fail(Malformed, start, "integer is too long")
	return 0
}

// sleb reads a signed LEB128 of the given bits.
func (r *reader) sleb(bits int) int64 {
	start := r.pos
	var v int64
	for shift := 0; shift < bits; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c >= 0x80 {
			continue
		}
		if shift+7 < 64 {
			v = v << (64 - shift - 7) >> (64 - shift - 7)
		}
		if spare := bits - shift; spare < 7 && !sameBits(c, spare) {
			break
		}
		return v
	}
	r.fail(Malformed, start, "integer is too long")
	return 0
}

// sameBits reports whether the bits of c above the lowest used-1 are all equal
// to the sign.
func sameBits(c byte, used int) bool {
	top := c & 0x7f >> (used - 1)
	return top == 0 || top == 0x7f>>(used-1)
}

// skip passes over n bytes.
func (r *reader) skip(n int) {
	if n < 0 || n > r.left() {
		r.fail(Malformed, r.pos, "unexpected end")
		return
	}
	r.pos += n
}

// bytes returns the next n bytes, which alias the module.
func (r *reader) bytes(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.fail(Malformed, r.pos, "%d bytes wanted, %d left", n, r.left())
		return nil
	}
	b := r.b[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b
}

func (r *reader) name(max int) string {
	start := r.pos
	n := r.u32()
	if uint64(n) > uint64(max) {
		r.fail(LimitExceeded, start, "name of %d bytes, at most %d are allowed", n, max)
		return ""
	}
	b := r.bytes(n)
	if !utf8.Valid(b) {
		r.fail(Malformed, start, "name is not UTF-8")
		return ""
	}
	return string(b)
}

// count reads the length of a vector whose items take at least size bytes each,
// so that what a caller allocates for it is in proportion to the input.
func (r *reader) count(what string, max, size int) int {
	start := r.pos
	n := r.u32()
	if uint64(n) > uint64(max) {
		r.fail(LimitExceeded, start, "%d %s, at most %d are allowed", n, what, max)
		return 0
	}
	if uint64(n)*uint64(size) > uint64(r.left()) {
		r.fail(Malformed, start, "%d %s in %d bytes", n, what, r.left())
		return 0
	}
	return int(n)
}

// index reads an index into a space of n things.
func (r *reader) index(what string, n int) uint32 {
	start := r.pos
	i := r.u32()
	if uint64(i) >= uint64(n) {
		r.fail(Invalid, start, "unknown %s %d", what, i)
		return 0
	}
	return i
}
