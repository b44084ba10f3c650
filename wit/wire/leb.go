package wire

import (
	"io"
)

// AppendULEB appends v as unsigned LEB128, in the fewest bytes.
func AppendULEB(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// AppendSLEB appends v as signed LEB128, in the fewest bytes.
func AppendSLEB(dst []byte, v int64) []byte {
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if v == 0 && c < 0x40 || v == -1 && c >= 0x40 {
			return append(dst, c)
		}
		dst = append(dst, c|0x80)
	}
}

// ULEB reads an unsigned LEB128 number of at most the given bits (1 to 64)
// from the start of b and returns how many bytes it took. As in core
// WebAssembly a number may be padded with zero bits, up to ceil(bits/7) bytes;
// a longer one, or one whose value needs more bits, is malformed.
func ULEB(b []byte, bits uint) (v uint64, n int, err error) {
	if len(b) > 0 && b[0] < 0x80 && bits > 6 {
		return uint64(b[0]), 1, nil
	}
	for i, c := range b {
		shift := 7 * uint(i)
		v |= uint64(c&0x7f) << shift
		if room := bits - shift; room < 7 && c&0x7f>>room != 0 {
			return 0, 0, malformed(0, "LEB128 number does not fit %d bits", bits)
		}
		if c < 0x80 {
			return v, i + 1, nil
		}
		if shift+7 >= bits {
			return 0, 0, malformed(0, "LEB128 number of %d bits is too long", bits)
		}
	}
	return 0, 0, io.ErrUnexpectedEOF
}

// SLEB reads a signed LEB128 number of at most the given bits (1 to 64), with
// the rules of [ULEB]; padding repeats the sign.
func SLEB(b []byte, bits uint) (v int64, n int, err error) {
	for i, c := range b {
		shift := 7 * uint(i)
		v |= int64(c&0x7f) << shift
		if shift+7 >= bits {
			if c >= 0x80 {
				return 0, 0, malformed(0, "LEB128 number of %d bits is too long", bits)
			}
			// What lies above the bits of the number must repeat its sign.
			if above := int8(c<<1) >> 1 >> (bits - shift - 1); above != 0 && above != -1 {
				return 0, 0, malformed(0, "LEB128 number does not fit %d bits", bits)
			}
		}
		if c < 0x80 {
			if unused := int(64) - int(shift) - 7; unused > 0 {
				v = v << unused >> unused
			}
			return v, i + 1, nil
		}
	}
	return 0, 0, io.ErrUnexpectedEOF
}
