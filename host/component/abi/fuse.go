package abi

import "encoding/binary"

// Runs of scalars are moved from memory to memory in whole words, with the
// padding between them masked out. What has to be checked is checked eight
// bytes at a time too: a word that may hold what its type does not have is
// looked at field by field.

// fixed is a run of scalars that stand at fixed places.
type fixed struct {
	off, size uint32
	words     []word
	checks    []op // bools, chars, enums and cases; places are relative to the run
}

// word is eight bytes of a run; the last may overlap the one before.
type word struct {
	off  uint32
	disc uint32 // where the case of an option is, if some is not 0
	// mask are the bits that are moved, some those that are where the option at
	// disc has a value.
	mask, some uint64
	// add sets the bits of high, one a byte, where a byte is not below its bound.
	add, high uint64
}

const (
	wordSize = 8
	// maxFused is the longest copy that is done in words.
	maxFused = 4 * wordSize
	// maxRun is the longest run, in ops.
	maxRun = 64
	low7   = 0x7f7f7f7f7f7f7f7f
)

// length returns the bytes of a scalar, case or copy in memory.
func (o *op) length() uint32 {
	if o.code == opCopy {
		return o.n
	}
	return uint32(o.size)
}

func (o *op) fusible() bool {
	switch o.code {
	case opBool, opChar, opFlags, opEnum:
		return true
	case opCopy:
		return o.n <= maxFused
	}
	return false
}

// option reports whether ops[i] is the case of an option whose value is the
// copy behind it, and nothing else leads there.
func (b *block) option(i int) bool {
	o := &b.ops[i]
	return o.code == opVariant && o.tag && o.n == 2 && i+1 < len(b.ops) &&
		b.ops[i+1].code == opCopy && b.ops[i+1].fusible() &&
		b.jumps[o.arg] == uint32(i+2) && b.jumps[o.arg+1] == uint32(i+1)
}

// fuse puts the runs of scalars of a block together. The block is for transfers.
func (b *block) fuse(f form) {
	end, fuse := b.runEnd, fuseRun
	if f.flat {
		end, fuse = b.slotsEnd, fuseSlots
	}
	inside := b.labels()
	at := make([]uint32, len(b.ops)+1) // where ops went
	var ops []op
	for i := 0; i < len(b.ops); {
		end := end(i, inside)
		run := b.ops[i:end]
		if o, ok := fuse(run); ok {
			at[i] = uint32(len(ops))
			ops = append(ops, o)
		} else {
			for k := range run {
				at[i+k] = uint32(len(ops))
				ops = append(ops, run[k])
			}
		}
		i = end
	}
	at[len(b.ops)] = uint32(len(ops))
	for i, to := range b.jumps {
		b.jumps[i] = at[to]
	}
	for i := range ops {
		if ops[i].code == opJump {
			ops[i].arg = at[ops[i].arg]
		}
	}
	b.ops = ops
}

// labels returns how many ops lead to each op, other than the one before it.
func (b *block) labels() []int {
	n := make([]int, len(b.ops)+1)
	for i := range b.ops {
		switch o := &b.ops[i]; o.code {
		case opJump:
			n[o.arg]++
		case opVariant:
			for _, to := range b.jumps[o.arg:][:o.n] {
				n[to]++
			}
		}
	}
	return n
}

// runEnd returns the end of the run that begins at i. Nothing leads into a run
// but to its start.
func (b *block) runEnd(i int, labels []int) int {
	allowed := 0 // labels at the end, which are of the run's own last option
	end := i
	for end < min(len(b.ops), i+maxRun) && (end == i || labels[end] == allowed) {
		switch {
		case b.ops[end].fusible():
			end, allowed = end+1, 0
		case b.option(end) && labels[end+1] == 1:
			end, allowed = end+2, 1
		default:
			return max(end, i+1)
		}
	}
	return max(end, i+1)
}

// fuseRun returns the op of a run of ops whose places grow. It is not ok where
// that would save nothing.
func fuseRun(run []op) (_ op, ok bool) {
	last := &run[len(run)-1]
	f := &fixed{off: run[0].off, size: last.off + last.length() - run[0].off}
	if len(run) < 2 || f.size < wordSize {
		return op{}, false
	}
	layout := make([]struct{ keep, some, bound byte }, f.size)
	disc := make([]uint32, f.size)
	for i := range run {
		o := run[i]
		o.off -= f.off
		value := i > 0 && run[i-1].code == opVariant
		for k := o.off; k < o.off+o.length(); k++ {
			if value {
				layout[k].some, disc[k] = 0xff, run[i-1].off-f.off
			} else {
				layout[k].keep = 0xff
			}
		}
		switch o.code {
		case opFlags:
			var bits [wordSize]byte
			binary.LittleEndian.PutUint64(bits[:], 1<<o.n-1)
			for k := range o.length() {
				layout[o.off+k].keep = bits[k]
			}
		case opBool, opChar, opEnum, opVariant:
			f.checks = append(f.checks, o)
			for k := range o.length() {
				layout[o.off+k].bound = o.bound(k)
			}
		}
	}
	for off := uint32(0); off < f.size; off += wordSize {
		w := word{off: min(off, f.size-wordSize)}
		for k := range uint32(wordSize) {
			at, shift := w.off+k, 8*k
			l := layout[at]
			w.mask |= uint64(l.keep) << shift
			if l.some != 0 {
				if w.some != 0 && w.disc != disc[at] {
					return op{}, false // two options share a word
				}
				w.some |= uint64(l.some) << shift
				w.disc = disc[at]
			}
			if l.bound != 0 {
				w.high |= 0x80 << shift
				w.add |= uint64(0x80-l.bound) << shift
			}
		}
		if w.mask|w.some != 0 {
			f.words = append(f.words, w)
		}
	}
	return op{code: opFixed, off: f.off, fixed: f}, true
}

// bound returns what byte k of a scalar is below, at most 0x80, if it need not
// be looked at more closely.
func (o *op) bound(k uint32) byte {
	switch {
	case o.code == opBool:
		return 2
	case o.code == opChar && k == 1:
		return 0x80 // below all surrogates
	case o.code != opChar && k == 0:
		return byte(min(o.n, 0x80))
	case k == 0:
		return 0 // any
	}
	return 1
}

// move moves the run from src to dst, which are as long as it is.
func (f *fixed) move(dst, src []byte) error {
	odd := uint64(0)
	for i := range f.words {
		w := &f.words[i]
		v, mask := binary.LittleEndian.Uint64(src[w.off:]), w.mask
		if w.some != 0 && src[w.disc] != 0 {
			mask |= w.some
		}
		odd |= (v&low7 + w.add | v) & w.high
		binary.LittleEndian.PutUint64(dst[w.off:], v&mask)
	}
	if odd == 0 {
		return nil
	}
	return f.check(dst, src)
}

// moveAll moves the run of each of the records of step bytes that src is.
func (f *fixed) moveAll(dst, src []byte, step int) error {
	odd := uint64(0)
	for i := range f.words {
		w := &f.words[i]
		at := int(f.off + w.off)
		if w.some != 0 {
			odd |= w.options(dst, src, at, at+int(w.disc)-int(w.off), step)
		} else {
			odd |= w.column(dst, src, at, step)
		}
	}
	for at := int(f.off); odd != 0 && at < len(src); at += step {
		if err := f.check(dst[at:], src[at:]); err != nil {
			return err
		}
	}
	return nil
}

// column moves the word at at in every record.
func (w *word) column(dst, src []byte, at, step int) (odd uint64) {
	mask, add, high := w.mask, w.add, w.high
	dst = dst[:len(src)]
	for ; at <= len(src)-wordSize; at += step {
		v := binary.LittleEndian.Uint64(src[at:])
		odd |= (v&low7 + add | v) & high
		binary.LittleEndian.PutUint64(dst[at:], v&mask)
	}
	return odd
}

// options is column where the case at disc says what is moved.
func (w *word) options(dst, src []byte, at, disc, step int) (odd uint64) {
	dst = dst[:len(src)]
	for ; at <= len(src)-wordSize; at, disc = at+step, disc+step {
		v, mask := binary.LittleEndian.Uint64(src[at:]), w.mask
		if src[disc] != 0 {
			mask |= w.some
		}
		odd |= (v&low7 + w.add | v) & w.high
		binary.LittleEndian.PutUint64(dst[at:], v&mask)
	}
	return odd
}

// leading returns how many ops a block begins with that moveAll can do: one or
// none.
func (b *block) leading() int {
	if len(b.ops) > 0 && b.ops[0].code == opFixed {
		return 1
	}
	return 0
}

// check looks at each field that may be out of its type's bounds.
func (f *fixed) check(dst, src []byte) error {
	for i := range f.checks {
		o := &f.checks[i]
		v, err := o.lift(o.load(src, 0))
		if err != nil {
			return err
		}
		o.store(dst, 0, v)
	}
	return nil
}
