package core

import "math"

// constValue is what a constant expression is known to be before the module is
// instantiated.
type constValue struct {
	known bool // a lone i32.const
	i32   uint32
}

// constExpr reads a constant expression with its end. It checks indices, and
// leaves types to the engine.
func (p *parser) constExpr() (v constValue, body span) {
	body.start = p.pos
	for n := 0; p.err == nil; n++ {
		at := p.pos
		switch op := p.byte(); op {
		case opEnd:
			body.end = at
			v.known = v.known && n == 1
			return v, body
		case opI32Const:
			v = constValue{known: n == 0, i32: uint32(p.sleb(32))}
		case opI64Const:
			p.sleb(64)
		case opF32Const:
			p.skip(4)
		case opF64Const:
			p.skip(8)
		case opI32Add, opI32Add + 1, opI32Add + 2, opI64Add, opI64Add + 1, opI64Add + 2:
		case opGlobalGet:
			p.constGlobal()
		case opRefNull:
			p.heapType()
		case opRefFunc:
			p.declare(p.index("function", len(p.m.Funcs)))
		case opVecPrefix:
			if p.byte() != vecConst {
				p.fail(Invalid, at, "instruction is not constant")
			}
			p.skip(16)
		default:
			p.fail(Invalid, at, "instruction %#x is not constant", op)
		}
	}
	return constValue{}, body
}

// constGlobal reads a global's index and notes where it stands, for the rewriter
// to move it.
func (p *parser) constGlobal() {
	at := p.pos
	i := p.index("global", len(p.m.Globals))
	if p.err == nil && int(i) >= p.m.ImportedGlobals {
		p.m.ownGlobals = append(p.m.ownGlobals, globalUse{span{at, p.pos}, i})
	}
}

// element is what the rewriter needs to know of an element segment.
type element struct {
	active bool
	table  uint32
	offset constValue
	expr   span // the offset expression without its end
	count  int
	exprs  bool // items are expressions, not indices of functions
	items  int  // where they begin
}

// The flags of an element segment.
const (
	elemNotActive = 1 << iota
	elemExplicit  // active: has a table index; else: declarative
	elemExprs
)

func (p *parser) elements(s *section) {
	n := p.vector(s, "element segments", p.m.lim.Elements, 2)
	p.m.elements = make([]element, 0, n)
	for range n {
		p.m.elements = append(p.m.elements, p.element())
		if p.err != nil {
			return
		}
	}
}

func (p *parser) element() element {
	at := p.pos
	flags := p.u32()
	if flags > 7 {
		p.fail(Malformed, at, "unknown element segment flags %#x", flags)
		return element{}
	}
	e := element{active: flags&elemNotActive == 0}
	if e.active {
		if flags&elemExplicit != 0 {
			e.table = p.index("table", len(p.m.Tables))
		} else if len(p.m.Tables) == 0 {
			p.fail(Invalid, at, "unknown table 0")
		}
		e.offset, e.expr = p.constExpr()
	}
	if flags&(elemNotActive|elemExplicit) != 0 {
		p.elemKind(flags&elemExprs != 0)
	}
	e.count = p.count("elements", math.MaxInt32, 1)
	e.exprs, e.items = flags&elemExprs != 0, p.pos
	for range e.count {
		if e.exprs {
			p.constExpr()
		} else {
			p.declare(p.index("function", len(p.m.Funcs)))
		}
		if p.err != nil {
			return e
		}
	}
	return e
}

func (p *parser) elemKind(exprs bool) {
	if exprs {
		p.refType()
		return
	}
	at := p.pos
	if kind := p.byte(); kind != 0 {
		p.fail(Malformed, at, "element kind %#x", kind)
	}
}

// dataSegment is one data segment. Its bytes are a span of the module.
type dataSegment struct {
	active bool
	offset constValue
	bytes  span
}

func (p *parser) data(s *section) {
	n := p.vector(s, "data segments", p.m.lim.Data, 2)
	p.m.data = make([]dataSegment, 0, n)
	for range n {
		at := p.pos
		flags := p.u32()
		if flags > 2 {
			p.fail(Malformed, at, "unknown data segment flags %#x", flags)
		}
		d := dataSegment{active: flags != 1}
		if flags == 2 {
			p.index("memory", len(p.m.Memories))
		}
		if d.active {
			if len(p.m.Memories) == 0 {
				p.fail(Invalid, at, "unknown memory 0")
			}
			d.offset, _ = p.constExpr()
		}
		size := p.u32()
		d.bytes.start = p.pos
		p.bytes(size)
		d.bytes.end = p.pos
		if p.err != nil {
			return
		}
		p.m.data = append(p.m.data, d)
	}
}
