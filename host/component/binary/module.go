package binary

// Module is the interface of a core module: what its imports and exports are
// made of. Function bodies, elements and data are not looked at.
type Module struct {
	Types    []ModuleType
	Imports  []ModuleImport
	Funcs    []uint32 // type indices
	Tables   []ModuleExtern
	Memories []CoreLimits
	Globals  []ModuleExtern
	Tags     []uint32 // type indices
	Exports  []ModuleExport
}

// ModuleType is one type of a core module.
type ModuleType struct {
	At
	// Form is 0x60 for a function, 0x5f for a struct, 0x5e for an array.
	Form byte
	// Params are a function's parameters, and the fields of the other forms.
	Params, Results []ModuleVal
	Final           bool
	Supers          []uint32
	// Group is the number of types in the recursion group that begins with
	// this one, 0 for a type inside a group that began before.
	Group int
}

// ModuleVal is a value type of a core module.
type ModuleVal struct {
	// Code is the opcode of a number or vector type, or 0x63 (nullable) or
	// 0x64 for a reference; the short forms of references are read as 0x63.
	// In fields it is also 0x78 (i8) or 0x77 (i16).
	Code byte
	// Mutable counts for fields.
	Mutable bool
	// Heap is the heap type of a reference: a type index, or negative for an
	// abstract one.
	Heap int64
}

// ModuleExtern is the type of an import, table or global.
type ModuleExtern struct {
	Sort    Sort
	Type    uint32    // function, tag
	Val     ModuleVal // table, global
	Mutable bool
	Limits  CoreLimits // table, memory
}

// ModuleImport is an import of a core module.
type ModuleImport struct {
	At
	Module, Name string
	Desc         ModuleExtern
}

// ModuleExport is an export of a core module.
type ModuleExport struct {
	At
	Name string
	SortIndex
}

// The positions of core sections by id; custom sections may be anywhere.
var sectionOrder = [...]int{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6}

// DecodeModule reads the interface of a core module inside a component. The
// offsets of its errors count from the start of the component, too.
func DecodeModule(c *CoreModule, lim Limits) (*Module, error) {
	d := &moduleDecoder{decoder: decoder{b: c.Bytes, end: len(c.Bytes), left: lim.withDefaults()}, m: &Module{}}
	d.pos = preambleLen
	for d.err == nil && d.pos < len(c.Bytes) {
		d.section()
	}
	if d.err != nil {
		d.err.Offset += c.Pos()
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
		for range d.count(1, "types") {
			d.recGroup()
			if d.err != nil {
				return false
			}
		}
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

func (d *moduleDecoder) recGroup() {
	first, n := len(d.m.Types), 1
	if c, ok := d.peek(); ok && c == 0x4e {
		d.pos++
		n = d.count(1, "types of a recursion group")
	}
	for range n {
		d.take(&d.left.Types, 1, "types")
		t := d.subType()
		if d.err != nil {
			return
		}
		d.m.Types = append(d.m.Types, t)
	}
	if n > 0 {
		d.m.Types[first].Group = n
	}
}

func (d *moduleDecoder) subType() ModuleType {
	t := ModuleType{At: d.at(), Final: true, Form: d.byte()}
	if t.Form == 0x50 || t.Form == 0x4f {
		t.Final = t.Form == 0x4f
		t.Supers = d.indices("supertypes")
		t.Form = d.byte()
	}
	switch t.Form {
	case 0x60:
		t.Params = vec(&d.decoder, 1, "parameters", d.val)
		t.Results = vec(&d.decoder, 1, "results", d.val)
	case 0x5f:
		t.Params = vec(&d.decoder, 2, "fields", d.field)
	case 0x5e:
		t.Params = []ModuleVal{d.field()}
	default:
		d.failAt(t.Pos(), "invalid leading byte 0x%02x for type", t.Form)
	}
	return t
}

func (d *moduleDecoder) field() ModuleVal {
	var v ModuleVal
	if c, ok := d.peek(); ok && (c == 0x78 || c == 0x77) {
		d.pos++
		v.Code = c
	} else {
		v = d.val()
	}
	v.Mutable = d.flag("mutability")
	return v
}

func (d *moduleDecoder) val() ModuleVal {
	at := d.pos
	switch c := d.byte(); {
	case c >= 0x7b && c <= 0x7f:
		return ModuleVal{Code: c}
	case c >= 0x69 && c <= 0x74:
		return ModuleVal{Code: 0x63, Heap: int64(c) - 0x80}
	case c == 0x63 || c == 0x64:
		return ModuleVal{Code: c, Heap: d.heapType()}
	default:
		d.failAt(at, "malformed value type 0x%02x", c)
	}
	return ModuleVal{}
}

func (d *moduleDecoder) heapType() int64 {
	if c, ok := d.peek(); ok && c >= 0x69 && c <= 0x74 {
		d.pos++
		return int64(c) - 0x80
	}
	return int64(d.index33())
}

func (d *moduleDecoder) refType() ModuleVal {
	at := d.pos
	v := d.val()
	if d.err == nil && v.Code > 0x64 {
		d.failAt(at, "malformed reference type")
	}
	return v
}

func (d *moduleDecoder) moduleImport() ModuleImport {
	i := ModuleImport{At: d.at(), Module: d.name(), Name: d.name()}
	at := d.pos
	switch c := d.byte(); c {
	case 0x00:
		i.Desc = ModuleExtern{Sort: SortCoreFunc, Type: d.u32()}
	case 0x01:
		i.Desc = ModuleExtern{Sort: SortCoreTable, Val: d.refType(), Limits: d.coreLimits()}
	case 0x02:
		i.Desc = ModuleExtern{Sort: SortCoreMemory, Limits: d.memoryLimits()}
	case 0x03:
		i.Desc = ModuleExtern{Sort: SortCoreGlobal, Val: d.val(), Mutable: d.flag("mutability")}
	case 0x04:
		i.Desc = ModuleExtern{Sort: SortCoreTag, Type: d.tag()}
	default:
		d.failAt(at, "malformed import kind 0x%02x", c)
	}
	return i
}

func (d *moduleDecoder) table() ModuleExtern {
	init := false
	if c, ok := d.peek(); ok && c == 0x40 {
		d.pos++
		d.expect(0x00, "table")
		init = true
	}
	t := ModuleExtern{Sort: SortCoreTable, Val: d.refType(), Limits: d.coreLimits()}
	if init {
		d.constExpr()
	}
	return t
}

func (d *moduleDecoder) global() ModuleExtern {
	g := ModuleExtern{Sort: SortCoreGlobal, Val: d.val(), Mutable: d.flag("mutability")}
	d.constExpr()
	return g
}

func (d *moduleDecoder) tag() uint32 {
	d.expect(0x00, "tag attribute")
	return d.u32()
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

// memoryLimits reads limits with the optional page size of the custom page
// sizes proposal, which no engine of ours has.
func (d *moduleDecoder) memoryLimits() CoreLimits {
	if c, ok := d.peek(); ok && c&limitsPageSize != 0 && c < 2*limitsPageSize {
		d.fail("unsupported: custom page size")
	}
	return d.coreLimits()
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
