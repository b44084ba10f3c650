package abi

// wireHandleSize is the length of a handle on the wire.
const wireHandleSize = 16

// appendSigned appends the shortest signed LEB128 of v.
func appendSigned(dst []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(dst, b)
		}
		dst = append(dst, b|0x80)
	}
}

// unsigned reads unsigned LEB128 of at most bits bits. Longer than the shortest
// is allowed, up to the bytes that bits bits can take.
func (l *lowerer) unsigned(bits uint, what string) (uint64, error) {
	if len(l.src) > 0 && l.src[0] < 0x80 {
		v := uint64(l.src[0])
		l.src = l.src[1:]
		return v, nil
	}
	var v uint64
	for i, shift := 0, uint(0); shift < bits; i, shift = i+1, shift+7 {
		if i >= len(l.src) {
			return 0, wireEOF(what)
		}
		b := uint64(l.src[i])
		if left := bits - shift; left < 7 && b&0x7f>>left != 0 {
			return 0, wireError("%s overflows", what)
		}
		v |= b & 0x7f << shift
		if b < 0x80 {
			l.src = l.src[i+1:]
			return v, nil
		}
	}
	return 0, wireError("%s is too long", what)
}

// signed reads signed LEB128 of at most bits bits.
func (l *lowerer) signed(bits uint, what string) (int64, error) {
	var v int64
	for i, shift := 0, uint(0); shift < bits; i, shift = i+1, shift+7 {
		if i >= len(l.src) {
			return 0, wireEOF(what)
		}
		b := l.src[i]
		// Bits beyond the type's must repeat its sign bit.
		if left := bits - shift; left < 7 {
			if rest := int8(b<<1) >> left; rest != 0 && rest != -1 {
				return 0, wireError("%s overflows", what)
			}
		}
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			l.src = l.src[i+1:]
			if s := shift + 7; s < 64 && b&0x40 != 0 {
				v |= -1 << s
			}
			return v, nil
		}
	}
	return 0, wireError("%s is too long", what)
}
