package core

import (
	"bytes"
	"cmp"
	"math"
	"slices"
)

// The section ids of the binary format.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
	secTag
	sectionCount
)

// sectionOrder is the order in which sections must stand.
var sectionOrder = [...]byte{
	secType, secImport, secFunction, secTable, secMemory, secTag, secGlobal,
	secExport, secStart, secElement, secDataCount, secCode, secData,
}

// section is where a section's payload is. A section that the module does not
// have is all zeros.
type section struct {
	start, end int // of the payload
	items      int // where the first item starts, for sections that are vectors
	count      int
}

var preamble = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Parse reads a module without its function bodies, which [Rewrite] reads. The
// module aliases b. Every error is an [*Error].
func Parse(b []byte, lim Limits) (*Module, error) {
	lim = lim.withDefaults()
	if len(b) > lim.ModuleSize {
		return nil, &Error{LimitExceeded, 0, "module is too big"}
	}
	if !bytes.HasPrefix(b, preamble) {
		return nil, &Error{Malformed, 0, "not a core module of version 1"}
	}
	p := parser{m: &Module{bytes: b, lim: lim}, reader: reader{b: b, pos: len(preamble)}}
	p.module()
	if p.err != nil {
		return nil, p.err
	}
	return p.m, nil
}

type parser struct {
	reader
	m *Module

	declared  int // functions of the function section
	dataCount int // of the data count section, or -1
	names     span
}

func (p *parser) module() {
	p.dataCount = -1
	last := -1
	for p.left() > 0 {
		at := p.pos
		id := p.byte()
		size := p.u32()
		if uint64(size) > uint64(p.left()) {
			p.fail(Malformed, at, "section of %d bytes, %d left", size, p.left())
			return
		}
		rank := slices.Index(sectionOrder[:], id)
		switch {
		case id == secCustom:
		case rank < 0:
			p.fail(Malformed, at, "unknown section %d", id)
		case rank <= last:
			p.fail(Malformed, at, "section %d is repeated or out of order", id)
		default:
			last = rank
		}
		p.within(int(size), func() { p.section(id) })
	}
	p.finish()
}

// within runs f on the next size bytes, all of which it must read.
func (p *parser) within(size int, f func()) {
	if p.err != nil {
		return
	}
	outer, end := p.b, p.pos+size
	p.b = p.b[:end]
	f()
	if p.err == nil && p.pos != end {
		p.fail(Malformed, p.pos, "%d bytes left over", end-p.pos)
	}
	p.b = outer
	if p.err != nil {
		p.pos = len(outer)
	}
}

func (p *parser) section(id byte) {
	s := &p.m.sections[id]
	*s = section{start: p.pos, end: len(p.b)}
	switch id {
	case secCustom:
		p.custom()
	case secType:
		p.types(s)
	case secImport:
		p.imports(s)
	case secFunction:
		p.functions(s)
	case secTable:
		p.tables(s)
	case secMemory:
		p.memories(s)
	case secTag:
		p.tags(s)
	case secGlobal:
		p.globals(s)
	case secExport:
		p.exports(s)
	case secStart:
		p.m.Start, p.m.HasStart = p.index("function", len(p.m.Funcs)), true
	case secElement:
		p.elements(s)
	case secDataCount:
		p.dataCount = p.count("data segments", p.m.lim.Data, 0)
	case secCode:
		p.code(s)
	case secData:
		p.data(s)
	}
}

// vector reads the length of a section that is a vector.
func (p *parser) vector(s *section, what string, limit, size int) int {
	s.count = p.count(what, limit, size)
	s.items = p.pos
	return s.count
}

// room returns how many more things may come.
func (p *parser) room(have, limit int) int { return max(limit-have, 0) }

// custom keeps the first name section and passes over all others. What is in a
// custom section never makes a module invalid.
func (p *parser) custom() {
	name := p.name(p.m.lim.NameSize)
	if name == "name" && p.names == (span{}) {
		p.names = span{p.pos, len(p.b)}
	}
	p.skip(p.left())
}

func (p *parser) types(s *section) {
	n := p.vector(s, "types", p.m.lim.Types, 3)
	p.m.Types = make([]FuncType, 0, n)
	for range n {
		at := p.pos
		switch form := p.byte(); form {
		case 0x60:
		case 0x4e, 0x4f, 0x50, 0x5e, 0x5f:
			p.fail(Unsupported, at, "garbage collected types")
		default:
			p.fail(Malformed, at, "unknown type form %#x", form)
		}
		t := FuncType{Params: p.valTypes("parameters", p.m.lim.Params), Results: p.valTypes("results", p.m.lim.Results)}
		if p.err != nil {
			return
		}
		p.m.Types = append(p.m.Types, t)
	}
}

func (p *parser) valTypes(what string, max int) []ValType {
	n := p.count(what, max, 1)
	if n == 0 {
		return nil
	}
	types := make([]ValType, n)
	for i := range types {
		types[i] = p.valType()
	}
	return types
}

func (p *parser) functions(s *section) {
	p.declared = p.vector(s, "functions", p.room(len(p.m.Funcs), p.m.lim.Functions), 1)
	p.m.Funcs = slices.Grow(p.m.Funcs, p.declared)
	for range p.declared {
		p.m.Funcs = append(p.m.Funcs, p.index("type", len(p.m.Types)))
	}
}

func (p *parser) tables(s *section) {
	for range p.vector(s, "tables", p.room(len(p.m.Tables), p.m.lim.Tables), 3) {
		p.m.Tables = append(p.m.Tables, p.table())
	}
}

func (p *parser) memories(s *section) {
	at := p.pos
	for range p.vector(s, "memories", math.MaxInt32, 2) {
		p.m.Memories = append(p.m.Memories, p.memory())
		if len(p.m.Memories) > 1 {
			p.fail(Unsupported, at, "more than one memory")
		}
	}
}

func (p *parser) tags(s *section) {
	for range p.vector(s, "tags", p.room(len(p.m.Tags), p.m.lim.Tags), 2) {
		p.m.Tags = append(p.m.Tags, p.tag())
	}
}

func (p *parser) globals(s *section) {
	n := p.vector(s, "globals", p.room(len(p.m.Globals), p.m.lim.Globals), 4)
	for range n {
		g := p.global()
		p.constExpr()
		p.m.Globals = append(p.m.Globals, g)
		if p.err != nil {
			return
		}
	}
}

func (p *parser) exports(s *section) {
	n := p.vector(s, "exports", p.m.lim.Exports, 3)
	seen := make(map[string]bool, n)
	for range n {
		at := p.pos
		e := Export{Name: p.name(p.m.lim.NameSize), Kind: Kind(p.byte())}
		e.Index = p.index(e.Kind.String(), p.m.space(e.Kind))
		if p.err != nil {
			return
		}
		if seen[e.Name] {
			p.fail(Invalid, at, "duplicate export name %q", e.Name)
			return
		}
		seen[e.Name] = true
		if e.Kind == KindFunc {
			p.declare(e.Index)
		}
		p.m.Exports = append(p.m.Exports, e)
	}
}

// declare notes that function i occurs outside of functions.
func (p *parser) declare(i uint32) {
	if p.err != nil {
		return
	}
	if p.m.declared == nil { // imports and functions are all known by now
		p.m.declared = make([]bool, len(p.m.Funcs))
	}
	p.m.declared[i] = true
}

// space returns how many things of kind k there are.
func (m *Module) space(k Kind) int {
	switch k {
	case KindFunc:
		return len(m.Funcs)
	case KindTable:
		return len(m.Tables)
	case KindMemory:
		return len(m.Memories)
	case KindGlobal:
		return len(m.Globals)
	case KindTag:
		return len(m.Tags)
	}
	return 0
}

// code notes where each body is.
func (p *parser) code(s *section) {
	n := p.vector(s, "function bodies", p.m.lim.Functions, 3)
	if n != p.declared {
		p.fail(Malformed, s.start, "%d functions but %d bodies", p.declared, n)
		return
	}
	p.m.bodies = make([]span, 0, n)
	for range n {
		at := p.pos
		size := p.count("bytes of function body", p.m.lim.BodySize, 1)
		p.m.bodies = append(p.m.bodies, span{p.pos, p.pos + size})
		p.skip(size)
		if size == 0 {
			p.fail(Malformed, at, "empty function body")
			return
		}
	}
}

func (p *parser) finish() {
	m := p.m
	if p.err != nil {
		return
	}
	if len(m.bodies) != p.declared {
		p.fail(Malformed, len(p.b), "%d functions but %d bodies", p.declared, len(m.bodies))
	}
	if p.dataCount >= 0 && p.dataCount != len(m.data) {
		p.fail(Malformed, len(p.b), "data count is %d but there are %d data segments", p.dataCount, len(m.data))
	}
	if m.HasStart {
		if t := m.FuncType(m.Start); len(t.Params)+len(t.Results) > 0 {
			p.fail(Invalid, m.sections[secStart].start, "start function has parameters or results")
		}
	}
	m.Elements, m.Data = len(m.elements), len(m.data)
	m.Name, m.funcName = parseNames(m.bytes, p.names, len(m.Funcs))
}

func findName(names []funcName, i uint32) string {
	k, ok := slices.BinarySearchFunc(names, i, func(n funcName, i uint32) int { return cmp.Compare(n.index, i) })
	if !ok {
		return ""
	}
	return names[k].name
}
