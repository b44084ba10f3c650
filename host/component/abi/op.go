package abi

import (
	"encoding/binary"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

type opcode uint8

// The ops. The scalar ones come first (code <= opEnum) and share one shape:
// load bits, check and normalise them (op.lift), store bits. Streams, futures
// and error-contexts will come after opBorrow.
const (
	opBool opcode = iota
	opU8
	opS8
	opU16
	opS16
	opU32
	opS32
	opU64
	opS64
	opF32
	opF64
	opChar
	opFlags // n labels
	opEnum  // n cases, none with a payload

	opCopy    // n bytes as they are; memory form only
	opFixed   // a run of scalars and copies; memory form of transfers only
	opRun     // a run of scalars; flat form of transfers only
	opVariant // n cases; case i goes on at jumps[arg+i]
	opJump    // go on at arg
	opCall    // run sub at this op's place
	opRepeat  // run sub n times: arg bytes and size slots apart
	opString
	opList     // elements of n bytes aligned to size, each by sub
	opListCopy // the same for elements that are copied as bytes
	opOwn
	opBorrow
)

// op is one step. Its place is relative to the block's: off in memory, slot
// among the flat values.
type op struct {
	code opcode
	size uint8 // scalar, variant: bytes in memory; list: alignment
	slot uint8
	tag  bool // option, result: on the wire the case is the byte 0 or 1
	off  uint32
	n    uint32
	arg  uint32
	sub  *block
	res  *wit.Resource

	fixed *fixed
	run   *run
}

// block is the program of one type in one form. It is immutable.
type block struct {
	ops   []op
	jumps []uint32
}

// dense reports whether values of size bytes are one copy.
func (b *block) dense(size uint32) bool {
	return len(b.ops) == 1 && b.ops[0].code == opCopy && b.ops[0].n == size
}

// onlyScalars reports whether every op is a scalar, so that each has a slot of
// its own.
func (b *block) onlyScalars() bool {
	for i := range b.ops {
		if c := b.ops[i].code; c > opEnum && c != opRun {
			return false
		}
	}
	return true
}

// scalars runs a block of nothing but scalars from slots to slots.
func (b *block) scalars(in, out []uint64) error {
	for i := range b.ops {
		o := &b.ops[i]
		var err error
		if o.code == opRun {
			err = o.run.pass(in[o.slot:], out[o.slot:])
		} else {
			out[o.slot], err = o.lift(in[o.slot])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lift checks the bits of a scalar, taken from memory or from a flat slot, and
// returns them as the flat value: what op.store and a flat slot take.
func (o *op) lift(v uint64) (uint64, error) {
	switch o.code {
	case opBool:
		if uint32(v) != 0 {
			return 1, nil
		}
		return 0, nil
	case opU8:
		return uint64(uint8(v)), nil
	case opS8:
		return uint64(uint32(int8(v))), nil
	case opU16:
		return uint64(uint16(v)), nil
	case opS16:
		return uint64(uint32(int16(v))), nil
	case opU32, opS32, opF32:
		return uint64(uint32(v)), nil
	case opFlags:
		return v & (1<<o.n - 1), nil
	case opChar:
		c := uint32(v)
		if c >= 0x110000 || c-0xD800 < 0x800 {
			return 0, trap.New(trap.Abi, "%#x is no char", c)
		}
		return uint64(c), nil
	case opEnum, opVariant:
		c := uint32(v)
		if c >= o.n {
			return 0, trap.New(trap.Abi, "discriminant %d of a type of %d cases", c, o.n)
		}
		return uint64(c), nil
	}
	return v, nil
}

// load reads o.size bytes, zero-extended. The caller checked that they are
// inside memory.
func (o *op) load(mem []byte, base uint32) uint64 {
	p := mem[base+o.off:]
	switch o.size {
	case 1:
		return uint64(p[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(p))
	case 4:
		return uint64(binary.LittleEndian.Uint32(p))
	}
	return binary.LittleEndian.Uint64(p)
}

// store writes the low o.size bytes of v.
func (o *op) store(mem []byte, base uint32, v uint64) {
	p := mem[base+o.off:]
	switch o.size {
	case 1:
		p[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(p, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(p, uint32(v))
	default:
		binary.LittleEndian.PutUint64(p, v)
	}
}

// loadPair and storePair move a string's or list's pointer and length.
func (o *op) loadPair(mem []byte, base uint32) (ptr, n uint32) {
	p := mem[base+o.off:][:8]
	return binary.LittleEndian.Uint32(p), binary.LittleEndian.Uint32(p[4:])
}

func (o *op) storePair(mem []byte, base, ptr, n uint32) {
	p := mem[base+o.off:][:8]
	binary.LittleEndian.PutUint32(p, ptr)
	binary.LittleEndian.PutUint32(p[4:], n)
}

// liftHandle takes a handle of one side.
func (o *op) liftHandle(from Handles, h uint32) (rep uint32, err error) {
	switch {
	case from == nil:
		return 0, noHandles()
	case o.code == opOwn:
		rep, err = from.LiftOwn(o.res, h)
	default:
		rep, err = from.LiftBorrow(o.res, h)
	}
	if err != nil {
		return 0, handleError(err)
	}
	return rep, nil
}

// lowerHandle gives a handle to one side.
func (o *op) lowerHandle(to Handles, rep uint32) (h uint32, err error) {
	switch {
	case to == nil:
		return 0, noHandles()
	case o.code == opOwn:
		h, err = to.LowerOwn(o.res, rep)
	default:
		h, err = to.LowerBorrow(o.res, rep)
	}
	if err != nil {
		return 0, handleError(err)
	}
	return h, nil
}

func (o *op) loadHandle(mem []byte, base uint32) uint32 {
	return binary.LittleEndian.Uint32(mem[base+o.off:])
}

func (o *op) storeHandle(mem []byte, base, h uint32) {
	binary.LittleEndian.PutUint32(mem[base+o.off:], h)
}
