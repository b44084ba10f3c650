package binary

// Module is the interface of a core module: what its imports and exports are
// made of. Function bodies, elements and data are not looked at.
type Module struct {
	Types    [][]CoreType // recursion groups
	Imports  []ModuleImport
	Funcs    []uint32 // type indices
	Tables   []CoreExtern
	Memories []CoreLimits
	Globals  []CoreExtern
	Tags     []uint32 // type indices
	Exports  []ModuleExport
}

// ModuleImport is an import of a core module.
type ModuleImport struct {
	At
	Module, Name string
	Desc         CoreExtern
}

// ModuleExport is an export of a core module.
type ModuleExport struct {
	At
	Name string
	SortIndex
}

// The positions of core sections by id; custom sections may be anywhere.
var sectionOrder = [...]int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6}

// DecodeModule reads the interface of a core module inside a component. All
// offsets count from the start of the outermost component, too.
func DecodeModule(c *CoreModule, lim Limits) (*Module, error) {
	d := &moduleDecoder{decoder: decoder{b: c.Bytes, base: c.Pos(), end: len(c.Bytes), left: lim.withDefaults()}, m: &Module{}}
	d.pos = preambleLen
	for d.err == nil && d.pos < len(c.Bytes) {
		d.section()
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.m, nil
}

type moduleDecoder struct {
	decoder
	m    *Module
	last int // position of the last section
}

func (d *moduleDecoder) section() {
	at := d.pos
	id := d.byte()
	size := d.u32()
	if d.err != nil {
		return
	}
	if int(id) >= len(sectionOrder) {
		d.failAt(at, "malformed section id %d", id)
		return
	}
	if uint64(size) > uint64(d.end-d.pos) {
		d.fail("unexpected end: section of %d bytes, %d left", size, d.end-d.pos)
		return
	}
	if id != 0 {
		if sectionOrder[id] <= d.last {
			d.failAt(at, "section out of order")
		}
		d.last = sectionOrder[id]
	}
	outer := d.end
	d.end = d.pos + int(size)
	if d.content(id) {
		d.pos = d.end
	}
	if d.err == nil && d.pos != d.end {
		d.fail("section size mismatch")
	}
	d.end = outer
}

// content reads a section, or reports true for one that is to be skipped.
func (d *moduleDecoder) content(id byte) (skip bool) {
	switch id {
	case 1:
		d.m.Types = vec(&d.decoder, 2, "types", d.recGroup)
	case 2:
		d.m.Imports = vec(&d.decoder, 3, "imports", d.moduleImport)
	case 3:
		d.m.Funcs = d.indices("functions")
	case 4:
		d.m.Tables = vec(&d.decoder, 3, "tables", d.table)
	case 5:
		d.m.Memories = vec(&d.decoder, 2, "memories", d.memoryLimits)
	case 6:
		d.m.Globals = vec(&d.decoder, 3, "globals", d.global)
	case 7:
		d.m.Exports = vec(&d.decoder, 3, "exports", d.moduleExport)
	case 13:
		d.m.Tags = vec(&d.decoder, 2, "tags", d.tag)
	default:
		return true
	}
	return false
}

func (d *moduleDecoder) moduleImport() ModuleImport {
	i := ModuleImport{At: d.at(), Module: d.name(), Name: d.name()}
	i.Desc = d.coreExtern()
	return i
}

func (d *moduleDecoder) table() CoreExtern {
	init := false
	if c, ok := d.peek(); ok && c == 0x40 {
		d.pos++
		d.expect(0x00, "table")
		init = true
	}
	t := CoreExtern{Sort: SortCoreTable, Val: d.coreRefType(), Limits: d.coreLimits()}
	if init {
		d.constExpr()
	}
	return t
}

func (d *moduleDecoder) global() CoreExtern {
	g := CoreExtern{Sort: SortCoreGlobal, Val: d.coreVal(), Mutable: d.flag("mutability")}
	d.constExpr()
	return g
}

func (d *moduleDecoder) moduleExport() ModuleExport {
	e := ModuleExport{At: d.at(), Name: d.name()}
	at := d.pos
	c := d.byte()
	if int(c) >= len(coreSorts) {
		d.failAt(at, "malformed export kind 0x%02x", c)
		return e
	}
	e.SortIndex = SortIndex{Sort: coreSorts[c], Index: d.u32()}
	return e
}

// constExpr skips a constant expression. It looks at immediates only; the
// engine checks the types.
func (d *moduleDecoder) constExpr() {
	for d.err == nil {
		at := d.pos
		switch c := d.byte(); {
		case c == 0x0b:
			return
		case c == 0x41, c == 0x42:
			d.skipLEB()
		case c == 0x43:
			d.bytes(4)
		case c == 0x44:
			d.bytes(8)
		case c == 0x23, c == 0xd2:
			d.u32()
		case c == 0xd0:
			d.heapType()
		case c >= 0x6a && c <= 0x6c, c >= 0x7c && c <= 0x7e:
		case c == 0xfd:
			if d.u32() != 12 {
				d.failAt(at, "constant expression required")
			}
			d.bytes(16)
		case c == 0xfb:
			d.constGC(at)
		default:
			d.failAt(at, "constant expression required: opcode 0x%02x", c)
		}
	}
}

// constGC skips the immediates of a constant instruction of the garbage
// collection proposal.
func (d *moduleDecoder) constGC(at int) {
	switch op := d.u32(); op {
	case 0, 1, 6, 7: // struct.new, struct.new_default, array.new, array.new_default
		d.u32()
	case 8: // array.new_fixed
		d.u32()
		d.u32()
	case 26, 27, 28: // any.convert_extern, extern.convert_any, ref.i31
	default:
		d.failAt(at, "constant expression required: opcode 0xfb %d", op)
	}
}

func (d *moduleDecoder) skipLEB() {
	const longest = 10
	at := d.pos
	for range longest {
		if d.byte()&0x80 == 0 {
			return
		}
	}
	d.failAt(at, "integer representation too long")
}
