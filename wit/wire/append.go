package wire

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// The Append functions write one item in the form that the [Reader] method of
// the same name reads. Unsigned integers of 16 bits and more, lengths and case
// indexes are written with [AppendULEB], signed ones with [AppendSLEB], u8 and
// s8 as the byte itself.

// AppendBool appends a bool, the presence of an option, or the side of a
// result (true: error).
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendF32 appends an f32, keeping its bits.
func AppendF32(dst []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
}

// AppendF64 appends an f64, keeping its bits.
func AppendF64(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}

// AppendChar appends a char, which must be a Unicode scalar value.
func AppendChar(dst []byte, v rune) []byte { return utf8.AppendRune(dst, v) }

// AppendString appends a string, which must be UTF-8 and shorter than 4 GiB.
func AppendString(dst []byte, v string) []byte {
	return append(AppendULEB(dst, uint64(len(v))), v...)
}

// AppendBytes appends a list<u8>, or the opaque bytes of a handle.
func AppendBytes(dst, v []byte) []byte {
	return append(AppendULEB(dst, uint64(len(v))), v...)
}

// AppendFlags appends a set of n flags; bit i is label i.
func AppendFlags(dst []byte, set uint32, n int) []byte {
	for ; n > 0; n -= 8 {
		dst = append(dst, byte(set))
		set >>= 8
	}
	return dst
}
