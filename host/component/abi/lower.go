package abi

import (
	"encoding/binary"
	"unicode/utf8"
)

// lowerer is one running lower from the wire. mem is read again after each
// realloc.
type lowerer struct {
	guest *Guest
	peer  Handles
	enc   Encoding
	mem   []byte
	out   []uint64
	src   []byte // what is left
}

// run runs b at base, which is a slot or an address.
func (l *lowerer) run(b *block, base uint32, flat bool) error {
	for pc := 0; pc < len(b.ops); pc++ {
		o := &b.ops[pc]
		var err error
		switch o.code {
		case opCopy:
			var from []byte
			if from, err = l.take(uint64(o.n), "value"); err == nil {
				copy(l.mem[base+o.off:][:o.n], from)
			}
		case opVariant:
			var c uint64
			if c, err = l.caseIndex(o); err == nil {
				l.store(o, base, flat, c)
				pc = int(b.jumps[o.arg+uint32(c)]) - 1
			}
		case opJump:
			pc = int(o.arg) - 1
		case opCall:
			err = l.run(o.sub, part(o, base, flat), flat)
		case opRepeat:
			err = l.repeat(o, base, flat)
		case opString, opList, opListCopy:
			err = l.pointer(o, base, flat)
		case opOwn, opBorrow:
			err = l.handle(o, base, flat)
		default:
			var v uint64
			if v, err = l.scalar(o); err == nil {
				l.store(o, base, flat, v)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *lowerer) store(o *op, base uint32, flat bool, v uint64) {
	if flat {
		l.out[base+uint32(o.slot)] = v
	} else {
		o.store(l.mem, base, v)
	}
}

func (l *lowerer) repeat(o *op, base uint32, flat bool) error {
	at, step := part(o, base, flat), o.arg
	if flat {
		step = uint32(o.size)
	}
	for range o.n {
		if err := l.run(o.sub, at, flat); err != nil {
			return err
		}
		at += step
	}
	return nil
}

// take removes n bytes from the source.
func (l *lowerer) take(n uint64, what string) ([]byte, error) {
	if n > uint64(len(l.src)) {
		return nil, wireEOF(what)
	}
	b := l.src[:n]
	l.src = l.src[n:]
	return b, nil
}

// scalar reads a scalar and returns its flat value.
func (l *lowerer) scalar(o *op) (uint64, error) {
	switch o.code {
	case opBool:
		b, err := l.take(1, "bool")
		if err != nil {
			return 0, err
		}
		if b[0] > 1 {
			return 0, wireError("bool of byte %#x", b[0])
		}
		return uint64(b[0]), nil
	case opU8, opS8:
		b, err := l.take(1, "integer")
		if err != nil {
			return 0, err
		}
		return o.lift(uint64(b[0]))
	case opU16:
		return l.unsigned(16, "u16")
	case opU32:
		return l.unsigned(32, "u32")
	case opU64:
		return l.unsigned(64, "u64")
	case opS16, opS32, opS64:
		return l.integer(o)
	case opF32:
		b, err := l.take(4, "f32")
		if err != nil {
			return 0, err
		}
		return uint64(binary.LittleEndian.Uint32(b)), nil
	case opF64:
		b, err := l.take(8, "f64")
		if err != nil {
			return 0, err
		}
		return binary.LittleEndian.Uint64(b), nil
	case opChar:
		return l.char()
	case opFlags:
		return l.flags(o)
	}
	return l.caseIndex(o)
}

func (l *lowerer) integer(o *op) (uint64, error) {
	var v int64
	var err error
	switch o.code {
	case opS16:
		v, err = l.signed(16, "s16")
	case opS32:
		v, err = l.signed(32, "s32")
	default:
		v, err = l.signed(64, "s64")
		return uint64(v), err
	}
	return uint64(uint32(v)), err
}

func (l *lowerer) char() (uint64, error) {
	r, n := utf8.DecodeRune(l.src)
	if r == utf8.RuneError && n <= 1 {
		if !utf8.FullRune(l.src) {
			return 0, wireEOF("char")
		}
		return 0, wireError("char is not valid UTF-8")
	}
	l.src = l.src[n:]
	return uint64(r), nil
}

// flags reads the bits of the labels; what a sender that knows more labels set
// beyond them is dropped, as in memory.
func (l *lowerer) flags(o *op) (uint64, error) {
	b, err := l.take(uint64(o.n+7)/8, "flags")
	if err != nil {
		return 0, err
	}
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return o.lift(v)
}

func (l *lowerer) caseIndex(o *op) (uint64, error) {
	c, err := l.unsigned(32, "discriminant")
	if err == nil && c >= uint64(o.n) {
		err = wireError("discriminant %d of a type of %d cases", c, o.n)
	}
	return c, err
}

func (l *lowerer) handle(o *op, base uint32, flat bool) error {
	b, err := l.take(1+wireHandleSize, "handle")
	if err != nil {
		return err
	}
	if b[0] != wireHandleSize || [wireHandleSize - 4]byte(b[5:]) != [wireHandleSize - 4]byte{} {
		return wireError("handle is none of this connection")
	}
	rep, err := o.liftHandle(l.peer, binary.LittleEndian.Uint32(b[1:]))
	if err != nil {
		return err
	}
	h, err := o.lowerHandle(l.guest.Handles, rep)
	if err != nil {
		return err
	}
	if flat {
		l.out[base+uint32(o.slot)] = uint64(h)
	} else {
		o.storeHandle(l.mem, base, h)
	}
	return nil
}

func (l *lowerer) pointer(o *op, base uint32, flat bool) error {
	var ptr, n uint32
	var err error
	if o.code == opString {
		ptr, n, err = l.text()
	} else {
		ptr, n, err = l.list(o)
	}
	if err != nil {
		return err
	}
	if flat {
		p := l.out[base+uint32(o.slot):][:2]
		p[0], p[1] = uint64(ptr), uint64(n)
	} else {
		o.storePair(l.mem, base, ptr, n)
	}
	return nil
}

func (l *lowerer) text() (ptr, units uint32, err error) {
	n, err := l.unsigned(32, "string length")
	if err != nil {
		return 0, 0, err
	}
	b, err := l.take(n, "string")
	if err != nil {
		return 0, 0, err
	}
	if !utf8.Valid(b) {
		return 0, 0, wireError("string is not valid UTF-8")
	}
	s, err := hostText(b)
	if err != nil {
		return 0, 0, err
	}
	ptr, units, err = storeText(l.guest, l.enc, &s)
	l.mem = l.guest.bytes()
	return ptr, units, err
}

func (l *lowerer) list(o *op) (ptr, n uint32, err error) {
	count, err := l.unsigned(32, "list length")
	if err != nil {
		return 0, 0, err
	}
	size := count * uint64(o.n)
	if size > MaxListBytes {
		return 0, 0, wireError("list is too long: %d elements of %d bytes", count, o.n)
	}
	if count > uint64(len(l.src)) { // every element takes at least one byte
		return 0, 0, wireEOF("list")
	}
	var from []byte
	if o.code == opListCopy {
		if from, err = l.take(size, "list"); err != nil {
			return 0, 0, err
		}
	}
	ptr, to, err := l.guest.realloc(0, 0, uint32(o.size), uint32(size))
	if err != nil {
		return 0, 0, err
	}
	l.mem = l.guest.bytes()
	copy(to, from)
	if o.code == opList {
		err = l.elements(o, ptr, uint32(count))
	}
	return ptr, uint32(count), err
}

func (l *lowerer) elements(o *op, ptr, n uint32) error {
	for range n {
		if err := l.run(o.sub, ptr, false); err != nil {
			return err
		}
		ptr += o.n
	}
	return nil
}
