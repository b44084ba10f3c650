package memory

import (
	"bytes"
	"errors"
	"fmt"
)

// resetUnit is what contents are compared and copied in. It is a system page
// where a page is that small, and divides one everywhere else.
const resetUnit = 4096

// pristine is what [Linear.Reset] returns to: the image, and over it what the
// guest's start functions wrote.
type pristine struct {
	marked bool
	size   uint64
	delta  []run // sorted, apart from each other, whole units
	runs   []run // scratch
}

// run is a run of whole units in a memory. In a delta it has the contents.
type run struct {
	start, end uint64
	bytes      []byte
}

// Mark makes the memory's present contents and size what [Linear.Reset]
// returns to. Call it once, when the instance is as its users are to find it.
// It keeps a copy of what differs from the image.
func (m *Linear) Mark() error {
	size := uint64(len(m.buf))
	dirty, _, err := m.dirty(m.reset.runs[:0], size)
	if err != nil {
		return fmt.Errorf("mark linear memory: %w", err)
	}
	m.reset = pristine{marked: true, size: size, runs: dirty}
	base := m.imageBytes()
	for _, d := range dirty {
		for at := d.start; at < d.end; at += resetUnit {
			if now := m.buf[at:min(at+resetUnit, size)]; !sameAsBase(base, at, now) {
				m.reset.keep(at, now)
			}
		}
	}
	return nil
}

// keep adds a unit to the delta, joining it to the last run where they touch.
func (p *pristine) keep(at uint64, contents []byte) {
	if n := len(p.delta); n > 0 && p.delta[n-1].end == at {
		last := &p.delta[n-1]
		last.bytes = append(last.bytes, contents...)
		last.end = at + resetUnit
		return
	}
	p.delta = append(p.delta, run{at, at + resetUnit, bytes.Clone(contents)})
}

var zeroUnit [resetUnit]byte

// sameAsBase tells whether a unit is what the image, or the zeros after it,
// has there.
func sameAsBase(base []byte, at uint64, now []byte) bool {
	if at < uint64(len(base)) {
		return bytes.Equal(now, base[at:at+uint64(len(now))])
	}
	return bytes.Equal(now, zeroUnit[:len(now)])
}

// Marked reports whether [Linear.Mark] was called.
func (m *Linear) Marked() bool { return m.reset.marked }

// Reset brings contents and size back to what they were when [Linear.Mark] was
// called. What the memory grew by goes back to the system and the budget. Of the
// rest, pages that were written stay with the process, so that the next guest's
// writes fault no more, unless they are more than keep (in units of 4 KiB): then
// all of them are given back. It returns how many units had been written, or
// all of them where the system cannot tell.
//
// The engine must be told of a smaller size: see [Linear.Shrunk]. After an
// error the memory is not pristine, and good for nothing but Close.
func (m *Linear) Reset(keep int) (written int, err error) {
	p := &m.reset
	if m.closed || !p.marked {
		return 0, errors.New("reset linear memory: it is closed, or was never marked")
	}
	m.shrink()
	runs, exact, err := m.dirty(p.runs[:0], p.size)
	if p.runs = runs; err != nil {
		return 0, fmt.Errorf("reset linear memory: %w", err)
	}
	for _, d := range runs {
		written += int((d.end - d.start) / resetUnit)
	}
	kept := p.size // from here on pages are given back
	switch {
	case !exact:
		kept = min(p.size, keptUnknown)
	case written > keep:
		kept = 0
	}
	if kept < p.size && m.base.discard(kept, p.size) {
		runs = clip(runs, kept)
		for _, d := range p.delta {
			if d.end > kept {
				copy(m.buf[d.start:], d.bytes)
			}
		}
	}
	base, delta := m.imageBytes(), p.delta
	for _, d := range runs {
		delta = restore(m.buf, base, delta, d)
	}
	return written, nil
}

// shrink gives back what the memory grew by since it was marked.
func (m *Linear) shrink() {
	old, size := uint64(len(m.buf)), m.reset.size
	if old == size {
		return
	}
	if !m.base.discard(size, old) {
		clear(m.buf[size:])
	}
	m.budget.give(old - size)
	m.buf = m.base.slice(size)
	m.shrunk = true
}

// Shrunk tells whether a Reset made the memory smaller than the engine knows.
// It learns of it by growing the memory, by whatever amount.
func (m *Linear) Shrunk() bool { return m.shrunk }

// keptUnknown is how much of a memory is rewritten, and the rest given back,
// where nobody knows what was written.
const keptUnknown = 1 << 20

// clip cuts off what of the runs is beyond end.
func clip(runs []run, end uint64) []run {
	for i := range runs {
		if runs[i].start >= end {
			return runs[:i]
		}
		runs[i].end = min(runs[i].end, end)
	}
	return runs
}

// restore writes what belongs into a run, and returns the delta that lies after
// its start.
func restore(mem, base []byte, delta []run, d run) []run {
	for at := d.start; at < d.end; {
		for len(delta) > 0 && delta[0].end <= at {
			delta = delta[1:]
		}
		end := min(d.end, uint64(len(mem)))
		if len(delta) > 0 && delta[0].start <= at {
			end = min(end, delta[0].end)
			copy(mem[at:end], delta[0].bytes[at-delta[0].start:])
		} else {
			if len(delta) > 0 {
				end = min(end, delta[0].start)
			}
			restoreBase(mem[at:end], base, at)
		}
		if end <= at {
			break // beyond memory: nothing to restore
		}
		at = end
	}
	return delta
}

// restoreBase writes the image, and zeros after it.
func restoreBase(mem, base []byte, at uint64) {
	n := 0
	if at < uint64(len(base)) {
		n = copy(mem, base[at:])
	}
	clear(mem[n:])
}

// imageBytes returns the image's bytes, to read.
func (m *Linear) imageBytes() []byte {
	if m.image == nil {
		return nil
	}
	return m.image.bytes()
}
