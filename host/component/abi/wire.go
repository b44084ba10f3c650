package abi

import "encoding/binary"

// Wire passes a tuple of values between a guest and the wire, where they are
// concatenated. It is immutable and serves any number of calls at once.
//
// A handle crosses the wire as the index that it has in a table of the
// connection, the peer's: a list<u8> of 16 bytes that starts with the index,
// little-endian, and is zero otherwise. Peer may be nil where no type of the
// function has handles.
type Wire struct {
	tuple
	enc Encoding
}

// LiftFlat appends the guest's flat values to dst and returns it, longer. The
// bytes count against g.Budget. After an error dst is what was appended so far.
func (w *Wire) LiftFlat(g *Guest, peer Handles, stack []uint64, dst []byte) ([]byte, error) {
	if w.slots == nil || len(stack) < len(w.flat) {
		return dst, ErrNotFlat
	}
	if w.scalars {
		return w.liftScalars(g, stack, dst)
	}
	var l lifter
	w.lift(&l, g, peer, dst)
	l.in = stack
	return l.finish(l.run(w.slots, 0, true))
}

// LiftMem appends the tuple at ptr to dst as [Wire.LiftFlat] does.
func (w *Wire) LiftMem(g *Guest, peer Handles, ptr uint32, dst []byte) ([]byte, error) {
	var l lifter
	w.lift(&l, g, peer, dst)
	if err := w.area(l.mem, ptr); err != nil {
		return dst, err
	}
	return l.finish(l.run(w.mem, ptr, false))
}

// LowerFlat reads the tuple from the start of src and gives it to the guest as
// flat values. It returns the bytes behind it.
func (w *Wire) LowerFlat(g *Guest, peer Handles, src []byte, stack []uint64) (rest []byte, err error) {
	if w.slots == nil {
		return src, ErrNotFlat
	}
	var l lowerer
	w.lower(&l, g, peer, src)
	if l.out, err = w.output(stack); err != nil {
		return src, err
	}
	return l.finish(l.run(w.slots, 0, true))
}

// LowerMem reads the tuple from the start of src and writes it at ptr, whose
// bounds and alignment are checked. It returns the bytes behind it.
func (w *Wire) LowerMem(g *Guest, peer Handles, src []byte, ptr uint32) (rest []byte, err error) {
	var l lowerer
	w.lower(&l, g, peer, src)
	if err := w.area(l.mem, ptr); err != nil {
		return src, err
	}
	return l.finish(l.run(w.mem, ptr, false))
}

// liftScalars is LiftFlat of nothing but scalars.
func (w *Wire) liftScalars(g *Guest, stack []uint64, dst []byte) ([]byte, error) {
	from := len(dst)
	for i := range w.slots.ops {
		o := &w.slots.ops[i]
		v, err := o.lift(stack[o.slot])
		if err != nil {
			return dst, err
		}
		dst = o.append(dst, v)
	}
	return dst, g.spend(len(dst) - from)
}

// lift and lower ready what runs in place: it is too large to be handed around.
func (w *Wire) lift(l *lifter, g *Guest, peer Handles, dst []byte) {
	l.guest, l.peer, l.enc, l.mem, l.dst, l.from = g, peer, w.enc, g.bytes(), dst, len(dst)
}

func (w *Wire) lower(l *lowerer, g *Guest, peer Handles, src []byte) {
	l.guest, l.peer, l.enc, l.mem, l.src, l.total = g, peer, w.enc, g.bytes(), src, len(src)
}

// wireHandle is the length of a handle on the wire.
const wireHandle = 16

func appendHandle(dst []byte, index uint32) []byte {
	var b [1 + wireHandle]byte
	b[0] = wireHandle
	binary.LittleEndian.PutUint32(b[1:], index)
	return append(dst, b[:]...)
}

// ParseHandle returns the index of a handle as it is on the wire; it is not ok where
// b is not that of one handle.
func ParseHandle(b []byte) (index uint32, ok bool) {
	if len(b) != 1+wireHandle {
		return 0, false
	}
	return parseHandle(b)
}

// parseHandle is not ok where b, of 1+wireHandle bytes, was not made by
// appendHandle.
func parseHandle(b []byte) (index uint32, ok bool) {
	zero := binary.LittleEndian.Uint32(b[5:])
	zero |= binary.LittleEndian.Uint32(b[9:])
	zero |= binary.LittleEndian.Uint32(b[13:])
	return binary.LittleEndian.Uint32(b[1:]), b[0] == wireHandle && zero == 0
}
