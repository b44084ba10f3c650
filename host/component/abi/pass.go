package abi

import (
	"encoding/binary"

	"github.com/lathhost/lath/host/component/trap"
)

// maxTransfer bounds the bytes that one transfer writes by a whole 32-bit
// memory: an honest realloc cannot place more, and a realloc that gives the same
// place again and again must not keep the host copying.
const maxTransfer = 1 << 32

// mode says where the two sides of a transfer keep a block's values. In memory
// a block's position is an address, flat it is a slot.
type mode uint8

const (
	memToMem     mode = 0 // see memory
	srcSlots     mode = 1
	dstSlots     mode = 2
	slotsToMem        = srcSlots
	memToSlots        = dstSlots
	slotsToSlots      = srcSlots | dstSlots // see flat
)

// transferer is one running transfer. sm and dm are the memories, read again
// after each realloc.
type transferer struct {
	src, dst       *Guest
	sm, dm         []byte
	same           bool // they are one memory, which the destination may grow
	utf8           bool // both sides have UTF-8
	in, out        []uint64
	srcEnc, dstEnc Encoding
	left           int64
	unpolled       int64 // bytes since the last poll
}

// run runs b with its source at s and its destination at d, where one is in slots
// and the other in memory.
func (m *transferer) run(b *block, at mode, s, d uint32) error {
	for pc := 0; pc < len(b.ops); pc++ {
		o := &b.ops[pc]
		var err error
		switch o.code {
		case opVariant:
			var c uint64
			if c, err = m.scalar(o, at, s, d); err == nil {
				pc = int(b.jumps[o.arg+uint32(c)]) - 1
			}
		case opRun:
			for i := range o.run.ops {
				if _, err = m.scalar(&o.run.ops[i], at, s, d); err != nil {
					return err
				}
			}
		case opJump:
			pc = int(o.arg) - 1
		case opCall:
			err = m.run(o.sub, at, at.move(srcSlots, s, o.off, o.slot), at.move(dstSlots, d, o.off, o.slot))
		case opRepeat:
			err = m.repeat(o, at, s, d)
		case opString, opList, opListCopy:
			err = m.pointer(o, at, s, d)
		case opOwn, opBorrow:
			err = m.handle(o, at, s, d)
		default:
			_, err = m.scalar(o, at, s, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flat is run from slots to slots, where a value has the same place on both
// sides: it looks at no mode, and at most scalars once.
func (m *transferer) flat(b *block, base uint32) error {
	in, out := m.in[base:], m.out[base:]
	for pc := 0; pc < len(b.ops); pc++ {
		o := &b.ops[pc]
		var err error
		switch o.code {
		case opRun:
			err = o.run.pass(in[o.slot:], out[o.slot:])
		case opU32, opS32, opF32:
			out[o.slot] = uint64(uint32(in[o.slot]))
		case opU64, opS64, opF64:
			out[o.slot] = in[o.slot]
		case opVariant:
			c := uint32(in[o.slot])
			if c >= o.n {
				_, err = o.lift(uint64(c)) // which says what is wrong
				break
			}
			out[o.slot] = uint64(c)
			pc = int(b.jumps[o.arg+c]) - 1
		case opJump:
			pc = int(o.arg) - 1
		case opCall:
			err = m.flat(o.sub, base+uint32(o.slot))
		case opRepeat:
			for i := uint32(0); i < o.n && err == nil; i++ {
				err = m.flat(o.sub, base+uint32(o.slot)+i*uint32(o.size))
			}
		case opString:
			if !m.utf8 {
				err = m.pointer(o, slotsToSlots, base, base)
				break
			}
			var to uint32
			to, err = m.copyText(uint32(in[o.slot]), uint32(in[o.slot+1]))
			out[o.slot], out[o.slot+1] = uint64(to), uint64(uint32(in[o.slot+1]))
		case opList, opListCopy:
			err = m.pointer(o, slotsToSlots, base, base)
		case opOwn, opBorrow:
			err = m.handle(o, slotsToSlots, base, base)
		default:
			out[o.slot], err = o.lift(in[o.slot])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// memory is run from memory to memory, where most of the work of long lists is:
// it looks at no mode, and copies words without a call. It begins at op from.
func (m *transferer) memory(b *block, from int, s, d uint32) error {
	for pc := from; pc < len(b.ops); pc++ {
		o := &b.ops[pc]
		var err error
		switch o.code {
		case opFixed:
			err = o.fixed.move(m.dm[d+o.off:][:o.fixed.size], m.sm[s+o.off:][:o.fixed.size])
		case opCopy:
			copyField(m.dm[d+o.off:][:o.n], m.sm[s+o.off:][:o.n])
		case opBool:
			m.dm[d+o.off] = bit(m.sm[s+o.off])
		case opVariant:
			var c uint64
			if c, err = o.lift(o.load(m.sm, s)); err == nil {
				o.store(m.dm, d, c)
				pc = int(b.jumps[o.arg+uint32(c)]) - 1
			}
		case opJump:
			pc = int(o.arg) - 1
		case opCall:
			err = m.memory(o.sub, 0, s+o.off, d+o.off)
		case opRepeat:
			for i := uint32(0); i < o.n && err == nil; i++ {
				err = m.memory(o.sub, 0, s+o.off+i*o.arg, d+o.off+i*o.arg)
			}
		case opString:
			if !m.utf8 {
				err = m.pointer(o, memToMem, s, d)
				break
			}
			var to uint32
			ptr, n := o.loadPair(m.sm, s)
			if to, err = m.copyText(ptr, n); err == nil {
				o.storePair(m.dm, d, to, n)
			}
		case opList, opListCopy:
			err = m.pointer(o, memToMem, s, d)
		case opOwn, opBorrow:
			err = m.handle(o, memToMem, s, d)
		default:
			var v uint64
			if v, err = o.lift(o.load(m.sm, s)); err == nil {
				o.store(m.dm, d, v)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyField copies what is mostly a word or two.
func copyField(dst, src []byte) {
	switch len(src) {
	case 1:
		dst[0] = src[0]
	case 2:
		binary.LittleEndian.PutUint16(dst, binary.LittleEndian.Uint16(src))
	case 4:
		binary.LittleEndian.PutUint32(dst, binary.LittleEndian.Uint32(src))
	case 8:
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src))
	default:
		copy(dst, src)
	}
}

// bit is a bool as it is passed on: any byte but 0 is true.
func bit(b byte) byte {
	if b != 0 {
		return 1
	}
	return 0
}

// move returns the position of a part, on the side whose slots bit is given.
func (at mode) move(side mode, base, off uint32, slot uint8) uint32 {
	if at&side != 0 {
		return base + uint32(slot)
	}
	return base + off
}

func (m *transferer) repeat(o *op, at mode, s, d uint32) error {
	s, d = at.move(srcSlots, s, o.off, o.slot), at.move(dstSlots, d, o.off, o.slot)
	for range o.n {
		if err := m.run(o.sub, at, s, d); err != nil {
			return err
		}
		s, d = at.move(srcSlots, s, o.arg, o.size), at.move(dstSlots, d, o.arg, o.size)
	}
	return nil
}

func (m *transferer) scalar(o *op, at mode, s, d uint32) (uint64, error) {
	var v uint64
	if at&srcSlots != 0 {
		v = m.in[s+uint32(o.slot)]
	} else {
		v = o.load(m.sm, s)
	}
	v, err := o.lift(v)
	if err != nil {
		return 0, err
	}
	if at&dstSlots != 0 {
		m.out[d+uint32(o.slot)] = v
	} else {
		o.store(m.dm, d, v)
	}
	return v, nil
}

func (m *transferer) handle(o *op, at mode, s, d uint32) error {
	var h uint32
	if at&srcSlots != 0 {
		h = uint32(m.in[s+uint32(o.slot)])
	} else {
		h = o.loadHandle(m.sm, s)
	}
	rep, err := o.liftHandle(m.src.Handles, h)
	if err != nil {
		return err
	}
	if h, err = o.lowerHandle(m.dst.Handles, rep); err != nil {
		return err
	}
	if at&dstSlots != 0 {
		m.out[d+uint32(o.slot)] = uint64(h)
	} else {
		o.storeHandle(m.dm, d, h)
	}
	return nil
}

// pointer passes a string or list: its contents go to new memory.
func (m *transferer) pointer(o *op, at mode, s, d uint32) error {
	var ptr, n uint32
	if at&srcSlots != 0 {
		p := m.in[s+uint32(o.slot):][:2]
		ptr, n = uint32(p[0]), uint32(p[1])
	} else {
		ptr, n = o.loadPair(m.sm, s)
	}
	var err error
	switch {
	case o.code != opString:
		ptr, err = m.list(o, ptr, n)
	case m.utf8:
		ptr, err = m.copyText(ptr, n)
	default:
		ptr, n, err = m.text(ptr, n)
	}
	if err != nil {
		return err
	}
	if at&dstSlots != 0 {
		p := m.out[d+uint32(o.slot):][:2]
		p[0], p[1] = uint64(ptr), uint64(n)
	} else {
		o.storePair(m.dm, d, ptr, n)
	}
	return nil
}

func (m *transferer) text(ptr, units uint32) (uint32, uint32, error) {
	s, err := loadText(m.src, m.srcEnc, ptr, units)
	if err != nil {
		return 0, 0, err
	}
	if err := m.spend(uint64(s.size)); err != nil {
		return 0, 0, err
	}
	if err := m.moved(s.size); err != nil {
		return 0, 0, err
	}
	ptr, units, err = storeText(m.dst, m.dstEnc, &s)
	m.sm, m.dm = m.src.bytes(), m.dst.bytes()
	return ptr, units, err
}

// copyText is text from UTF-8 to UTF-8.
func (m *transferer) copyText(ptr, size uint32) (uint32, error) {
	if _, err := utf8Region(m.sm, ptr, size); err != nil {
		return 0, err
	}
	m.left -= int64(size)
	m.unpolled += int64(size)
	if m.left < 0 || m.unpolled >= pollBytes {
		if err := m.overdue(); err != nil {
			return 0, err
		}
	}
	to, mem, err := m.dst.block(0, 0, 1, size)
	if err != nil {
		return 0, err
	}
	if m.dm = mem; m.same {
		m.sm = mem
	}
	copy(mem[to:][:size], m.sm[ptr:])
	return to, nil
}

// overdue fails or polls.
func (m *transferer) overdue() error {
	if err := m.spend(0); err != nil {
		return err
	}
	return m.poll()
}

// copyBytes copies size bytes of the source to new memory.
func (m *transferer) copyBytes(ptr, size, align uint32) (uint32, error) {
	if err := m.moved(size); err != nil {
		return 0, err
	}
	to, err := m.alloc(align, size)
	if err != nil {
		return 0, err
	}
	copy(m.dm[to:][:size], m.sm[ptr:])
	return to, nil
}

// alloc asks the destination for memory, after which both are as they are now.
func (m *transferer) alloc(align, size uint32) (to uint32, err error) {
	to, m.dm, err = m.dst.block(0, 0, align, size)
	if m.same {
		m.sm = m.dm
	}
	return to, err
}

func (m *transferer) list(o *op, ptr, n uint32) (uint32, error) {
	from, err := Region(m.sm, ptr, n, o.n, uint32(o.size))
	if err != nil {
		return 0, err
	}
	if err := m.spend(uint64(len(from))); err != nil {
		return 0, err
	}
	if o.code == opListCopy {
		return m.copyBytes(ptr, uint32(len(from)), uint32(o.size))
	}
	to, err := m.alloc(uint32(o.size), uint32(len(from)))
	if err != nil {
		return 0, err
	}
	return to, m.elements(o, ptr, to, n)
}

// elements passes the elements of a list by o.sub, some at a time: what they
// begin with, if it is fixed, goes by columns.
func (m *transferer) elements(o *op, s, d, n uint32) error {
	begin := o.sub.leading()
	for n > 0 {
		some := min(n, elementsAtOnce)
		if begin > 0 {
			f, bytes := o.sub.ops[0].fixed, some*o.n
			if err := f.moveAll(m.dm[d:][:bytes], m.sm[s:][:bytes], int(o.n)); err != nil {
				return err
			}
		}
		if begin < len(o.sub.ops) {
			for i := range some {
				if err := m.memory(o.sub, begin, s+i*o.n, d+i*o.n); err != nil {
					return err
				}
			}
		}
		if err := m.moved(some * o.n); err != nil {
			return err
		}
		n, s, d = n-some, s+some*o.n, d+some*o.n
	}
	return nil
}

// elementsAtOnce keeps what is looked at twice in the caches.
const elementsAtOnce = 64

// moved counts n bytes and polls when it is time.
func (m *transferer) moved(n uint32) error {
	if m.unpolled += int64(n); m.unpolled >= pollBytes {
		return m.poll()
	}
	return nil
}

func (m *transferer) poll() error {
	m.unpolled = 0
	for _, g := range [...]*Guest{m.src, m.dst} {
		if g.Poll != nil {
			if err := g.Poll(); err != nil {
				g.Fault = err
				return err
			}
		}
	}
	return nil
}

func (m *transferer) spend(n uint64) error {
	if m.left -= int64(n); m.left < 0 {
		return trap.New(trap.Limit, "values of one call take more than %d bytes", int64(maxTransfer))
	}
	return nil
}
