package bindgen

import (
	"fmt"
	"strings"

	"github.com/lathhost/lath/wit"
)

// model writes what the contract is in the type model of package wit, which
// glue, stubs and link checks read.
func (p *Package) model(from string) *file {
	f := newFile("wit/"+p.Dir()+"/model.gen.go", from, p.goName(), qualifier{own: p})
	m := &modelWriter{file: f, pkg: p, done: map[string]bool{}}
	for _, i := range p.ifaces {
		for _, d := range i.defs {
			if d.resource != nil {
				f.comment(fmt.Sprintf("%s is the identity of the resource %s.", d.goName+"Resource", d.name))
				f.p("var %sResource = &wit.Resource{Name: %q}\n", d.goName, d.name)
			}
		}
	}
	for _, i := range p.ifaces {
		m.iface(i)
	}
	return f
}

type modelWriter struct {
	*file
	pkg  *Package
	done map[string]bool // type variables that are written
}

func (m *modelWriter) iface(i *iface) {
	for _, d := range i.defs {
		if d.typ != nil {
			m.named(d.typ)
		}
	}
	for _, fn := range i.funcs {
		for _, p := range fn.params {
			m.named(p.typ)
		}
		m.named(fn.result)
	}
	name := exported(i.name) + "Interface"
	m.comment(fmt.Sprintf("%s is %s in the type model.", name, i.full()))
	m.p("var %s = &wit.Interface{", name)
	m.p("Name: %q,", i.full())
	if docs := strings.Join(strings.Fields(i.docs), " "); docs != "" {
		m.p("Docs: %q,", docs)
	}
	if len(i.defs) > 0 {
		m.p("Types: []wit.TypeDef{")
		for _, d := range i.defs {
			docs := ""
			if d.docs != "" {
				docs = fmt.Sprintf(", Docs: %q", strings.Join(strings.Fields(d.docs), " "))
			}
			switch {
			case d.resource != nil:
				m.p("{Name: %q, Resource: %sResource%s},", d.name, d.goName, docs)
			case d.same != nil:
				m.p("{Name: %q, Resource: %s%s},", d.name, m.q.name(d.same.iface.pkg, d.same.goName+"Resource"), docs)
			default:
				m.p("{Name: %q, Type: %s%s},", d.name, m.expr(d.typ), docs)
			}
		}
		m.p("},")
	}
	if len(i.funcs) > 0 {
		m.p("Funcs: []*wit.Func{")
		for _, fn := range i.funcs {
			m.fn(fn)
		}
		m.p("},")
	}
	m.p("}\n")
}

func (m *modelWriter) fn(fn *fn) {
	s := fmt.Sprintf("{Name: %q", fn.name)
	if len(fn.params) > 0 {
		var ps []string
		for _, p := range fn.params {
			ps = append(ps, fmt.Sprintf("{Name: %q, Type: %s}", p.name, m.expr(p.typ)))
		}
		s += ", Params: []wit.Param{" + strings.Join(ps, ", ") + "}"
	}
	if fn.result != nil {
		s += ", Result: " + m.expr(fn.result)
	}
	m.p("%s},", s)
}

// named writes a variable for each declared type in t, so that uses share it.
func (m *modelWriter) named(t *typ) {
	if t == nil || t.w.Kind == wit.KindOwn || t.w.Kind == wit.KindBorrow {
		return
	}
	m.named(t.elem)
	for _, p := range t.fields {
		m.named(p.typ)
	}
	for _, p := range t.cases {
		m.named(p.typ)
	}
	if !t.nominal() || m.done[m.variable(t)] {
		return
	}
	m.done[m.variable(t)] = true
	m.p("var %s = must.Type(%s).Named(%q)\n", m.variable(t), m.build(t), t.def.name)
}

func (m *modelWriter) variable(t *typ) string { return "type" + t.def.ident(m.pkg) }

// expr writes t as an expression.
func (m *modelWriter) expr(t *typ) string {
	switch {
	case t.nominal():
		return m.variable(t)
	case t.w.Kind.Primitive():
		return "wit." + modelPrimitives[t.w.Kind]
	case t.w.Kind == wit.KindOwn:
		return "wit.NewOwn(" + m.q.name(t.def.iface.pkg, t.def.goName+"Resource") + ")"
	case t.w.Kind == wit.KindBorrow:
		return "wit.NewBorrow(" + m.q.name(t.def.iface.pkg, t.def.goName+"Resource") + ")"
	}
	return "must.Type(" + m.build(t) + ")"
}

var modelPrimitives = map[wit.Kind]string{
	wit.KindBool: "Bool", wit.KindS8: "S8", wit.KindU8: "U8", wit.KindS16: "S16", wit.KindU16: "U16",
	wit.KindS32: "S32", wit.KindU32: "U32", wit.KindS64: "S64", wit.KindU64: "U64",
	wit.KindF32: "F32", wit.KindF64: "F64", wit.KindChar: "Char", wit.KindString: "String",
}

// build writes the call of the New function that makes t.
func (m *modelWriter) build(t *typ) string {
	var args []string
	switch t.w.Kind {
	case wit.KindRecord:
		for _, p := range t.fields {
			args = append(args, fmt.Sprintf("\nwit.Field{Name: %q, Type: %s}", p.name, m.expr(p.typ)))
		}
		return "wit.NewRecord(" + strings.Join(args, ",") + ")"
	case wit.KindTuple:
		for _, p := range t.fields {
			args = append(args, m.expr(p.typ))
		}
		return "wit.NewTuple(" + strings.Join(args, ", ") + ")"
	case wit.KindVariant:
		for _, p := range t.cases {
			payload := ""
			if p.typ != nil {
				payload = ", Type: " + m.expr(p.typ)
			}
			args = append(args, fmt.Sprintf("\nwit.Case{Name: %q%s}", p.name, payload))
		}
		return "wit.NewVariant(" + strings.Join(args, ",") + ")"
	case wit.KindEnum, wit.KindFlags:
		for _, p := range t.labels {
			args = append(args, fmt.Sprintf("%q", p.name))
		}
		make := map[wit.Kind]string{wit.KindEnum: "NewEnum", wit.KindFlags: "NewFlags"}[t.w.Kind]
		return "wit." + make + "(" + strings.Join(args, ", ") + ")"
	case wit.KindList:
		return "wit.NewList(" + m.expr(t.elem) + ")"
	case wit.KindOption:
		return "wit.NewOption(" + m.expr(t.elem) + ")"
	default: // result
		for _, p := range t.cases {
			if p.typ == nil {
				args = append(args, "nil")
			} else {
				args = append(args, m.expr(p.typ))
			}
		}
		return "wit.NewResult(" + strings.Join(args, ", ") + ")"
	}
}
