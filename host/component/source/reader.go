package source

import (
	"bytes"
	"encoding/binary"
)

// reader reads a section. Past the end it is bad, and everything is zero.
type reader struct {
	b   []byte
	pos int
	bad bool
}

func (r *reader) left() int { return len(r.b) - r.pos }

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(r.left()) {
		r.pos, r.bad = len(r.b), true
		return nil
	}
	r.pos += int(n)
	return r.b[r.pos-int(n) : r.pos]
}

func (r *reader) u8() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// uint reads a little-endian number of size bytes, at most 8.
func (r *reader) uint(size int) uint64 {
	var full [8]byte
	copy(full[:], r.bytes(uint64(size)))
	return binary.LittleEndian.Uint64(full[:])
}

// uleb reads an unsigned LEB128; what does not fit 64 bits is cut off.
func (r *reader) uleb() (v uint64) {
	for shift := 0; ; shift += 7 {
		b := r.u8()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 {
			return v
		}
	}
}

func (r *reader) sleb() (v int64) {
	for shift := 0; ; {
		b := r.u8()
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		shift += 7
		if b < 0x80 {
			if b&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
}

// text reads a string that ends in a zero, of at most maxText bytes. The bytes
// are the section's.
func (r *reader) text() []byte {
	s := r.b[r.pos:min(len(r.b), r.pos+maxText)]
	n := bytes.IndexByte(s, 0)
	if n < 0 {
		r.pos, r.bad = len(r.b), true
		return nil
	}
	r.pos += n + 1
	return s[:n]
}
