package memory

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
)

// resetUnit is what contents are compared and copied in. It is a system page
// where a page is that small, and divides one everywhere else.
const resetUnit = 4096

// pristine is what [Linear.Reset] returns to: the image, and over it what the
// guest's start functions wrote.
type pristine struct {
	marked bool
	size   uint64
	delta  []patch // sorted, apart from each other
}

// run is a run of whole units in a memory.
type run struct{ start, end uint64 }

// patch is the contents of a run. It is shared where another memory's delta has
// the bytes.
type patch struct {
	run
	bytes  []byte
	shared bool
}

// scratch keeps what scans fill, of as many as run at a time.
var scratch = sync.Pool{New: func() any { return new([]run) }}

// Mark makes the memory's present contents and size what [Linear.Reset]
// returns to. Call it once, when the instance is as its users are to find it.
// It keeps a copy of what differs from the image, and shares with the image's
// other memories what is the same in them.
func (m *Linear) Mark() error {
	size := uint64(len(m.buf))
	buf := scratch.Get().(*[]run)
	defer scratch.Put(buf)
	dirty, _ := m.dirty((*buf)[:0], size)
	*buf = dirty
	m.reset = pristine{marked: true, size: size}
	base, err := m.image.hold()
	if err != nil {
		return fmt.Errorf("mark linear memory: %w", err)
	}
	defer m.image.letGo()
	like := m.image.firstDelta()
	for _, d := range dirty {
		for at := d.start; at < d.end; at += resetUnit {
			now := m.buf[at:min(at+resetUnit, size)]
			if sameAsBase(base, at, now) {
				continue
			}
			for len(like) > 0 && like[0].end <= at {
				like = like[1:]
			}
			if len(like) > 0 && like[0].start <= at {
				if same := like[0].bytes[at-like[0].start:]; bytes.HasPrefix(same, now) {
					m.reset.share(at, same[:len(now)])
					continue
				}
			}
			m.reset.keep(at, now)
		}
	}
	m.image.isDelta(m.reset.delta)
	return nil
}

// keep adds a copy of a unit to the delta.
func (p *pristine) keep(at uint64, contents []byte) {
	if n := len(p.delta); n > 0 && p.delta[n-1].end == at && !p.delta[n-1].shared {
		last := &p.delta[n-1]
		last.bytes = append(last.bytes, contents...)
		last.end = at + resetUnit
		return
	}
	p.delta = append(p.delta, patch{run{at, at + resetUnit}, bytes.Clone(contents), false})
}

// share adds a unit whose contents are those of another memory's delta, which
// are immutable: the units of a run lie there one after another.
func (p *pristine) share(at uint64, contents []byte) {
	if n := len(p.delta); n > 0 && p.delta[n-1].end == at && p.delta[n-1].shared {
		last := &p.delta[n-1]
		if grown := len(last.bytes) + len(contents); grown <= cap(last.bytes) {
			if b := last.bytes[:grown]; &b[len(last.bytes)] == &contents[0] {
				last.bytes, last.end = b, at+resetUnit
				return
			}
		}
	}
	p.delta = append(p.delta, patch{run{at, at + resetUnit}, contents, true})
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
	buf := scratch.Get().(*[]run)
	defer scratch.Put(buf)
	runs, exact := m.dirty((*buf)[:0], p.size)
	*buf = runs
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
	base, err := m.image.hold()
	if err != nil {
		return 0, fmt.Errorf("reset linear memory: %w", err)
	}
	defer m.image.letGo()
	delta := p.delta
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
func restore(mem, base []byte, delta []patch, d run) []patch {
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
