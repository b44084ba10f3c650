package abi

import (
	"fmt"

	"github.com/lathhost/lath/wit"
)

// builder emits one block.
type builder struct {
	c    *Compiler
	form form
	root *wit.Type
	out  *block
	// label is the last position that a jump leads to: an op there must not
	// merge with the one before.
	label int
}

var scalars = [...]opcode{
	wit.KindBool: opBool, wit.KindS8: opS8, wit.KindU8: opU8, wit.KindS16: opS16,
	wit.KindU16: opU16, wit.KindS32: opS32, wit.KindU32: opU32, wit.KindS64: opS64,
	wit.KindU64: opU64, wit.KindF32: opF32, wit.KindF64: opF64, wit.KindChar: opChar,
}

// emit adds the ops of a t at off and slot.
func (b *builder) emit(t *wit.Type, off, slot uint32) error {
	if t != b.root && b.c.weight(t) > inlineMax {
		sub, err := b.c.block(t, b.form)
		if err != nil {
			return err
		}
		if !b.form.flat && sub.dense(t.Size) {
			return b.add(op{code: opCopy, off: off, n: t.Size})
		}
		return b.add(op{code: opCall, off: off, slot: uint8(slot), sub: sub})
	}
	o := op{off: off, slot: uint8(slot), size: uint8(t.Size)}
	switch t.Kind {
	case wit.KindString:
		o.code = opString
	case wit.KindRecord, wit.KindTuple:
		return b.fields(t, off, slot)
	case wit.KindFlags:
		o.code, o.n = opFlags, uint32(len(t.Labels))
	case wit.KindEnum, wit.KindVariant, wit.KindOption, wit.KindResult:
		return b.cases(t, off, slot)
	case wit.KindList, wit.KindMap:
		return b.list(t.Elem, o)
	case wit.KindFixedList:
		return b.fixed(t, off, slot)
	case wit.KindOwn:
		o.code, o.res = opOwn, t.Resource
	case wit.KindBorrow:
		o.code, o.res = opBorrow, t.Resource
	default:
		if int(t.Kind) >= len(scalars) {
			return fmt.Errorf("%w: %s", ErrAsync, t.Kind)
		}
		return b.scalar(t, o)
	}
	return b.add(o)
}

// scalar adds a primitive. In the memory form those that are any bits merge.
func (b *builder) scalar(t *wit.Type, o op) error {
	o.code = scalars[t.Kind]
	switch o.code {
	case opBool, opChar:
	case opU8, opS8, opF32, opF64:
		if !b.form.flat {
			o = op{code: opCopy, off: o.off, n: t.Size}
		}
	default:
		if !b.form.flat && !b.form.wire {
			o = op{code: opCopy, off: o.off, n: t.Size}
		}
	}
	return b.add(o)
}

func (b *builder) fields(t *wit.Type, off, slot uint32) error {
	offs := t.Offsets()
	for i, f := range t.Fields {
		if err := b.emit(f.Type, off+offs[i], slot); err != nil {
			return err
		}
		slot += uint32(len(f.Type.Flat))
	}
	return nil
}

func (b *builder) cases(t *wit.Type, off, slot uint32) error {
	disc := op{code: opEnum, off: off, slot: uint8(slot), size: uint8(t.DiscSize()), n: uint32(len(t.Cases)),
		tag: t.Kind == wit.KindOption || t.Kind == wit.KindResult}
	if !hasPayload(t) {
		return b.add(disc)
	}
	disc.code, disc.arg = opVariant, uint32(len(b.out.jumps))
	if err := b.add(disc); err != nil {
		return err
	}
	if err := b.charge(len(t.Cases)); err != nil {
		return err
	}
	b.out.jumps = append(b.out.jumps, make([]uint32, len(t.Cases))...)
	var ends []int
	for i, k := range t.Cases {
		if k.Type == nil {
			continue
		}
		b.label = len(b.out.ops)
		b.out.jumps[int(disc.arg)+i] = uint32(b.label)
		if err := b.emit(k.Type, off+t.Payload(), slot+1); err != nil {
			return err
		}
		ends = append(ends, len(b.out.ops))
		if err := b.add(op{code: opJump}); err != nil {
			return err
		}
	}
	b.endCases(t, int(disc.arg), ends)
	return nil
}

// endCases lets the cases go on behind the last one, which needs no jump.
func (b *builder) endCases(t *wit.Type, jumps int, ends []int) {
	b.out.ops = b.out.ops[:len(b.out.ops)-1]
	b.label = len(b.out.ops)
	for _, at := range ends[:len(ends)-1] {
		b.out.ops[at].arg = uint32(b.label)
	}
	for i, k := range t.Cases {
		if k.Type == nil {
			b.out.jumps[jumps+i] = uint32(b.label)
		}
	}
}

func hasPayload(t *wit.Type) bool {
	for _, k := range t.Cases {
		if k.Type != nil {
			return true
		}
	}
	return false
}

func (b *builder) list(elem *wit.Type, o op) error {
	sub, err := b.c.block(elem, form{wire: b.form.wire})
	if err != nil {
		return err
	}
	o.code, o.sub, o.n, o.size = opList, sub, elem.Size, uint8(elem.Align)
	if sub.dense(elem.Size) {
		o.code = opListCopy
	}
	return b.add(o)
}

func (b *builder) fixed(t *wit.Type, off, slot uint32) error {
	elem, step := t.Elem, uint32(len(t.Elem.Flat))
	if b.c.weight(t) <= inlineMax {
		for i := uint32(0); i < t.Len; i++ {
			if err := b.emit(elem, off+i*elem.Size, slot+i*step); err != nil {
				return err
			}
		}
		return nil
	}
	sub, err := b.c.block(elem, b.form)
	if err != nil {
		return err
	}
	if !b.form.flat && sub.dense(elem.Size) {
		return b.add(op{code: opCopy, off: off, n: t.Size})
	}
	return b.add(op{code: opRepeat, off: off, slot: uint8(slot), size: uint8(step), n: t.Len, arg: elem.Size, sub: sub})
}

// add appends o, or lengthens the copy before it where o goes on copying.
func (b *builder) add(o op) error {
	if k := len(b.out.ops) - 1; o.code == opCopy && k >= b.label {
		if last := &b.out.ops[k]; last.code == opCopy && last.off+last.n == o.off {
			last.n += o.n
			return nil
		}
	}
	if err := b.charge(1); err != nil {
		return err
	}
	b.out.ops = append(b.out.ops, o)
	return nil
}

// finish returns the block.
func (b *builder) finish() *block {
	if !b.form.wire {
		b.out.fuse(b.form)
	}
	return b.out
}

func (b *builder) charge(n int) error {
	if b.c.made += n; b.c.made > MaxOps {
		return ErrTooComplex
	}
	return nil
}
