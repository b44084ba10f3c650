package binary

import (
	"unicode/utf8"
	"unsafe"
)

// decoder reads a region of the input. The first error sticks: every read
// after it returns zero, and callers look at err once per definition.
type decoder struct {
	b     []byte
	base  int // offset of b from the start of the input
	pos   int
	end   int // of the section or component that is being read
	err   *Error
	left  Limits // what is left of each limit
	depth int
}

func (d *decoder) failAt(offset int, format string, args ...any) {
	if d.err == nil {
		d.err = Errorf(d.base+offset, format, args...)
	}
}

// failDef fails at the start of a definition.
func (d *decoder) failDef(def Def, format string, args ...any) {
	d.failAt(def.Pos()-d.base, format, args...)
}

func (d *decoder) fail(format string, args ...any) { d.failAt(d.pos, format, args...) }

func (d *decoder) at() At { return At(d.base + d.pos) }

// take counts n things against what is left of a limit.
func (d *decoder) take(left *int, n int, what string) {
	if *left < n {
		d.fail("limit exceeded: too many %s", what)
		return
	}
	*left -= n
}

func (d *decoder) byte() byte {
	if d.err != nil {
		return 0
	}
	if d.pos >= d.end {
		d.fail("unexpected end")
		return 0
	}
	c := d.b[d.pos]
	d.pos++
	return c
}

// peek returns the next byte without reading it; false at the end.
func (d *decoder) peek() (byte, bool) {
	if d.err != nil || d.pos >= d.end {
		return 0, false
	}
	return d.b[d.pos], true
}

// expect reads one byte that can only be want.
func (d *decoder) expect(want byte, what string) {
	at := d.pos
	if c := d.byte(); d.err == nil && c != want {
		d.failAt(at, "%s: unexpected byte 0x%02x, want 0x%02x", what, c, want)
	}
}

// flag reads 0x00 or 0x01.
func (d *decoder) flag(what string) bool {
	at := d.pos
	c := d.byte()
	if c > 1 {
		d.failAt(at, "%s: invalid leading byte 0x%02x", what, c)
	}
	return c == 1
}

func (d *decoder) u32() uint32 { return uint32(d.unsigned(32)) }

// unsigned reads a LEB128 integer of at most the given bits.
func (d *decoder) unsigned(bits uint) uint64 {
	var v uint64
	at := d.pos
	for shift := uint(0); ; shift += 7 {
		c := d.byte()
		if d.err != nil {
			return 0
		}
		if shift+7 > bits && (c&0x7f)>>(bits-shift) != 0 {
			d.failAt(at, "integer too large")
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			return v
		}
		if shift+7 >= bits {
			d.failAt(at, "integer representation too long")
			return 0
		}
	}
}

// index33 reads the non-negative half of a 33-bit signed LEB128 integer.
func (d *decoder) index33() uint32 {
	var v uint64
	at := d.pos
	for shift := uint(0); shift < 35; shift += 7 {
		c := d.byte()
		if d.err != nil {
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c&0x80 != 0 {
			continue
		}
		if c&0x40 != 0 || v > 1<<32-1 {
			break
		}
		return uint32(v)
	}
	d.failAt(at, "invalid type index")
	return 0
}

// bytes reads n bytes, which alias the input.
func (d *decoder) bytes(n uint32) []byte {
	if d.err != nil {
		return nil
	}
	if uint64(n) > uint64(d.end-d.pos) {
		d.fail("unexpected end: %d bytes wanted, %d left", n, d.end-d.pos)
		return nil
	}
	s := d.b[d.pos : d.pos+int(n) : d.pos+int(n)]
	d.pos += int(n)
	return s
}

// name reads a name; the string aliases the input.
func (d *decoder) name() string {
	n := d.u32()
	at := d.pos
	if d.err == nil && int64(n) > int64(d.left.NameBytes) {
		d.fail("limit exceeded: name of %d bytes", n)
	}
	s := d.bytes(n)
	if d.err != nil || len(s) == 0 {
		return ""
	}
	if !utf8.Valid(s) {
		d.failAt(at, "malformed UTF-8 encoding")
		return ""
	}
	return unsafe.String(&s[0], len(s))
}

// count reads the length of a vector whose elements take at least size bytes
// each, and charges them.
func (d *decoder) count(size int, what string) int {
	n := d.u32()
	if d.err != nil {
		return 0
	}
	if int64(n)*int64(size) > int64(d.end-d.pos) {
		d.fail("unexpected end: vector of %d %s", n, what)
		return 0
	}
	d.take(&d.left.Items, int(n), "items")
	return int(n)
}

// vec reads a vector with the given element reader.
func vec[T any](d *decoder, size int, what string, read func() T) []T {
	n := d.count(size, what)
	if n == 0 || d.err != nil {
		return nil
	}
	s := make([]T, 0, n)
	for range n {
		s = append(s, read())
		if d.err != nil {
			return nil
		}
	}
	return s
}

// indices reads a vector of indices.
func (d *decoder) indices(what string) []uint32 { return vec(d, 1, what, d.u32) }

// nest runs f one level deeper.
func (d *decoder) nest(f func()) {
	if d.depth >= d.left.Depth {
		d.fail("limit exceeded: nesting deeper than %d", d.left.Depth)
		return
	}
	d.depth++
	f()
	d.depth--
}
