package wit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// MaxText is the most bytes of WIT text that [Print] writes and [ParseWorld]
// reads.
const MaxText = 8 << 20

// ErrTextTooLarge: the text would be, or is, larger than [MaxText].
var ErrTextTooLarge = fmt.Errorf("WIT text is larger than %d bytes", MaxText)

// ErrNotWIT: a world has something that WIT text cannot express, such as an
// import by URL.
var ErrNotWIT = errors.New("cannot be written as WIT")

// Print writes a world and every interface that it imports or exports as WIT
// text: the world in a package of its own ("root:component" where its name
// gives none), the interfaces in nested packages. Ordinary tools read it, and
// so does [ParseWorld], which gives the same world back, but for the order of
// functions within an interface: those of a resource stand together.
//
// An interface that is both imported and exported is written once, with
// everything that either side has. Errors wrap [ErrNotWIT] or are
// [ErrTextTooLarge].
func Print(w *World) (string, error) {
	p := newPrinter()
	for _, list := range [][]Extern{w.Imports, w.Exports} {
		for i := range list {
			if err := p.collect(&list[i]); err != nil {
				return "", err
			}
		}
	}
	root := p.newScope("", w.Types, worldFuncs(w))
	p.own(root)
	return p.finish(func() { p.world(w, root) })
}

// PrintInterface writes one interface as WIT text, in its package. Types that
// it uses of other interfaces are written as if it defined them.
func PrintInterface(i *Interface) (string, error) {
	p := newPrinter()
	if err := p.collect(&Extern{Name: i.Name, Interface: i}); err != nil {
		return "", err
	}
	return p.finish(func() {
		for _, s := range p.order {
			p.line("package " + packageName(s.id) + ";")
			p.line("")
			p.iface(s)
		}
	})
}

// scope is an interface, or the world itself, as it is to be written.
type scope struct {
	name      string // full; empty for the world and for inline interfaces
	id        ID
	docs      string
	defs      []TypeDef
	byName    map[string]int // of defs
	resources map[*Resource]string
	funcs     []*Func
	refs      map[*Type]string // how a type is referred to, once known
}

type home struct {
	scope *scope
	name  string
	uses  bool // it takes the resource from another scope
}

type printer struct {
	typeWriter
	indent string
	err    error
	scopes map[string]*scope
	order  []*scope
	inline map[*Interface]*scope
	homes  map[*Resource]home // who defines a resource
	inside *scope             // what is being written
	pkg    string             // package that is being written
}

func newPrinter() *printer {
	p := &printer{scopes: map[string]*scope{}, inline: map[*Interface]*scope{}, homes: map[*Resource]home{}}
	p.max = MaxText
	p.name = p.refer
	return p
}

func (p *printer) finish(write func()) (string, error) {
	write()
	switch {
	case p.err != nil:
		return "", p.err
	case p.full():
		return "", ErrTextTooLarge
	}
	return string(p.b), nil
}

func (p *printer) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format+": %w", append(args, ErrNotWIT)...)
	}
}

func (p *printer) newScope(name string, defs []TypeDef, funcs []*Func) *scope {
	s := &scope{name: name, defs: slices.Clone(defs), funcs: slices.Clone(funcs),
		byName: map[string]int{}, resources: map[*Resource]string{}, refs: map[*Type]string{}}
	for i, d := range s.defs {
		s.byName[d.Name] = i
	}
	return s
}

func worldFuncs(w *World) []*Func {
	var out []*Func
	for _, e := range slices.Concat(w.Imports, w.Exports) {
		if e.Func != nil {
			out = append(out, e.Func)
		}
	}
	return out
}

// collect makes the scope of an interface, or adds to the one of its name.
func (p *printer) collect(e *Extern) error {
	i := e.Interface
	if i == nil {
		return nil
	}
	id, err := ParseID(e.Name)
	if err != nil || !id.Valid() {
		if !ValidLabel(e.Name) {
			return fmt.Errorf("interface %q: %w", e.Name, ErrNotWIT)
		}
		s := p.newScope("", i.Types, i.Funcs)
		p.inline[i] = s
		p.own(s)
		return nil
	}
	s := p.scopes[e.Name]
	if s == nil {
		s = p.newScope(e.Name, i.Types, i.Funcs)
		s.id, s.docs = id, i.Docs
		p.scopes[e.Name] = s
		p.order = append(p.order, s)
		p.own(s)
		return nil
	}
	return p.merge(s, i)
}

// merge adds what s does not have yet. Both are the same interface, so what
// has the same name must be the same.
func (p *printer) merge(s *scope, i *Interface) error {
	for _, d := range i.Types {
		k, ok := s.byName[d.Name]
		switch {
		case !ok:
			s.byName[d.Name] = len(s.defs)
			s.defs = append(s.defs, d)
		case d.Resource != nil:
			s.resources[d.Resource] = d.Name
		case s.defs[k].Type == nil || s.defs[k].Type.Structure() != d.Type.Structure():
			return fmt.Errorf("interface %q with two types %q: %w", s.name, d.Name, ErrNotWIT)
		}
	}
	for _, f := range i.Funcs {
		k := slices.IndexFunc(s.funcs, func(g *Func) bool { return g.Name == f.Name })
		switch {
		case k < 0:
			s.funcs = append(s.funcs, f)
		case s.funcs[k].Signature() != f.Signature():
			return fmt.Errorf("interface %q with two functions %q: %w", s.name, f.Name, ErrNotWIT)
		}
	}
	p.own(s)
	return nil
}

// own notes the resources of a scope: the first scope that names one defines
// it, unless it says that it uses another's and a later one does not.
func (p *printer) own(s *scope) {
	for _, d := range s.defs {
		if d.Resource == nil {
			continue
		}
		if _, ok := s.resources[d.Resource]; !ok {
			s.resources[d.Resource] = d.Name
		}
		uses := d.Owner != "" && d.Owner != s.name
		if h, ok := p.homes[d.Resource]; !ok || h.uses && !uses {
			p.homes[d.Resource] = home{s, d.Name, uses}
		}
	}
}

// used returns the interface that a definition is taken from, and its name
// there; nil where it is to be written out.
func (p *printer) used(s *scope, d *TypeDef) (*scope, string) {
	from, name := p.scopes[d.Owner], d.OwnerName
	if d.Owner == "" && d.Resource != nil {
		h := p.homes[d.Resource]
		from, name = h.scope, h.name
	}
	if from == nil || from == s || from.name == "" {
		return nil, ""
	}
	if _, ok := from.byName[name]; !ok {
		return nil, ""
	}
	return from, name
}

// refer returns how the current scope refers to a type, having named it there
// if it must have a name.
func (p *printer) refer(t *Type) string {
	s := p.inside
	if n, ok := s.refs[t]; ok {
		return n
	}
	n := p.reference(s, t)
	s.refs[t] = n
	return n
}

func (p *printer) reference(s *scope, t *Type) string {
	if t.Name != "" {
		if i, ok := s.byName[t.Name]; ok && sameType(s.defs[i].Type, t) {
			return Escape(t.Name)
		}
	}
	switch t.Kind {
	case KindOwn:
		return Escape(p.resource(s, t.Resource))
	case KindBorrow:
		return "borrow<" + Escape(p.resource(s, t.Resource)) + ">"
	case KindRecord, KindVariant, KindEnum, KindFlags:
		for _, d := range s.defs {
			if t.Name == "" && sameType(d.Type, t) {
				return Escape(d.Name)
			}
		}
		name := s.free(t.Name, t.Kind.String())
		s.define(TypeDef{Name: name, Type: t})
		return Escape(name)
	}
	return ""
}

func sameType(a, b *Type) bool {
	return a != nil && a.Kind == b.Kind && (Equal(a, b) || a.Structure() == b.Structure())
}

// resource returns the name of a resource in the scope, which comes to use it
// if it has to.
func (p *printer) resource(s *scope, r *Resource) string {
	if n, ok := s.resources[r]; ok {
		return n
	}
	h, ok := p.homes[r]
	if !ok || h.scope.name == "" {
		p.fail("resource %q, which no interface defines,", r.Name)
		return r.Name
	}
	name := s.free(h.name, h.name)
	s.define(TypeDef{Name: name, Resource: r, Owner: h.scope.name, OwnerName: h.name})
	s.resources[r] = name
	return name
}

// free returns a name for a type that is not taken.
func (s *scope) free(name, other string) string {
	if name == "" {
		name = other
	}
	for base, i := name, 2; ; i++ {
		if _, ok := s.byName[name]; !ok {
			return name
		}
		name = fmt.Sprintf("%s-n%d", base, i)
	}
}

func (s *scope) define(d TypeDef) {
	s.byName[d.Name] = len(s.defs)
	s.defs = append(s.defs, d)
}

func (p *printer) line(s string) {
	if s != "" {
		p.write(p.indent)
	}
	p.write(s)
	p.write("\n")
}

func (p *printer) block(head string, body func()) {
	p.line(head + " {")
	p.indent += "  "
	body()
	p.indent = p.indent[2:]
	p.line("}")
}

// doc writes documentation; what WIT does not allow in its text is left out.
func (p *printer) doc(docs string) {
	if docs == "" {
		return
	}
	clean := strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, docs)
	for l := range strings.SplitSeq(strings.TrimRight(clean, "\n"), "\n") {
		p.line(strings.TrimRight("/// "+l, " \t"))
	}
}

// label checks a name that goes into the text.
func (p *printer) label(s string) string {
	if !ValidLabel(s) {
		p.fail("name %q", s)
	}
	return Escape(s)
}

func packageName(id ID) string {
	s := Escape(id.Namespace) + ":" + Escape(id.Package)
	if id.Version != "" {
		s += "@" + id.Version
	}
	return s
}

// path is how text inside the package pkg refers to an interface.
func path(id ID, pkg string) string {
	if packageName(id) == pkg {
		return Escape(id.Interface)
	}
	s := Escape(id.Namespace) + ":" + Escape(id.Package) + "/" + Escape(id.Interface)
	if id.Version != "" {
		s += "@" + id.Version
	}
	return s
}

func (p *printer) world(w *World, root *scope) {
	id, err := ParseID(w.Name)
	if err != nil || !id.Valid() {
		id = ID{Namespace: "root", Package: "component", Interface: w.Name}
		if !ValidLabel(w.Name) {
			id.Interface = "root"
		}
	}
	p.pkg = packageName(id)
	p.line("package " + p.pkg + ";")
	p.line("")
	p.doc(w.Docs)
	p.block("world "+Escape(id.Interface), func() {
		p.write(p.scopeBody(root, func() {
			p.externs("import", w.Imports)
			p.externs("export", w.Exports)
		}))
	})
	p.packages()
}

// packages writes the interfaces of the world's own package, then the others
// in nested packages, in the order in which they are first named.
func (p *printer) packages() {
	own, done := p.pkg, map[string]bool{}
	for _, s := range p.order {
		if packageName(s.id) == own {
			p.line("")
			p.iface(s)
		}
	}
	for _, s := range p.order {
		pkg := packageName(s.id)
		if pkg == own || done[pkg] {
			continue
		}
		done[pkg], p.pkg = true, pkg
		p.line("")
		p.block("package "+pkg, func() {
			first := true
			for _, t := range p.order {
				if packageName(t.id) != pkg {
					continue
				}
				if !first {
					p.line("")
				}
				first = false
				p.iface(t)
			}
		})
	}
}

func (p *printer) externs(verb string, list []Extern) {
	for i := range list {
		e := &list[i]
		switch {
		case e.Func != nil:
			p.doc(e.Func.Docs)
			p.line(verb + " " + p.label(e.Name) + ": " + p.funcType(e.Func.Params, e.Func, "") + ";")
		case e.Interface == nil:
			p.fail("extern %q", e.Name)
		case p.inline[e.Interface] != nil:
			outer := p.inside
			p.block(verb+" "+p.label(e.Name)+": interface", func() { p.members(p.inline[e.Interface]) })
			p.inside = outer
		default:
			p.line(verb + " " + path(p.scopes[e.Name].id, p.pkg) + ";")
		}
	}
}

func (p *printer) iface(s *scope) {
	p.doc(s.docs)
	p.block("interface "+Escape(s.id.Interface), func() { p.members(s) })
}

func (p *printer) members(s *scope) {
	p.write(p.scopeBody(s, func() {
		for _, f := range s.funcs {
			n, err := ParseFuncName(f.Name)
			switch {
			case err != nil:
				p.fail("function %q", f.Name)
			case n.Kind == FuncPlain:
				p.doc(f.Docs)
				p.line(Escape(n.Name) + ": " + p.funcType(f.Params, f, "") + ";")
			case !p.definesResource(s, n.Resource):
				p.fail("function %q of no resource of its interface", f.Name)
			}
		}
	}))
}

func (p *printer) definesResource(s *scope, name string) bool {
	i, ok := s.byName[name]
	if !ok || s.defs[i].Resource == nil {
		return false
	}
	from, _ := p.used(s, &s.defs[i])
	return from == nil
}

// scopeBody writes the functions and types of a scope. Writing them may name
// more types and use more resources, so what comes first in the text is
// written last.
func (p *printer) scopeBody(s *scope, funcs func()) string {
	p.inside = s
	last := p.capture(funcs)
	p.base += len(last)
	types := p.capture(func() {
		for i := 0; i < len(s.defs) && !p.full(); i++ {
			d := s.defs[i]
			if from, _ := p.used(s, &d); from == nil {
				p.def(s, d)
			}
		}
	})
	p.base -= len(last)
	return p.capture(func() { p.uses(s) }) + types + last
}

// capture returns what f writes, instead of writing it.
func (p *printer) capture(f func()) string {
	outer := p.b
	p.b, p.base = nil, p.base+len(outer)
	f()
	out := string(p.b)
	p.b, p.base = outer, p.base-len(outer)
	return out
}
