package abi

import "math"

// Runs of scalars in slots are passed by a mask and a bound each. What is not
// within its bound, which is a little too low for chars, is looked at again.

// run is scalars in slots that follow each other.
type run struct {
	bounds []bound
	ops    []op
}

type bound struct{ mask, most uint64 }

// bounded returns the bound of a scalar. It is not ok for one that is more than
// some bits of its slot.
func (o *op) bounded() (_ bound, ok bool) {
	switch o.code {
	case opBool:
		return bound{math.MaxUint32, 1}, true
	case opU8:
		return bound{math.MaxUint8, math.MaxUint8}, true
	case opU16:
		return bound{math.MaxUint16, math.MaxUint16}, true
	case opU32, opS32, opF32:
		return bound{math.MaxUint32, math.MaxUint32}, true
	case opU64, opS64, opF64:
		return bound{math.MaxUint64, math.MaxUint64}, true
	case opChar:
		return bound{math.MaxUint32, surrFrom - 1}, true
	case opFlags:
		return bound{1<<o.n - 1, math.MaxUint64}, true
	case opEnum:
		return bound{math.MaxUint32, uint64(o.n) - 1}, true
	}
	return bound{}, false
}

// slotsEnd is [block.runEnd] in slots.
func (b *block) slotsEnd(i int, labels []int) int {
	end := i
	for end < len(b.ops) && (end == i || labels[end] == 0) {
		if _, ok := b.ops[end].bounded(); !ok {
			break
		}
		end++
	}
	return max(end, i+1)
}

// fuseSlots is [fuseRun] in slots.
func fuseSlots(ops []op) (_ op, ok bool) {
	if len(ops) < 2 {
		return op{}, false
	}
	r := &run{ops: ops}
	for i := range ops {
		b, _ := ops[i].bounded()
		r.bounds = append(r.bounds, b)
	}
	return op{code: opRun, slot: ops[0].slot, off: ops[0].off, run: r}, true
}

// pass passes the run from in to out, which begin with it.
func (r *run) pass(in, out []uint64) error {
	in, out = in[:len(r.bounds)], out[:len(r.bounds)]
	for i := range r.bounds {
		b := &r.bounds[i]
		v := in[i] & b.mask
		if v > b.most {
			var err error
			if v, err = r.ops[i].lift(v); err != nil {
				return err
			}
		}
		out[i] = v
	}
	return nil
}
