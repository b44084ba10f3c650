package wit

import (
	"slices"
	"strings"
)

// uses writes what a scope takes from other interfaces, an interface to a
// line.
func (p *printer) uses(s *scope) {
	var order []*scope
	names := map[*scope][]string{}
	for i := range s.defs {
		d := &s.defs[i]
		from, name := p.used(s, d)
		if from == nil {
			continue
		}
		if !slices.Contains(order, from) {
			order = append(order, from)
		}
		item := p.label(name)
		if name != d.Name {
			item += " as " + p.label(d.Name)
		}
		names[from] = append(names[from], item)
	}
	for _, from := range order {
		p.line("use " + path(from.id, p.pkg) + ".{" + strings.Join(names[from], ", ") + "};")
	}
}

func (p *printer) def(s *scope, d TypeDef) {
	p.doc(d.Docs)
	if d.Resource != nil {
		p.resourceDef(s, d)
		return
	}
	t, name := d.Type, p.label(d.Name)
	switch t.Kind {
	case KindRecord:
		p.block("record "+name, func() {
			for _, f := range t.Fields {
				p.line(p.label(f.Name) + ": " + p.text(f.Type) + ",")
			}
		})
	case KindVariant, KindEnum:
		p.block(t.Kind.String()+" "+name, func() {
			for _, c := range t.Cases {
				payload := ""
				if c.Type != nil {
					payload = "(" + p.text(c.Type) + ")"
				}
				p.line(p.label(c.Name) + payload + ",")
			}
		})
	case KindFlags:
		p.block("flags "+name, func() {
			for _, l := range t.Labels {
				p.line(p.label(l) + ",")
			}
		})
	default:
		p.line("type " + name + " = " + p.aliased(t) + ";")
	}
}

// aliased is what the type of an alias is, not by its own name.
func (p *printer) aliased(t *Type) string {
	u := *t
	u.Name = ""
	return p.text(&u)
}

func (p *printer) text(t *Type) string { return p.capture(func() { p.ref(t) }) }

// resourceDef writes a resource with its functions, or an alias of one that
// the scope names already.
func (p *printer) resourceDef(s *scope, d TypeDef) {
	if first := s.resources[d.Resource]; first != d.Name {
		p.line("type " + p.label(d.Name) + " = " + p.label(first) + ";")
		return
	}
	var funcs []*Func
	var names []FuncName
	for _, f := range s.funcs {
		if n, err := ParseFuncName(f.Name); err == nil && n.Resource == d.Name {
			funcs, names = append(funcs, f), append(names, n)
		}
	}
	head := "resource " + p.label(d.Name)
	if len(funcs) == 0 {
		p.line(head + ";")
		return
	}
	p.block(head, func() {
		for i, f := range funcs {
			p.doc(f.Docs)
			p.resourceFunc(s, d.Name, names[i], f)
		}
	})
}

func (p *printer) resourceFunc(s *scope, resource string, n FuncName, f *Func) {
	is := func(t *Type, k Kind) bool {
		return t != nil && t.Kind == k && s.resources[t.Resource] == resource
	}
	switch n.Kind {
	case FuncConstructor:
		result := ""
		switch {
		case f.Result != nil && f.Result.Kind == KindResult && is(f.Result.Cases[0].Type, KindOwn):
			result = " -> " + p.text(f.Result)
		case !is(f.Result, KindOwn):
			p.fail("constructor of %q that does not return one", resource)
		}
		params := strings.TrimPrefix(p.capture(func() { p.signature(f.Params, nil) }), "func")
		p.line("constructor" + params + result + ";")
	case FuncMethod:
		if len(f.Params) == 0 || f.Params[0].Name != "self" || !is(f.Params[0].Type, KindBorrow) {
			p.fail("method %q without a borrowed self", f.Name)
			return
		}
		p.line(p.label(n.Name) + ": " + p.funcType(f.Params[1:], f, "") + ";")
	default:
		p.line(p.label(n.Name) + ": " + p.funcType(f.Params, f, "static ") + ";")
	}
}

func (p *printer) funcType(params []Param, f *Func, static string) string {
	for _, q := range params {
		p.label(q.Name)
	}
	if f.Async {
		static += "async "
	}
	return static + p.capture(func() { p.signature(params, f.Result) })
}
