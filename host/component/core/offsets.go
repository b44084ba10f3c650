package core

import (
	"cmp"
	"slices"
)

// Offsets leads from places in the code that [Rewrite] wrote to those that they
// come from. Both are offsets from the start of the code section's contents, as
// in DWARF and in the engine's backtraces: those name the first byte of the
// instruction that trapped or that made a call.
//
// It takes 12 bytes for each place where the rewriter put something in.
type Offsets struct{ runs []codeRun }

// codeRun is code that was copied, and what was put in behind it.
type codeRun struct{ written, original, size uint32 }

// appendedCode is the original of functions that were appended.
const appendedCode = ^uint32(0)

// Original returns where an instruction stood. One that was put in counts as
// the module's next. It returns false for what is in no function of the module.
func (o *Offsets) Original(written uint32) (uint32, bool) {
	if o == nil {
		return 0, false
	}
	i, found := slices.BinarySearchFunc(o.runs, written, func(r codeRun, at uint32) int { return cmp.Compare(r.written, at) })
	if found {
		for i+1 < len(o.runs) && o.runs[i+1].written == written {
			i++ // runs of no size
		}
	} else {
		i--
	}
	if i < 0 || o.runs[i].original == appendedCode {
		return 0, false
	}
	r := o.runs[i]
	return r.original + min(written-r.written, r.size), true
}

// note notes that code of the module is about to be copied.
func (k *walker) note(pos int) {
	if k.w.plan.KeepOffsets && pos > k.copied {
		start := k.w.m.sections[secCode].start
		k.runs = append(k.runs, codeRun{uint32(len(k.a.b)), uint32(k.copied - start), uint32(pos - k.copied)})
	}
}

// placed notes where a function's code was written: head bytes behind at.
func (k *walker) placed(at, head, start int) {
	if !k.w.plan.KeepOffsets {
		return
	}
	o := &k.w.offsets
	o.runs = append(o.runs, codeRun{written: uint32(at), original: uint32(start - k.w.m.sections[secCode].start)})
	for _, r := range k.runs {
		r.written += uint32(at + head)
		o.runs = append(o.runs, r)
	}
	k.runs = k.runs[:0]
}

// finish moves all offsets by what stands before the first function, and closes
// them before the first that was appended, which starts at end.
func (o *Offsets) finish(before, end int) {
	o.runs = append(o.runs, codeRun{written: uint32(end), original: appendedCode})
	for i := range o.runs {
		o.runs[i].written += uint32(before)
	}
}
