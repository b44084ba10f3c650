package core

// The lead bytes of reference types in their long form.
const (
	refNull    = 0x63
	refNonNull = 0x64
)

func (r *reader) valType() ValType {
	at := r.pos
	switch t := ValType(r.byte()); t {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef, ExnRef:
		return t
	case refNull:
		return r.heapType()
	case refNonNull:
		r.fail(Unsupported, at, "typed function references")
	default:
		r.badType(at, byte(t))
	}
	return I32
}

// heapType reads the heap type of a nullable reference, of which only the
// abstract ones are supported.
func (r *reader) heapType() ValType {
	at := r.pos
	b := r.byte()
	if t := ValType(b); t.Ref() {
		return t
	}
	if b < 0x40 || b >= 0x80 {
		r.fail(Unsupported, at, "typed function references")
	}
	r.badType(at, b)
	return FuncRef
}

func (r *reader) badType(at int, b byte) {
	if b >= 0x6a && b <= 0x78 {
		r.fail(Unsupported, at, "garbage collected types")
	}
	r.fail(Malformed, at, "unknown value type %#x", b)
}

func (r *reader) refType() ValType {
	at := r.pos
	t := r.valType()
	if !t.Ref() {
		r.fail(Malformed, at, "%v is not a reference type", t)
	}
	return t
}

func (r *reader) bounds(memory bool) Bounds {
	at := r.pos
	flags := r.byte()
	if flags > 7 {
		r.fail(Malformed, at, "unknown limits flags %#x", flags)
	}
	if flags&4 != 0 {
		r.fail(Unsupported, at, "64-bit memories and tables")
	}
	b := Bounds{HasMax: flags&1 != 0, Shared: flags&2 != 0}
	if b.Shared && !memory {
		r.fail(Malformed, at, "shared table")
	}
	b.Min = r.u32()
	if b.HasMax {
		b.Max = r.u32()
		if b.Max < b.Min {
			r.fail(Invalid, at, "minimum %d is above maximum %d", b.Min, b.Max)
		}
	}
	return b
}

func (r *reader) table() Table { return Table{Elem: r.refType(), Bounds: r.bounds(false)} }

// maxPages is the most pages that 32 bits can address.
const maxPages = 1 << 16

func (r *reader) memory() Bounds {
	at := r.pos
	b := r.bounds(true)
	if b.Min > maxPages || b.Max > maxPages {
		r.fail(Invalid, at, "memory is larger than 65536 pages")
	}
	if b.Shared {
		r.fail(Unsupported, at, "shared memory")
	}
	return b
}

func (r *reader) global() Global {
	g := Global{Type: r.valType()}
	at := r.pos
	switch mut := r.byte(); mut {
	case 0, 1:
		g.Mutable = mut == 1
	default:
		r.fail(Malformed, at, "mutability %#x", mut)
	}
	return g
}

func (p *parser) tag() uint32 {
	at := p.pos
	if attr := p.byte(); attr != 0 {
		p.fail(Malformed, at, "tag attribute %#x", attr)
	}
	i := p.index("type", len(p.m.Types))
	if p.err == nil && len(p.m.Types[i].Results) > 0 {
		p.fail(Invalid, at, "tag type has results")
	}
	return i
}

func (p *parser) imports(s *section) {
	m := p.m
	n := p.vector(s, "imports", m.lim.Imports, 4)
	m.Imports = make([]Import, 0, n)
	for range n {
		imp := Import{Module: p.name(m.lim.NameSize), Field: p.name(m.lim.NameSize), desc: p.pos}
		imp.Kind = Kind(p.byte())
		p.importType(&imp)
		imp.end = p.pos
		if p.err != nil {
			return
		}
		m.Imports = append(m.Imports, imp)
	}
}

func (p *parser) importType(imp *Import) {
	m := p.m
	switch imp.Kind {
	case KindFunc:
		i := p.index("type", len(m.Types))
		if p.err != nil || p.room(len(m.Funcs), m.lim.Functions) == 0 {
			p.fail(LimitExceeded, imp.desc, "too many functions")
			return
		}
		imp.Func = &m.Types[i]
		m.Funcs = append(m.Funcs, i)
		m.ImportedFuncs++
	case KindTable:
		imp.Table = p.table()
		m.Tables = append(m.Tables, imp.Table)
		m.ImportedTables++
		p.atMost(imp.desc, "tables", len(m.Tables), m.lim.Tables)
	case KindMemory:
		imp.Memory = p.memory()
		m.Memories = append(m.Memories, imp.Memory)
		m.ImportedMemories++
		if len(m.Memories) > 1 {
			p.fail(Unsupported, imp.desc, "more than one memory")
		}
	case KindGlobal:
		imp.Global = p.global()
		m.Globals = append(m.Globals, imp.Global)
		m.ImportedGlobals++
		p.atMost(imp.desc, "globals", len(m.Globals), m.lim.Globals)
	case KindTag:
		i := p.tag()
		if p.err != nil {
			return
		}
		imp.Func = &m.Types[i]
		m.Tags = append(m.Tags, i)
		m.ImportedTags++
		p.atMost(imp.desc, "tags", len(m.Tags), m.lim.Tags)
	default:
		p.fail(Malformed, imp.desc, "unknown import kind %#x", byte(imp.Kind))
	}
}

func (p *parser) atMost(at int, what string, n, max int) {
	if n > max {
		p.fail(LimitExceeded, at, "more than %d %s", max, what)
	}
}
