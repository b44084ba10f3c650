package abi

import (
	"errors"
	"io"
	"unicode/utf8"

	"github.com/lathhost/lath/wit/wire"
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
	total int    // bytes at the start
}

func (l *lowerer) finish(err error) ([]byte, error) { return l.src, err }

// malformed is an error at the next byte.
func (l *lowerer) malformed(reason string) error {
	return &wire.SyntaxError{Offset: l.total - len(l.src), Reason: reason}
}

// run runs b at base, which is a slot or an address.
func (l *lowerer) run(b *block, base uint32, flat bool) error {
	for pc := 0; pc < len(b.ops); pc++ {
		o := &b.ops[pc]
		var err error
		switch o.code {
		case opCopy:
			var from []byte
			if from, err = l.take(uint64(o.n)); err == nil {
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
func (l *lowerer) take(n uint64) ([]byte, error) {
	if n > uint64(len(l.src)) {
		return nil, io.ErrUnexpectedEOF
	}
	b := l.src[:n]
	l.src = l.src[n:]
	return b, nil
}

// bits reads a little-endian number of 1 to 8 bytes.
func (l *lowerer) bits(n uint32) (uint64, error) {
	b, err := l.take(uint64(n))
	var v uint64
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v, err
}

func (l *lowerer) unsigned(bits uint) (uint64, error) {
	v, n, err := wire.ULEB(l.src, bits)
	if err != nil {
		return 0, l.place(err)
	}
	l.src = l.src[n:]
	return v, nil
}

func (l *lowerer) signed(bits uint) (uint64, error) {
	v, n, err := wire.SLEB(l.src, bits)
	if err != nil {
		return 0, l.place(err)
	}
	l.src = l.src[n:]
	return uint64(v), nil
}

// place gives a syntax error its place.
func (l *lowerer) place(err error) error {
	if syntax, ok := errors.AsType[*wire.SyntaxError](err); ok {
		return l.malformed(syntax.Reason)
	}
	return err
}

// scalar reads a scalar and returns its flat value.
func (l *lowerer) scalar(o *op) (v uint64, err error) {
	switch o.code {
	case opBool:
		return l.tag("bool is neither 0 nor 1")
	case opU8, opS8:
		v, err = l.bits(1)
	case opU16, opU32, opU64:
		return l.unsigned(8 * uint(o.size))
	case opS16, opS32, opS64:
		v, err = l.signed(8 * uint(o.size))
	case opF32, opF64:
		return l.bits(uint32(o.size))
	case opChar:
		return l.char()
	case opFlags:
		// A sender may know more labels; what it set beyond ours is dropped.
		v, err = l.bits((o.n + 7) / 8)
	default:
		return l.caseIndex(o)
	}
	if err != nil {
		return 0, err
	}
	return o.lift(v)
}

func (l *lowerer) char() (uint64, error) {
	r, n := utf8.DecodeRune(l.src)
	switch {
	case !utf8.FullRune(l.src):
		return 0, io.ErrUnexpectedEOF
	case r == utf8.RuneError && n <= 1:
		return 0, l.malformed("char is not UTF-8")
	}
	l.src = l.src[n:]
	return uint64(r), nil
}

func (l *lowerer) tag(otherwise string) (uint64, error) {
	if len(l.src) > 0 && l.src[0] > 1 {
		return 0, l.malformed(otherwise)
	}
	return l.bits(1)
}

func (l *lowerer) caseIndex(o *op) (uint64, error) {
	if o.tag {
		return l.tag("option or result is neither 0 nor 1")
	}
	before := l.src
	c, err := l.unsigned(32)
	if err == nil && c >= uint64(o.n) {
		l.src = before
		return 0, l.malformed("no such case")
	}
	return c, err
}

func (l *lowerer) handle(o *op, base uint32, flat bool) error {
	before := l.src
	b, err := l.take(1 + wireHandle)
	if err != nil {
		return err
	}
	index, ok := parseHandle(b)
	if !ok {
		l.src = before
		return l.malformed("handle is none of this connection")
	}
	rep, err := o.liftHandle(l.peer, index)
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
	n, err := l.unsigned(32)
	if err != nil {
		return 0, 0, err
	}
	before := l.src
	b, err := l.take(n)
	if err != nil {
		return 0, 0, err
	}
	if !utf8.Valid(b) {
		l.src = before
		return 0, 0, l.malformed("string is not UTF-8")
	}
	if l.enc == UTF8 && n <= MaxStringBytes {
		ptr, to, err := l.guest.realloc(0, 0, 1, uint32(n))
		l.mem = l.guest.bytes()
		copy(to, b)
		return ptr, uint32(n), err
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
	count, err := l.unsigned(32)
	if err != nil {
		return 0, 0, err
	}
	size := count * uint64(o.n)
	if size > MaxListBytes {
		return 0, 0, l.malformed("list does not fit a guest")
	}
	if count > uint64(len(l.src)) { // every element takes at least one byte
		return 0, 0, io.ErrUnexpectedEOF
	}
	var from []byte
	if o.code == opListCopy {
		if from, err = l.take(size); err != nil {
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
