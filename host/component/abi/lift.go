package abi

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"

	"github.com/lathhost/lath/wit/wire"
)

// lifter is one running lift to the wire. It runs no guest code, so mem stays.
type lifter struct {
	guest *Guest
	peer  Handles
	enc   Encoding
	mem   []byte
	in    []uint64
	dst   []byte
	from  int // length of dst at the start
}

func (l *lifter) finish(err error) ([]byte, error) {
	used := int64(len(l.dst) - l.from)
	if err == nil && used > l.guest.Budget {
		err = overBudget()
	}
	l.guest.Budget = max(0, l.guest.Budget-used)
	return l.dst, err
}

// room checks that n more bytes are within the budget.
func (l *lifter) room(n int) error {
	if int64(len(l.dst)-l.from)+int64(n) > l.guest.Budget {
		return overBudget()
	}
	return nil
}

// run runs b at base, which is a slot or an address.
func (l *lifter) run(b *block, base uint32, flat bool) error {
	for pc := 0; pc < len(b.ops); pc++ {
		o := &b.ops[pc]
		var err error
		switch o.code {
		case opCopy:
			l.dst = append(l.dst, l.mem[base+o.off:][:o.n]...)
		case opVariant:
			var c uint64
			if c, err = o.lift(l.load(o, base, flat)); err == nil {
				l.dst = wire.AppendULEB(l.dst, c)
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
			err = l.scalar(o, base, flat)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// part returns the position of an op's value.
func part(o *op, base uint32, flat bool) uint32 {
	if flat {
		return base + uint32(o.slot)
	}
	return base + o.off
}

func (l *lifter) load(o *op, base uint32, flat bool) uint64 {
	if flat {
		return l.in[base+uint32(o.slot)]
	}
	return o.load(l.mem, base)
}

func (l *lifter) repeat(o *op, base uint32, flat bool) error {
	at, step := part(o, base, flat), o.arg
	if flat {
		step = uint32(o.size)
	}
	for range o.n {
		if err := l.run(o.sub, at, flat); err != nil {
			return err
		}
		if err := l.room(0); err != nil {
			return err
		}
		at += step
	}
	return nil
}

func (l *lifter) scalar(o *op, base uint32, flat bool) error {
	v, err := o.lift(l.load(o, base, flat))
	if err == nil {
		l.dst = o.append(l.dst, v)
	}
	return err
}

// append appends a scalar that was lifted.
func (o *op) append(dst []byte, v uint64) []byte {
	switch o.code {
	case opBool, opU8, opS8:
		return append(dst, byte(v))
	case opU16, opU32, opU64, opEnum:
		return wire.AppendULEB(dst, v)
	case opS16, opS32:
		return wire.AppendSLEB(dst, int64(int32(v)))
	case opS64:
		return wire.AppendSLEB(dst, int64(v))
	case opF32:
		return binary.LittleEndian.AppendUint32(dst, uint32(v))
	case opF64:
		return binary.LittleEndian.AppendUint64(dst, v)
	case opChar:
		return utf8.AppendRune(dst, rune(v))
	case opFlags:
		for n := uint32(0); n < o.n; n += 8 {
			dst = append(dst, byte(v>>n))
		}
	}
	return dst
}

func (l *lifter) handle(o *op, base uint32, flat bool) error {
	var h uint32
	if flat {
		h = uint32(l.in[base+uint32(o.slot)])
	} else {
		h = o.loadHandle(l.mem, base)
	}
	rep, err := o.liftHandle(l.guest.Handles, h)
	if err != nil {
		return err
	}
	if h, err = o.lowerHandle(l.peer, rep); err != nil {
		return err
	}
	l.dst = appendHandle(l.dst, h)
	return nil
}

func (l *lifter) pointer(o *op, base uint32, flat bool) error {
	var ptr, n uint32
	if flat {
		p := l.in[base+uint32(o.slot):][:2]
		ptr, n = uint32(p[0]), uint32(p[1])
	} else {
		ptr, n = o.loadPair(l.mem, base)
	}
	if o.code == opString {
		return l.text(ptr, n)
	}
	return l.list(o, ptr, n)
}

func (l *lifter) text(ptr, units uint32) error {
	if l.enc == UTF8 {
		b, err := utf8Region(l.mem, ptr, units)
		if err != nil {
			return err
		}
		if err := l.room(len(b) + binary.MaxVarintLen32); err != nil {
			return err
		}
		l.dst = append(wire.AppendULEB(l.dst, uint64(len(b))), b...)
		return nil
	}
	s, err := loadText(l.guest, l.enc, ptr, units)
	if err != nil {
		return err
	}
	b := s.bytes()
	n := lenUTF8(b, s.code)
	if err := l.room(n + binary.MaxVarintLen32); err != nil {
		return err
	}
	l.dst = wire.AppendULEB(l.dst, uint64(n))
	at := len(l.dst)
	l.dst = slices.Grow(l.dst, n)[:at+n]
	encodeUTF8(l.dst[at:], b, s.code)
	return nil
}

func (l *lifter) list(o *op, ptr, n uint32) error {
	region, err := Region(l.mem, ptr, n, o.n, uint32(o.size))
	if err != nil {
		return err
	}
	least := int(n) // every element takes at least one byte
	if o.code == opListCopy {
		least = len(region)
	}
	if err := l.room(least + binary.MaxVarintLen32); err != nil {
		return err
	}
	l.dst = wire.AppendULEB(l.dst, uint64(n))
	if o.code == opListCopy {
		l.dst = append(l.dst, region...)
		return nil
	}
	for range n {
		if err := l.run(o.sub, ptr, false); err != nil {
			return err
		}
		if err := l.room(0); err != nil {
			return err
		}
		ptr += o.n
	}
	return nil
}
