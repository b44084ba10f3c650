package core

import "slices"

// assemble writes the rewritten module around its function bodies.
func (w *writer) assemble(code []byte) []byte {
	a := w.appended()
	out := make([]byte, 0, len(w.m.bytes)+len(code)/8+4096)
	out = append(out, preamble...)
	out = w.vector(out, secType, len(a.types), a.types...)
	out = w.imports(out)
	out = w.vector(out, secFunction, len(a.funcs), encoded(a.funcs)...)
	out = w.tableSection(out)
	out = w.memorySection(out)
	out = w.vector(out, secTag, 0)
	out = w.vector(out, secGlobal, len(a.globals), a.globals...)
	out = w.exports(out, a.exports)
	out = w.elementSection(out)
	if s := w.m.sections[secDataCount]; s.end > 0 && !w.noData() {
		out = appendSection(out, secDataCount, w.m.bytes[s.start:s.end])
	}
	out = w.codeSection(out, code, a.bodies)
	out = w.dataSection(out)
	if w.plan.KeepNames && (w.m.Name != "" || len(w.m.funcName) > 0) {
		out = w.m.appendNames(out)
	}
	return out
}

// additions are the things that are appended to a module's sections, encoded.
type additions struct {
	types   [][]byte
	funcs   []uint32 // type indices
	globals [][]byte
	exports [][]byte
	bodies  [][]byte
}

func encoded(indices []uint32) [][]byte {
	out := make([][]byte, len(indices))
	for i, x := range indices {
		out[i] = appendU32(nil, x)
	}
	return out
}

// vector copies a section that is a vector and appends n items to it.
func (w *writer) vector(out []byte, id byte, n int, items ...[]byte) []byte {
	s := w.m.sections[id]
	if s.count+n == 0 {
		return out
	}
	payload := appendU32(nil, uint32(s.count+n))
	payload = w.moved(payload, span{s.items, s.end})
	for _, item := range items {
		payload = append(payload, item...)
	}
	return appendSection(out, id, payload)
}

// moved appends a part of the module that is not code to out, with the indices
// of globals as the meter moves them.
func (w *writer) moved(out []byte, at span) []byte {
	if !w.metered {
		return append(out, w.m.bytes[at.start:at.end]...)
	}
	uses := w.m.ownGlobals
	i, _ := slices.BinarySearchFunc(uses, at.start, func(u globalUse, pos int) int { return u.start - pos })
	pos := at.start
	for ; i < len(uses) && uses[i].end <= at.end; i++ {
		out = append(out, w.m.bytes[pos:uses[i].start]...)
		out = appendU32(out, w.global(uses[i].index))
		pos = uses[i].end
	}
	return append(out, w.m.bytes[pos:at.end]...)
}

// exports writes the module's exports and the appended ones.
func (w *writer) exports(out []byte, appended [][]byte) []byte {
	n := len(w.m.Exports) + len(appended)
	if n == 0 {
		return out
	}
	payload := appendU32(nil, uint32(n))
	for _, e := range w.m.Exports {
		if e.Kind == KindGlobal {
			e.Index = w.global(e.Index)
		}
		payload = appendU32(append(appendName(payload, e.Name), byte(e.Kind)), e.Index)
	}
	for _, b := range appended {
		payload = append(payload, b...)
	}
	return appendSection(out, secExport, payload)
}

// imports writes the imports under their new names, and those of the meter. An imported memory's
// maximum goes up by the page that its owner's went up.
func (w *writer) imports(out []byte) []byte {
	n := len(w.m.Imports) + w.meterGlobals()
	if n == 0 {
		return out
	}
	payload := appendU32(nil, uint32(n))
	for i, imp := range w.m.Imports {
		name := w.importName(i)
		payload = appendName(appendName(payload, name.Module), name.Field)
		if imp.Kind == KindMemory {
			b := imp.Memory
			b.Max = min(b.Max+1, maxPages)
			payload = appendBounds(append(payload, byte(KindMemory)), b)
			continue
		}
		payload = append(payload, w.m.bytes[imp.desc:imp.end]...)
	}
	payload = w.meterImports(payload)
	return appendSection(out, secImport, payload)
}

// tableSection writes the capped tables and the hidden one.
func (w *writer) tableSection(out []byte) []byte {
	tables := w.tables
	if n := uint32(len(w.refFuncs)); n > 0 {
		tables = append(slices.Clip(tables), Table{FuncRef, Bounds{Min: n, Max: n, HasMax: true}})
	}
	if len(tables) == 0 {
		return out
	}
	payload := appendU32(nil, uint32(len(tables)))
	for _, t := range tables {
		payload = appendBounds(append(payload, byte(t.Elem)), t.Bounds)
	}
	return appendSection(out, secTable, payload)
}

func (w *writer) memorySection(out []byte) []byte {
	own := w.m.ownMemory()
	switch {
	case w.facts.HiddenMemory:
		return appendSection(out, secMemory, []byte{1, 1, 0, 0})
	case own == nil:
		return out
	}
	b := *own
	if !b.HasMax || b.Max > w.maxPages() {
		b.HasMax, b.Max = true, w.maxPages()
	}
	b.Max++
	return appendSection(out, secMemory, appendBounds([]byte{1}, b))
}

// elementSection appends the segment that fills the hidden table.
func (w *writer) elementSection(out []byte) []byte {
	if len(w.refFuncs) == 0 {
		return w.vector(out, secElement, 0)
	}
	seg := appendU32([]byte{elemExplicit}, w.hiddenTable())
	seg = append(seg, opI32Const, 0, opEnd, 0)
	seg = appendU32(seg, uint32(len(w.refFuncs)))
	for _, f := range w.refFuncs {
		seg = appendU32(seg, f)
	}
	return w.vector(out, secElement, 1, seg)
}

func (w *writer) hiddenTable() uint32 { return uint32(len(w.m.Tables)) }

func (w *writer) codeSection(out []byte, code []byte, appended [][]byte) []byte {
	n := len(w.m.bodies)
	if n+len(appended) == 0 {
		return out
	}
	head := appendU32(nil, uint32(n+len(appended)))
	if w.plan.KeepOffsets {
		w.offsets.finish(len(head), len(code))
	}
	size := len(head) + len(code)
	for _, b := range appended {
		size += len(b)
	}
	out = appendU32(append(out, secCode), uint32(size))
	out = append(append(out, head...), code...)
	for _, b := range appended {
		out = append(out, b...)
	}
	return out
}

// noData reports whether the data section can go: its data was stripped, and
// no instruction names a segment. That matters, because the engine allocates
// for each segment of each instance, and real modules have tens of thousands.
func (w *writer) noData() bool {
	return w.stripped != nil && !w.facts.MemoryInit && !w.facts.DropsSegments
}

// dataSection copies the data, or where it was stripped leaves an empty passive
// segment in the place of each active one: to the instructions that can name
// it that is the same, because an active segment counts as dropped.
func (w *writer) dataSection(out []byte) []byte {
	switch {
	case w.stripped == nil:
		return w.vector(out, secData, 0)
	case w.noData():
		return out
	}
	payload := appendU32(nil, uint32(len(w.m.data)))
	for _, d := range w.m.data {
		b := w.m.bytes[d.bytes.start:d.bytes.end]
		if d.active {
			b = nil
		}
		payload = append(appendU32(append(payload, 1), uint32(len(b))), b...)
	}
	return appendSection(out, secData, payload)
}
