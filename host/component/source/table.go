package source

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// Limits of what is kept and of the work of one look-up.
const (
	maxSequences = 1 << 18
	maxRows      = 1 << 20 // opcodes of one sequence
	maxOverlaps  = 4       // sequences that claim the same code
	maxTables    = 1 << 20 // bytes of a unit's tables of directories and files
	maxText      = 1 << 12 // bytes of a path
)

// Position is a place in a source file. Line and Column count from 1; 0 means
// that they are not known.
type Position struct {
	File         string
	Line, Column int
}

// Table is the line table of one core module. It is safe for concurrent use.
type Table struct {
	line, str, lineStr []byte

	once      sync.Once
	sequences []sequence // by lo
}

// sequence is the rows of contiguous code.
type sequence struct {
	lo, hi  uint32 // addresses
	unit    uint32 // offset of the unit
	program uint32 // offset of the sequence's first opcode
}

// New makes a table of a module's custom sections, of which section returns the
// contents; they must not change. It reads nothing yet, and returns nil for a
// module without line table.
func New(section func(name string) []byte) *Table {
	t := &Table{line: section(".debug_line"), str: section(".debug_str"), lineStr: section(".debug_line_str")}
	if len(t.line) == 0 || len(t.line) > math.MaxUint32 {
		return nil
	}
	return t
}

// Find returns where the instruction at an offset in the payload of the code
// section came from. The first call reads the whole table.
func (t *Table) Find(offset uint32) (Position, bool) {
	if t == nil {
		return Position{}, false
	}
	t.once.Do(t.index)
	n, _ := slices.BinarySearchFunc(t.sequences, uint64(offset)+1, func(s sequence, lo uint64) int { return cmp.Compare(uint64(s.lo), lo) })
	for k := 1; k <= min(n, maxOverlaps); k++ {
		s := t.sequences[n-k]
		if offset >= s.hi {
			continue
		}
		if p, ok := t.find(s, offset); ok {
			return p, true
		}
	}
	return Position{}, false
}

// find runs a sequence for the last of its rows at or before the offset.
func (t *Table) find(s sequence, offset uint32) (Position, bool) {
	h, _ := t.parseHeader(int(s.unit))
	m := machine{reader: reader{b: t.line[:h.end], pos: int(s.program)}, h: &h}
	m.reset()
	var best registers
	found := false
	for range maxRows {
		row := m.step()
		if m.bad || m.ended {
			break
		}
		if row && m.address <= uint64(offset) && (!found || m.address >= best.address) {
			best, found = m.registers, true
		}
	}
	if !found || best.line == 0 {
		return Position{}, false
	}
	p := Position{File: t.file(&h, best.file), Line: clamp(best.line), Column: clamp(best.column)}
	return p, p.File != ""
}

func clamp(n uint64) int { return int(min(n, math.MaxInt32)) }

// index finds all sequences.
func (t *Table) index() {
	for at := 0; at < len(t.line); {
		h, ok := t.parseHeader(at)
		if !ok {
			break
		}
		t.indexUnit(&h)
		at = h.end
	}
	slices.SortStableFunc(t.sequences, func(a, b sequence) int { return cmp.Compare(a.lo, b.lo) })
}

func (t *Table) indexUnit(h *header) {
	m := machine{reader: reader{b: t.line[:h.end], pos: h.program}, h: h}
	for m.left() > 0 && len(t.sequences) < maxSequences {
		s := sequence{unit: uint32(h.start), program: uint32(m.pos)}
		lo := uint64(math.MaxUint64)
		m.reset()
		for !m.ended && m.left() > 0 {
			if m.step() && !m.ended {
				lo = min(lo, m.address)
			}
		}
		// Code that the linker dropped keeps its rows, at an address where no
		// code can be.
		if m.bad || !m.ended || lo == 0 || lo >= m.address || m.address > math.MaxInt32 {
			continue
		}
		s.lo, s.hi = uint32(lo), uint32(m.address)
		t.sequences = append(t.sequences, s)
	}
}
