package core

import "slices"

// Shim is a module whose functions do nothing but hand their parameters to what
// an entry of its table is, and its results back. Toolchains make one where a
// module imports functions that need its own memory: the shim is there before
// the module, and what the functions are is written into its table after it, by
// a [Fill].
type Shim struct {
	// Table is the name of the only export that is no function.
	Table string
	Size  uint32            // of the table, which cannot grow
	Slots map[string]uint32 // the entry that each exported function calls
}

// Shim returns the shim that m is, or nil. A module that keeps any state but the
// table, or can change it itself, is none.
func (m *Module) Shim() *Shim {
	if len(m.Imports)+len(m.Memories)+len(m.Globals)+len(m.Tags)+m.Data+m.Elements > 0 || m.HasStart ||
		len(m.Tables) != 1 || len(m.Funcs) == 0 || len(m.Exports) < 2 {
		return nil
	}
	t := m.Tables[0]
	if t.Elem != FuncRef || !t.HasMax || t.Max != t.Min {
		return nil
	}
	s := &Shim{Size: t.Min, Slots: make(map[string]uint32, len(m.Funcs))}
	slots := make([]uint32, len(m.Funcs))
	for i := range slots {
		slot, ok := m.forwards(i)
		if !ok || slot >= s.Size {
			return nil
		}
		slots[i] = slot
	}
	tables := 0
	for _, e := range m.Exports {
		if e.Kind == KindTable {
			tables++
			s.Table = e.Name
		} else {
			s.Slots[e.Name] = slots[e.Index]
		}
	}
	if tables != 1 {
		return nil
	}
	return s
}

// forwards returns the entry of table 0 that function i calls with its own
// parameters, and whether that is all that it does.
func (m *Module) forwards(i int) (slot uint32, ok bool) {
	f := m.FuncType(uint32(i))
	r := reader{b: m.bytes[:m.bodies[i].end], pos: m.bodies[i].start}
	ok = r.u32() == 0 // groups of locals
	for p := range f.Params {
		ok = ok && r.byte() == opLocalGet && r.u32() == uint32(p)
	}
	ok = ok && r.byte() == opI32Const
	slot = uint32(r.sleb(32))
	if ok = ok && r.byte() == opCallIndirect; !ok {
		return 0, false
	}
	typ := r.u32()
	ok = r.u32() == 0 && r.byte() == opEnd && r.left() == 0 && r.err == nil
	return slot, ok && int(typ) < len(m.Types) && m.Types[typ].Equal(f)
}

// Equal reports whether t and u are the same type.
func (t *FuncType) Equal(u *FuncType) bool {
	return slices.Equal(t.Params, u.Params) && slices.Equal(t.Results, u.Results)
}

// maxFill bounds the entries that a [Fill] tells. A table of a shim has one for
// each function that a component imports.
const maxFill = 1 << 16

// Fill returns, where m does nothing but write functions that it imports into
// the one table that it imports, which these are: imports by entry, later
// segments over earlier ones. It returns nil for any other module. What is
// called to start m, after that, is left out of account.
func (m *Module) Fill() map[uint32]uint32 {
	if len(m.bodies)+len(m.Memories)+len(m.Globals)+len(m.Tags)+m.Data+len(m.Exports) > 0 ||
		len(m.Tables) != 1 || m.ImportedTables != 1 {
		return nil
	}
	funcs := make([]uint32, 0, m.ImportedFuncs)
	for i := range m.Imports {
		if m.Imports[i].Kind == KindFunc {
			funcs = append(funcs, uint32(i))
		}
	}
	fill := make(map[uint32]uint32, len(funcs))
	total := 0
	for _, e := range m.elements {
		total += e.count
		if !e.active || e.exprs || !e.offset.known || total > maxFill ||
			uint64(e.offset.i32)+uint64(e.count) > uint64(m.Tables[0].Min) {
			return nil
		}
		r := reader{b: m.bytes, pos: e.items}
		for k := range e.count {
			fill[e.offset.i32+uint32(k)] = funcs[r.u32()]
		}
	}
	return fill
}
