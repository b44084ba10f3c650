package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"unicode/utf8"
)

// MaxHandle is the most bytes that a resource handle may have. Handles are
// opaque; wasmCloud makes them of 16 bytes.
const MaxHandle = 256

// Reader reads items from the start of a byte slice. The first error sticks:
// every later read returns zero and leaves the position, so a caller may read
// a whole record and ask [Reader.Err] once. A length that was not checked is
// never returned: after an error lengths are 0, so loops over them end.
//
// A Reader is used by one goroutine. It does not change or keep the bytes.
type Reader struct {
	b   []byte
	off int
	err error
}

// NewReader returns a reader of b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Err returns the first error: [io.ErrUnexpectedEOF] where the bytes stop too
// early, a [*SyntaxError] where they are malformed.
func (r *Reader) Err() error { return r.err }

// Offset returns how many bytes were read.
func (r *Reader) Offset() int { return r.off }

// Rest returns the bytes that were not read.
func (r *Reader) Rest() []byte { return r.b[r.off:] }

// Fail makes err the reader's error unless it has one already.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// take reads n bytes, and returns nil after an error.
func (r *Reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.b)-r.off {
		r.err = io.ErrUnexpectedEOF
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *Reader) uleb(bits uint) uint64 {
	if r.err != nil {
		return 0
	}
	v, n, err := ULEB(r.b[r.off:], bits)
	r.advance(n, err)
	return v
}

func (r *Reader) sleb(bits uint) int64 {
	if r.err != nil {
		return 0
	}
	v, n, err := SLEB(r.b[r.off:], bits)
	r.advance(n, err)
	return v
}

func (r *Reader) advance(n int, err error) {
	r.off += n
	if err == nil {
		return
	}
	if syntax, ok := errors.AsType[*SyntaxError](err); ok {
		syntax.Offset = r.off
	}
	r.err = err
}

// tag reads a byte that must be 0 or 1.
func (r *Reader) tag(what string) bool {
	b := r.take(1)
	if b == nil {
		return false
	}
	if b[0] > 1 {
		r.off--
		r.err = malformed(r.off, "%s is %d, not 0 or 1", what, b[0])
		return false
	}
	return b[0] == 1
}

// U8 reads a u8.
func (r *Reader) U8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// S8 reads an s8.
func (r *Reader) S8() int8 { return int8(r.U8()) }

// U16 reads a u16.
func (r *Reader) U16() uint16 { return uint16(r.uleb(16)) }

// S16 reads an s16.
func (r *Reader) S16() int16 { return int16(r.sleb(16)) }

// U32 reads a u32.
func (r *Reader) U32() uint32 { return uint32(r.uleb(32)) }

// S32 reads an s32.
func (r *Reader) S32() int32 { return int32(r.sleb(32)) }

// U64 reads a u64.
func (r *Reader) U64() uint64 { return r.uleb(64) }

// S64 reads an s64.
func (r *Reader) S64() int64 { return r.sleb(64) }

// F32 reads an f32, keeping its bits.
func (r *Reader) F32() float32 {
	if b := r.take(4); b != nil {
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// F64 reads an f64, keeping its bits.
func (r *Reader) F64() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// Bool reads a bool.
func (r *Reader) Bool() bool { return r.tag("bool") }

// Option reads whether an option is present; its value follows if so.
func (r *Reader) Option() bool { return r.tag("option") }

// Result reads the side of a result: false is ok, true is error. The payload
// of that side follows.
func (r *Reader) Result() (isErr bool) { return r.tag("result") }

// Future reads whether a future's value is in place, in which case it
// follows; otherwise it is pending.
func (r *Reader) Future() (ready bool) { return r.tag("future") }

// Char reads a char.
func (r *Reader) Char() rune {
	if r.err != nil {
		return 0
	}
	rest := r.b[r.off:]
	c, n := utf8.DecodeRune(rest)
	switch {
	case !utf8.FullRune(rest):
		r.err = io.ErrUnexpectedEOF
		return 0
	case c == utf8.RuneError && n <= 1:
		r.err = malformed(r.off, "char is not UTF-8")
		return 0
	}
	r.off += n
	return c
}

// Bytes reads a list<u8>. The result is part of the reader's own bytes, and
// not nil unless there was an error.
func (r *Reader) Bytes() []byte {
	start := r.off
	n := r.uleb(32)
	if r.err == nil && n > uint64(len(r.b)-r.off) {
		r.off, r.err = start, io.ErrUnexpectedEOF
	}
	return r.take(int(n))
}

// StringBytes reads a string without copying it: the result is part of the
// reader's own bytes, checked to be UTF-8.
func (r *Reader) StringBytes() []byte {
	b := r.Bytes()
	if !utf8.Valid(b) {
		r.off -= len(b)
		r.err = malformed(r.off, "string is not UTF-8")
		return nil
	}
	return b
}

// String reads a string.
func (r *Reader) String() string { return string(r.StringBytes()) }

// Handle reads the opaque bytes of a resource handle, 1 to [MaxHandle] of
// them. The result is part of the reader's own bytes.
func (r *Reader) Handle() []byte {
	start := r.off
	n := r.uleb(32)
	if r.err == nil && (n == 0 || n > MaxHandle) {
		r.off, r.err = start, malformed(start, "resource handle of %d bytes", n)
	}
	return r.take(int(n))
}

// Len reads the length of a list, and of a stream, where 0 means pending. Each
// of the elements takes at least minSize bytes: a length for which there are
// not enough bytes left is [io.ErrUnexpectedEOF]. Only elements of a stream
// without type have the size 0, so only their number is not bounded by the
// size of the message; do not allocate for them.
func (r *Reader) Len(minSize int) int {
	start := r.off
	n := r.uleb(32)
	if r.err == nil && (n*uint64(minSize) > uint64(len(r.b)-r.off) || n > math.MaxInt) {
		r.off, r.err = start, io.ErrUnexpectedEOF
		return 0
	}
	return int(n)
}

// Discriminant reads the index of one of n cases.
func (r *Reader) Discriminant(n int) uint32 {
	start := r.off
	v := r.uleb(32)
	if r.err == nil && v >= uint64(n) {
		r.off, r.err = start, malformed(start, "case %d of %d", v, n)
		return 0
	}
	return uint32(v)
}

// Flags reads a set of n flags, at most [wit.MaxFlags]; bits beyond them are
// dropped, as the canonical ABI does.
func (r *Reader) Flags(n int) uint32 {
	var set uint32
	for i, c := range r.take((n + 7) / 8) {
		set |= uint32(c) << (8 * i)
	}
	return set & uint32(1<<n-1)
}
