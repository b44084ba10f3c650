package wit

import "strconv"

// The syntax of WIT text, before names are looked up.

type astType struct {
	name    string // a keyword, "_" or the name of a type
	escaped bool   // never a keyword
	args    []*astType
	n       uint32 // list<T, n>
	pos     int
}

type astField struct {
	name string
	typ  *astType
	pos  int
}

type astFunc struct {
	FuncName
	params []astField
	result *astType
	async  bool
	docs   string
	pos    int
}

// astItem is a definition in an interface or world: of a type (typ or fields
// are set, by kind) or of a name that another interface owns (owner is set).
type astItem struct {
	kind      string // "type", "record", "variant", "enum", "flags", "resource", "use"
	name      string
	typ       *astType
	fields    []astField
	owner     string
	ownerName string
	docs      string
	pos       int
}

type astScope struct {
	name  string // full name of an interface
	items []*astItem
	funcs []astFunc
	docs  string
	pos   int
}

type astExtern struct {
	name  string
	fn    *astFunc
	iface *astScope // inline
	pos   int
}

type astWorld struct {
	astScope
	imports, exports []astExtern
}

// parser reads the syntax.
type parser struct {
	scanner
	pkg    string // "ns:pkg" and "@version" of the package that is being read
	ver    string
	ifaces map[string]*astScope
	worlds []*astWorld
	depth  int
}

func (p *parser) is(text string) bool { return p.cur.text == text && !p.cur.escaped }

func (p *parser) accept(text string) bool {
	if p.err != nil || !p.is(text) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.fail(p.cur.pos, "expected %q, found %s", text, p.cur)
	}
}

// label reads an identifier that is no keyword.
func (p *parser) label(what string) string {
	if !p.cur.ident || keywords[p.cur.text] && !p.cur.escaped {
		p.fail(p.cur.pos, "expected %s, found %s", what, p.cur)
		return ""
	}
	return p.next().text
}

// until repeats item until the closing word, separated by commas if sep is
// set.
func (p *parser) until(closing string, sep bool, item func()) {
	for p.err == nil && !p.accept(closing) {
		item()
		if sep && !p.accept(",") && !p.is(closing) {
			p.fail(p.cur.pos, "expected \",\" or %q, found %s", closing, p.cur)
		}
	}
}

func (p *parser) file() {
	p.next()
	for p.err == nil && p.cur.text != "" {
		p.gates()
		switch {
		case p.accept("package"):
			p.packageDecl()
		default:
			p.packageItem()
		}
	}
}

func (p *parser) packageDecl() {
	outerPkg, outerVer := p.pkg, p.ver
	ns := p.label("a namespace")
	p.expect(":")
	p.pkg, p.ver = ns+":"+p.label("a package"), ""
	if p.is("@") {
		p.ver = "@" + p.version()
	}
	if p.accept(";") {
		return
	}
	p.expect("{")
	p.until("}", false, func() {
		p.gates()
		p.packageItem()
	})
	p.pkg, p.ver = outerPkg, outerVer
}

func (p *parser) packageItem() {
	docs, pos := p.cur.docs, p.cur.pos
	switch {
	case p.accept("interface"):
		name := p.pkg + "/" + p.label("the name of an interface") + p.ver
		if p.pkg == "" || p.ifaces[name] != nil {
			p.fail(pos, "interface %q twice, or in no package", name)
			return
		}
		s := &astScope{name: name, docs: docs, pos: pos}
		p.ifaces[name] = s
		p.scope(s)
	case p.accept("world"):
		w := &astWorld{astScope: astScope{docs: docs, pos: pos}}
		w.name = p.pkg + "/" + p.label("the name of a world") + p.ver
		p.worlds = append(p.worlds, w)
		p.expect("{")
		p.until("}", false, func() { p.worldItem(w) })
	default:
		p.fail(pos, "expected package, interface or world, found %s", p.cur)
	}
}

// gates passes @since(…) and its like.
func (p *parser) gates() {
	for p.accept("@") {
		p.label("the name of a gate")
		p.expect("(")
		for p.err == nil && !p.accept(")") {
			if p.cur.text == "" || p.is("{") || p.is("}") {
				p.fail(p.cur.pos, "expected \")\", found %s", p.cur)
			}
			p.next()
		}
	}
}

func (p *parser) worldItem(w *astWorld) {
	docs := p.cur.docs
	p.gates()
	switch {
	case p.accept("import"):
		w.imports = append(w.imports, p.extern(docs))
	case p.accept("export"):
		w.exports = append(w.exports, p.extern(docs))
	case p.is("include"):
		p.fail(p.cur.pos, "include is not read here: give the world that tools make of it")
	default:
		p.item(&w.astScope, docs)
	}
}

func (p *parser) extern(docs string) astExtern {
	e := astExtern{pos: p.cur.pos}
	// "name: func(…)" and "ns:pkg/iface" begin alike: what follows the colon
	// tells, and "a:b" without blanks is a package.
	first := p.label("a name")
	switch {
	case p.is(":") && p.pos < len(p.src) && (isAlnum(p.src[p.pos]) || p.src[p.pos] == '%'):
		e.name = p.pathAfter(first)
	case p.accept(":"):
		e.name = first
		if p.accept("interface") {
			e.iface = &astScope{docs: docs, pos: e.pos}
			p.scope(e.iface)
			return e
		}
		f := p.funcType(astFunc{FuncName: FuncName{Name: first}, docs: docs, pos: e.pos})
		e.fn = &f
	default:
		e.name = p.pkg + "/" + first + p.ver
	}
	p.expect(";")
	return e
}

// pathAfter reads the rest of "ns:pkg/iface@version".
func (p *parser) pathAfter(ns string) string {
	p.expect(":")
	name := ns + ":" + p.label("a package")
	p.expect("/")
	name += "/" + p.label("an interface")
	if p.is("@") {
		name += "@" + p.version()
	}
	return name
}

func (p *parser) scope(s *astScope) {
	p.expect("{")
	p.until("}", false, func() {
		docs := p.cur.docs
		p.gates()
		p.item(s, docs)
	})
}

func (p *parser) item(s *astScope, docs string) {
	it := &astItem{kind: p.cur.text, docs: docs, pos: p.cur.pos}
	kind := p.cur
	switch {
	case kind.escaped, !kind.ident:
		p.plainFunc(s, docs)
		return
	case kind.text == "use":
		p.next()
		p.use(s)
		return
	case kind.text == "resource":
		p.next()
		it.name = p.label("the name of a resource")
		s.items = append(s.items, it)
		if !p.accept(";") {
			p.resource(s, it.name)
		}
		return
	case kind.text == "type":
		p.next()
		it.name = p.label("the name of a type")
		p.expect("=")
		it.typ = p.typ()
		p.expect(";")
	case kind.text == "record", kind.text == "variant", kind.text == "enum", kind.text == "flags":
		p.next()
		it.name = p.label("the name of a type")
		p.expect("{")
		p.until("}", true, func() { it.fields = append(it.fields, p.part(kind.text)) })
	default:
		p.plainFunc(s, docs)
		return
	}
	s.items = append(s.items, it)
}

// part reads a field, case or label.
func (p *parser) part(kind string) astField {
	f := astField{pos: p.cur.pos}
	f.name = p.label("a name")
	switch {
	case kind == "record":
		p.expect(":")
		f.typ = p.typ()
	case kind == "variant" && p.accept("("):
		f.typ = p.typ()
		p.expect(")")
	}
	return f
}

func (p *parser) plainFunc(s *astScope, docs string) {
	f := astFunc{docs: docs, pos: p.cur.pos}
	f.Name = p.label("a type or a function")
	p.expect(":")
	s.funcs = append(s.funcs, p.funcType(f))
	p.expect(";")
}

func (p *parser) use(s *astScope) {
	pos := p.cur.pos
	owner := p.label("an interface")
	if p.is(":") {
		owner = p.pathAfter(owner)
	} else {
		owner = p.pkg + "/" + owner + p.ver
	}
	p.expect(".")
	p.expect("{")
	p.until("}", true, func() {
		it := &astItem{kind: "use", owner: owner, pos: pos}
		it.ownerName = p.label("the name of a type")
		it.name = it.ownerName
		if p.accept("as") {
			it.name = p.label("a name")
		}
		s.items = append(s.items, it)
	})
	p.expect(";")
}

func (p *parser) resource(s *astScope, name string) {
	self := astField{name: "self", typ: &astType{name: "borrow", args: []*astType{{name: name, escaped: true}}}}
	p.expect("{")
	p.until("}", false, func() {
		f := astFunc{docs: p.cur.docs}
		p.gates()
		f.pos, f.Resource = p.cur.pos, name
		if p.accept("constructor") {
			f.Kind = FuncConstructor
			f = p.signature(f)
			if f.result == nil {
				f.result = &astType{name: name, escaped: true, pos: f.pos}
			}
		} else {
			f.Name, f.Kind = p.label("a function"), FuncMethod
			p.expect(":")
			if p.accept("static") {
				f.Kind = FuncStatic
			} else {
				f.params = []astField{self}
			}
			f = p.funcType(f)
		}
		p.expect(";")
		s.funcs = append(s.funcs, f)
	})
}

func (p *parser) funcType(f astFunc) astFunc {
	f.async = p.accept("async")
	p.expect("func")
	return p.signature(f)
}

func (p *parser) signature(f astFunc) astFunc {
	p.expect("(")
	p.until(")", true, func() { f.params = append(f.params, p.part("record")) })
	if p.accept("->") {
		f.result = p.typ()
	}
	return f
}

func (p *parser) typ() *astType {
	if p.depth++; p.depth > MaxDepth {
		p.fail(p.cur.pos, "%v", ErrTypeTooDeep)
	}
	defer func() { p.depth-- }()
	t := &astType{name: p.cur.text, escaped: p.cur.escaped, pos: p.cur.pos}
	if !p.cur.ident && !p.is("_") {
		p.fail(p.cur.pos, "expected a type, found %s", p.cur)
		return t
	}
	p.next()
	if t.escaped || !p.accept("<") {
		return t
	}
	p.until(">", true, func() {
		if t.name == "list" && len(t.args) == 1 && isNumber(p.cur.text) {
			n, err := strconv.ParseUint(p.cur.text, 10, 32)
			if err != nil || n == 0 {
				p.fail(p.cur.pos, "length %s of a list", p.cur)
			}
			t.n = uint32(n)
			p.next()
			return
		}
		t.args = append(t.args, p.typ())
	})
	return t
}
