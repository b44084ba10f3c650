package abi

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

// The functions here turn code units of one coding into another's. They work
// on bytes, little-endian for UTF-16, and never write outside dst.

const (
	ascii8   = 0x8080808080808080 // bits that are set in no ASCII byte
	ascii16  = 0xff80ff80ff80ff80 // and in no ASCII unit of UTF-16
	latin16  = 0xff00ff00ff00ff00 // and in no Latin-1 unit
	surrFrom = 0xd800
	surrLow  = 0xdc00
	surrEnd  = 0xe000
	surrSelf = 0x10000
)

func unit16(b []byte, i int) uint32 { return uint32(binary.LittleEndian.Uint16(b[2*i:])) }

func put16(b []byte, i int, v uint32) { binary.LittleEndian.PutUint16(b[2*i:], uint16(v)) }

// rune16 decodes the character at unit i of n: its code point and units. A
// surrogate without its pair gives 0 units.
func rune16(b []byte, i, n int) (rune, int) {
	u := unit16(b, i)
	if u-surrFrom >= surrEnd-surrFrom {
		return rune(u), 1
	}
	if u >= surrLow || i+1 >= n {
		return 0, 0
	}
	low := unit16(b, i+1)
	if low-surrLow >= surrEnd-surrLow {
		return 0, 0
	}
	return rune((u-surrFrom)<<10 | (low - surrLow) + surrSelf), 2
}

// noSurrogates reports whether none of four units is one.
func noSurrogates(x uint64) bool {
	const top, surrogate = 0xf800f800f800f800, 0xd800d800d800d800
	y := x&top ^ surrogate // a surrogate's lane is zero
	const low, high = 0x0001000100010001, 0x8000800080008000
	return (y-low)&^y&high == 0
}

func validUTF16(b []byte) bool {
	n := len(b) / 2
	for i := 0; i < n; {
		if i+4 <= n && noSurrogates(binary.LittleEndian.Uint64(b[2*i:])) {
			i += 4
			continue
		}
		_, k := rune16(b, i, n)
		if k == 0 {
			return false
		}
		i += k
	}
	return true
}

// lenUTF8 returns the bytes of valid units as UTF-8.
func lenUTF8(b []byte, c coding) int {
	if c == codeUTF8 {
		return len(b)
	}
	n := len(b)
	if c == codeLatin1 {
		for _, x := range b {
			n += int(x >> 7)
		}
		return n
	}
	n /= 2
	for i, units := 0, n; i < units; i++ {
		switch u := unit16(b, i); {
		case u < 0x80:
		case u < 0x800, u-surrFrom < surrEnd-surrFrom: // a pair is 4 bytes of 2 units
			n++
		default:
			n += 2
		}
	}
	return n
}

// copyASCII copies the units of src up to the first that is not ASCII, and
// returns how many those are.
func copyASCII(dst, src []byte, c coding) uint32 {
	if c == codeUTF16 {
		return copyASCII16(dst, src)
	}
	i := 0
	for ; i+8 <= len(src) && binary.LittleEndian.Uint64(src[i:])&ascii8 == 0; i += 8 {
		copy(dst[i:][:8], src[i:])
	}
	for ; i < len(src) && src[i] < utf8.RuneSelf; i++ {
		dst[i] = src[i]
	}
	return uint32(i)
}

func copyASCII16(dst, src []byte) uint32 {
	i, n := 0, len(src)/2
	for ; i+4 <= n; i += 4 {
		x := binary.LittleEndian.Uint64(src[2*i:])
		if x&ascii16 != 0 {
			break
		}
		binary.LittleEndian.PutUint32(dst[i:], pack(x))
	}
	for ; i < n && unit16(src, i) < utf8.RuneSelf; i++ {
		dst[i] = byte(unit16(src, i))
	}
	return uint32(i)
}

// pack takes the low byte of each of four units.
func pack(x uint64) uint32 {
	x &= 0x00ff00ff00ff00ff
	x = (x | x>>8) & 0x0000ffff0000ffff
	return uint32(x | x>>16)
}

// encodeUTF8 writes src as UTF-8 and returns how many bytes that took. It is
// not ok where src is not valid or dst too short.
func encodeUTF8(dst, src []byte, c coding) (n int, ok bool) {
	if c == codeLatin1 {
		for _, x := range src {
			if n+2 > len(dst) && (x >= utf8.RuneSelf || n == len(dst)) {
				return n, false
			}
			if x < utf8.RuneSelf {
				dst[n] = x
				n++
				continue
			}
			dst[n], dst[n+1] = 0xc0|x>>6, 0x80|x&0x3f
			n += 2
		}
		return n, true
	}
	units := len(src) / 2
	for i := 0; i < units; {
		if u := unit16(src, i); u < utf8.RuneSelf && n < len(dst) {
			dst[n] = byte(u)
			n++
			i++
			continue
		}
		r, k := rune16(src, i, units)
		if k == 0 || n+utf8.RuneLen(r) > len(dst) {
			return n, false
		}
		n += utf8.EncodeRune(dst[n:], r)
		i += k
	}
	return n, true
}

// encodeUTF16 writes src, UTF-8 or UTF-16, as UTF-16 and returns how many bytes
// that took. It is not ok where src is not valid or dst too short.
func encodeUTF16(dst, src []byte, c coding) (int, bool) {
	if c == codeUTF16 {
		return copy(dst, src), len(dst) >= len(src)
	}
	n, room := 0, len(dst)/2
	for len(src) > 0 {
		r, k := rune(src[0]), 1
		if r >= utf8.RuneSelf {
			if r, k = utf8.DecodeRune(src); r == utf8.RuneError && k == 1 {
				return 2 * n, false
			}
		}
		src = src[k:]
		if r < surrSelf && n < room {
			put16(dst, n, uint32(r))
			n++
			continue
		}
		if n+2 > room {
			return 2 * n, false
		}
		v := uint32(r) - surrSelf
		put16(dst, n, surrFrom|v>>10)
		put16(dst, n+1, surrLow|v&0x3ff)
		n += 2
	}
	return 2 * n, true
}

// copyLatin1 copies the characters of src, UTF-8 or UTF-16, up to the first
// that is not Latin-1. It returns how many bytes it read and wrote.
func copyLatin1(dst, src []byte, c coding) (read, wrote uint32) {
	if c == codeUTF16 {
		n := len(src) / 2
		for int(wrote) < n {
			u := unit16(src, int(wrote))
			if u > 0xff {
				break
			}
			dst[wrote] = byte(u)
			wrote++
		}
		return 2 * wrote, wrote
	}
	for int(read) < len(src) {
		x := src[read]
		switch {
		case x < utf8.RuneSelf:
			dst[wrote] = x
			read++
		case x <= 0xc3 && int(read)+1 < len(src): // C2 and C3 lead U+0080 to U+00FF
			dst[wrote] = x<<6 | src[read+1]&0x3f
			read += 2
		default:
			return read, wrote
		}
		wrote++
	}
	return read, wrote
}

// widen turns Latin-1 into UTF-16. It works from the end, so that src may be
// the start of dst.
func widen(dst, src []byte) {
	for i, s := range slices.Backward(src) {
		put16(dst, i, uint32(s))
	}
}

// narrow turns UTF-16 of Latin-1 characters into Latin-1. It works from the
// start, so that dst may be the start of src.
func narrow(dst, src []byte) {
	for i := range dst {
		dst[i] = src[2*i]
	}
}

func allLatin1(b []byte) bool {
	i, n := 0, len(b)
	for ; i+8 <= n; i += 8 {
		if binary.LittleEndian.Uint64(b[i:])&latin16 != 0 {
			return false
		}
	}
	for ; i < n; i += 2 {
		if b[i+1] != 0 {
			return false
		}
	}
	return true
}
