package abi

// Transfer passes a tuple of values from one guest to another. It is immutable
// and serves any number of calls at once.
//
// Strings and lists get new memory by the destination's realloc; the source's
// memory is only read. After an error the destination may hold part of the
// values, and handles may have moved.
type Transfer struct {
	tuple
	src, dst Encoding
	text     bool // it is one UTF-8 string, on either side
}

// Flat reads flat values from in and writes them to out, which must not
// overlap. Both are at least as long as [Transfer.CoreTypes].
func (t *Transfer) Flat(src, dst *Guest, in, out []uint64) error {
	if t.slots == nil || len(in) < len(t.flat) || len(out) < len(t.flat) {
		return ErrNotFlat
	}
	switch {
	case t.scalars:
		return t.slots.scalars(in, out)
	case t.text && uint32(in[1]) < pollBytes:
		return passText(src, dst, in, out)
	}
	var m transferer
	t.start(&m, src, dst)
	m.in, m.out = in, out
	clear(out[:len(t.flat)])
	return m.flat(t.slots, 0)
}

// passText is Flat of one UTF-8 string, by far the most common value that is no
// scalar, without a machine for what there is to do.
func passText(src, dst *Guest, in, out []uint64) error {
	ptr, size := uint32(in[0]), uint32(in[1])
	if _, err := utf8Region(src.bytes(), ptr, size); err != nil {
		return err
	}
	to, mem, err := dst.block(0, 0, 1, size)
	if err != nil {
		return err
	}
	copy(mem[to:][:size], src.bytes()[ptr:])
	out[0], out[1] = uint64(to), uint64(size)
	return nil
}

// Mem reads the tuple at srcPtr and writes it at dstPtr. Both areas are given;
// their bounds and alignment are checked.
func (t *Transfer) Mem(src, dst *Guest, srcPtr, dstPtr uint32) error {
	var m transferer
	t.start(&m, src, dst)
	if err := t.area(m.sm, srcPtr); err != nil {
		return err
	}
	if err := t.area(m.dm, dstPtr); err != nil {
		return err
	}
	return m.memory(t.mem, 0, srcPtr, dstPtr)
}

// FlatToMem reads flat values from in and writes the tuple at dstPtr.
func (t *Transfer) FlatToMem(src, dst *Guest, in []uint64, dstPtr uint32) error {
	if t.slots == nil {
		return ErrNotFlat
	}
	var m transferer
	t.start(&m, src, dst)
	var err error
	if m.in, err = t.input(in); err != nil {
		return err
	}
	if err := t.area(m.dm, dstPtr); err != nil {
		return err
	}
	return m.run(t.slots, slotsToMem, 0, dstPtr)
}

// MemToFlat reads the tuple at srcPtr and writes flat values to out.
func (t *Transfer) MemToFlat(src, dst *Guest, srcPtr uint32, out []uint64) error {
	if t.slots == nil {
		return ErrNotFlat
	}
	var m transferer
	t.start(&m, src, dst)
	if err := t.area(m.sm, srcPtr); err != nil {
		return err
	}
	var err error
	if m.out, err = t.output(out); err != nil {
		return err
	}
	return m.run(t.slots, memToSlots, srcPtr, 0)
}

// start readies m in place: it is too large to be handed around.
func (t *Transfer) start(m *transferer, src, dst *Guest) {
	m.src, m.dst, m.sm, m.dm = src, dst, src.bytes(), dst.bytes()
	m.srcEnc, m.dstEnc, m.left = t.src, t.dst, maxTransfer
	m.utf8 = t.src == UTF8 && t.dst == UTF8
	m.same = len(m.sm) > 0 && len(m.dm) > 0 && &m.sm[0] == &m.dm[0]
}

// area checks that the tuple fits at ptr.
func (t *tuple) area(mem []byte, ptr uint32) error {
	_, err := area(mem, "value", ptr, uint64(t.size), t.align)
	return err
}

func (t *tuple) input(in []uint64) ([]uint64, error) {
	if len(in) < len(t.flat) {
		return nil, ErrNotFlat
	}
	return in, nil
}

// output returns out with its slots zero: what no op writes belongs to a case
// that was not chosen.
func (t *tuple) output(out []uint64) ([]uint64, error) {
	if len(out) < len(t.flat) {
		return nil, ErrNotFlat
	}
	clear(out[:len(t.flat)])
	return out, nil
}
