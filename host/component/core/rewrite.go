package core

import (
	"fmt"
	"strings"
)

// The names of what [Rewrite] exports. A module that exports a name starting
// with [ReservedPrefix] itself, or imports from a module so named, is refused.
const (
	ReservedPrefix = "\x00lath."
	// StartFunc is a function to call once after instantiation, exported if the
	// module has a start function or element segments that need a check.
	StartFunc = ReservedPrefix + "start"
	// globalPrefix and a global's index name an exported mutable global.
	globalPrefix = ReservedPrefix + "g"
)

// Name is a two-level import name.
type Name struct{ Module, Field string }

// Plan says how [Rewrite] is to rewrite a module at one place of instantiation.
type Plan struct {
	// Imports are the new names, one per import in order; nil keeps them.
	Imports []Name
	// MaxMemory is the most bytes that the module's own memory may have, 0
	// meaning the most that there can be (4 GiB less one page). The limit that
	// is written is one page higher: the allocator enforces the true one, and
	// the page lets a full-grown memory be shrunk.
	MaxMemory uint64
	// MaxTable is the most entries that the module's own tables may have
	// together. 0 means [DefaultMaxTable].
	MaxTable uint32
	// KeepOffsets makes Rewritten.Offsets.
	KeepOffsets bool
	// KeepNames keeps the names of functions for stack traces.
	KeepNames bool
	// StripData takes active data out of the module into Rewritten.Data, where
	// it can be: the memory must then be made with that data in it.
	StripData bool
	// NoChecks leaves out all checks, for code that is trusted and for
	// measurements. Such a guest can stall the whole process.
	NoChecks bool
}

// DefaultMaxTable is the default of Plan.MaxTable.
const DefaultMaxTable = 1 << 20

// Segment is data that belongs into the memory before instantiation. Bytes
// alias the module.
type Segment struct {
	Offset uint32
	Bytes  []byte
}

// GlobalExport is a mutable global that the rewriter exported.
type GlobalExport struct {
	Name  string
	Index uint32 // in the module's index space of globals
	Type  ValType
}

// Facts is what [Rewrite] learned about a module.
type Facts struct {
	Metered        bool // imports the meter; see [MeterModule]
	Start          bool // has StartFunc
	HiddenMemory   bool // has no memory but an added one of 0 pages
	MutableGlobals []GlobalExport

	MutatesTables bool // has an instruction that writes a table
	MemoryInit    bool
	DropsSegments bool
	Atomics       bool
	Exceptions    bool
	MemoryGrow    bool
	RefFuncs      int // functions in the hidden table

	// Reasons say why instances cannot be reset and so not be pooled.
	Reasons []string
}

// Poolable reports whether an instance can be brought back to its state after
// instantiation from outside.
func (f *Facts) Poolable() bool { return len(f.Reasons) == 0 }

// Rewritten is a rewritten module.
type Rewritten struct {
	Bytes []byte
	Facts Facts
	// Data is what was stripped, later segments over earlier ones; nil if
	// nothing was.
	Data []Segment
	// Offsets leads from the code to that of the module; nil without
	// Plan.KeepOffsets.
	Offsets *Offsets
}

// Rewrite makes the module that is compiled in m's place. Every error is an
// [*Error]. The module may still be invalid: only the engine checks types.
func Rewrite(m *Module, plan Plan) (*Rewritten, error) {
	w := &writer{m: m, plan: plan}
	if err := w.prepare(); err != nil {
		return nil, err
	}
	code, err := w.code()
	if err != nil {
		return nil, err
	}
	w.facts.RefFuncs = len(w.refFuncs)
	w.gatherFacts()
	r := &Rewritten{Bytes: w.assemble(code), Facts: w.facts, Data: w.stripped}
	if plan.KeepOffsets {
		r.Offsets = &w.offsets
	}
	return r, nil
}

// writer holds one rewrite.
type writer struct {
	m     *Module
	plan  Plan
	facts Facts

	stripped []Segment
	tables   []Table // own tables, capped
	hidden   map[uint32]uint32
	refFuncs []uint32 // the hidden table's functions, by slot
	checked  []element

	metered   bool // imports the meter and has checks
	graph     callGraph
	types     [][]byte // appended ones
	typeIndex map[string]uint32
	bulks     []bulkFunc
	bulkIndex map[bulk]uint32
	offsets   Offsets
}

// maxDescribed bounds functions times exports, the exported globals included:
// when a guest first traps, the engine looks for each function among all
// exports, about 1 ns a pair, and nothing can stop it.
const maxDescribed = 1e9

// prepare checks the plan and decides what the sections before code need.
func (w *writer) prepare() error {
	m := w.m
	if w.plan.Imports != nil && len(w.plan.Imports) != len(m.Imports) {
		return refuse(Invalid, "%d import names for %d imports", len(w.plan.Imports), len(m.Imports))
	}
	for _, e := range m.Exports {
		if strings.HasPrefix(e.Name, ReservedPrefix) {
			return refuse(Unsupported, "export name %q is reserved", e.Name)
		}
	}
	for i, imp := range m.Imports {
		if strings.HasPrefix(w.importName(i).Module, ReservedPrefix) {
			return refuse(Unsupported, "import of %q is reserved", imp.Module)
		}
	}
	if n := uint64(len(m.Funcs)) * uint64(len(m.Exports)+len(m.Globals)); n > maxDescribed {
		return refuse(LimitExceeded, "%d functions, %d exports and %d globals: too many together", len(m.Funcs), len(m.Exports), len(m.Globals))
	}
	if err := w.capTables(); err != nil {
		return err
	}
	if own := m.ownMemory(); own != nil && own.Min > w.maxPages() {
		return refuse(LimitExceeded, "memory of %d pages, at most %d are allowed", own.Min, w.maxPages())
	}
	w.metered = !w.plan.NoChecks && len(m.bodies) > 0
	w.hidden = make(map[uint32]uint32)
	w.typeIndex, w.bulkIndex = make(map[string]uint32), make(map[bulk]uint32)
	w.stripData()
	w.pickChecks()
	return nil
}

// importName returns the name that import i gets.
func (w *writer) importName(i int) Name {
	if w.plan.Imports != nil {
		return w.plan.Imports[i]
	}
	return Name{w.m.Imports[i].Module, w.m.Imports[i].Field}
}

func refuse(reason Reason, format string, args ...any) *Error {
	return &Error{reason, -1, fmt.Sprintf(format, args...)}
}

// ownMemory returns the memory that m defines, or nil.
func (m *Module) ownMemory() *Bounds {
	if len(m.Memories) > m.ImportedMemories {
		return &m.Memories[m.ImportedMemories]
	}
	return nil
}

// maxPages is the most pages of the module's own memory. One less than there
// can be, so that the limit that is written can be one higher.
func (w *writer) maxPages() uint32 {
	const most = maxPages - 1
	if w.plan.MaxMemory == 0 || w.plan.MaxMemory>>16 > most {
		return most
	}
	return uint32(w.plan.MaxMemory >> 16)
}

// TableEntries returns how many entries the module's own tables begin with, and
// whether it has any.
func (m *Module) TableEntries() (n uint64, own bool) {
	for _, t := range m.Tables[m.ImportedTables:] {
		n += uint64(t.Min)
	}
	return n, len(m.Tables) > m.ImportedTables
}

// capTables shares what MaxTable leaves after all minimums among the tables
// that can grow.
func (w *writer) capTables() error {
	limit := uint64(w.plan.MaxTable)
	if limit == 0 {
		limit = DefaultMaxTable
	}
	var sum, growable uint64
	own := w.m.Tables[w.m.ImportedTables:]
	for _, t := range own {
		sum += uint64(t.Min)
		if !t.HasMax || t.Max > t.Min {
			growable++
		}
	}
	if sum > limit {
		return refuse(LimitExceeded, "tables of %d entries, at most %d are allowed", sum, limit)
	}
	share := (limit - sum) / max(growable, 1)
	w.tables = make([]Table, len(own))
	for i, t := range own {
		if top := uint64(t.Min) + share; !t.HasMax || uint64(t.Max) > top {
			t.HasMax, t.Max = true, uint32(top)
		}
		w.tables[i] = t
	}
	return nil
}

// stripData takes the data out if all of it has known places inside the
// module's own memory.
func (w *writer) stripData() {
	own := w.m.ownMemory()
	if !w.plan.StripData || own == nil {
		return
	}
	var out []Segment
	for _, d := range w.m.data {
		if !d.active {
			continue
		}
		size := uint64(d.bytes.end - d.bytes.start)
		if !d.offset.known || uint64(d.offset.i32)+size > uint64(own.Min)<<16 {
			return
		}
		out = append(out, Segment{d.offset.i32, w.m.bytes[d.bytes.start:d.bytes.end:d.bytes.end]})
	}
	w.stripped = out
}

// pickChecks finds the active element segments that are not known to fit. A
// table has at least the entries that it is declared with, also one that is
// imported, since none can shrink.
func (w *writer) pickChecks() {
	for _, e := range w.m.elements {
		if !e.active {
			continue
		}
		if e.offset.known && uint64(e.offset.i32)+uint64(e.count) <= uint64(w.m.Tables[e.table].Min) {
			continue
		}
		w.checked = append(w.checked, e)
	}
}

// gatherFacts fills in what the sections tell.
func (w *writer) gatherFacts() {
	f, m := &w.facts, w.m
	f.Metered = w.metered
	f.Start = m.HasStart || len(w.checked) > 0
	f.HiddenMemory = w.metered && len(m.Memories) == 0
	reason := func(yes bool, text string) {
		if yes {
			f.Reasons = append(f.Reasons, text)
		}
	}
	reason(f.MutatesTables, "writes to a table")
	reason(f.MemoryInit, "uses memory.init")
	reason(f.DropsSegments, "drops data or element segments")
	var vector, reference bool
	for i, g := range m.Globals[m.ImportedGlobals:] {
		if !g.Mutable {
			continue
		}
		vector = vector || g.Type == V128
		reference = reference || g.Type.Ref()
		index := uint32(i + m.ImportedGlobals)
		f.MutableGlobals = append(f.MutableGlobals, GlobalExport{globalName(index), index, g.Type})
	}
	reason(vector, "has a mutable v128 global")
	reason(reference, "has a mutable reference global")
}

func globalName(i uint32) string { return fmt.Sprintf("%s%d", globalPrefix, i) }
