package bindgen

import (
	"slices"

	"github.com/lathhost/lath/wit"
)

// owed reports whether a guest may trap while a value of t is stored before all
// objects in it are handed over: whether something else is stored beside one.
func (t *typ) owed() bool {
	if !t.owns() {
		return false
	}
	switch t.w.Kind {
	case wit.KindOwn:
		return false
	case wit.KindOption:
		return t.elem.owed()
	case wit.KindVariant, wit.KindResult:
		return slices.ContainsFunc(t.cases, func(c part) bool { return c.typ.owed() })
	}
	return true
}

// owe writes statements that note the objects of a value of t, given as the Go
// expression v, in the order in which they will be stored.
func (w *glueWriter) owe(out *file, t *typ, v string) {
	switch {
	case !t.owns():
	case t.w.Kind == wit.KindOwn:
		out.p("inv.Owe(%s)", v)
	default:
		w.oweFunc(t)
		out.p("owe%s(inv, %s)", t.ident(w.pkg), v)
	}
}

func (w *glueWriter) oweFunc(t *typ) {
	name := "owe" + t.ident(w.pkg)
	if !w.first(name) {
		return
	}
	var out file
	out.q = w.values.q
	w.onValues(func() string {
		out.p("func %s(inv *component.Invocation, v %s) {", name, t.goType(w.q))
		switch t.w.Kind {
		case wit.KindRecord, wit.KindTuple:
			for i, f := range t.fields {
				w.owe(&out, f.typ, t.fieldExpr("v", i))
			}
		case wit.KindList:
			out.p("for _, e := range v {")
			w.owe(&out, t.elem, "e")
			out.p("}")
		case wit.KindOption:
			out.p("if v.OK {")
			w.owe(&out, t.elem, "v.Value")
			out.p("}")
		case wit.KindVariant:
			w.oweVariant(&out, t)
		case wit.KindResult:
			out.p("switch {")
			if e := t.cases[1].typ; e.owns() {
				out.p("case v.IsErr:")
				w.owe(&out, e, "v.Err")
			}
			if ok := t.cases[0].typ; ok.owns() {
				out.p("case !v.IsErr:")
				w.owe(&out, ok, "v.Value")
			}
			out.p("}")
		}
		out.p("}\n")
		return ""
	})
	w.values.body.Write(out.body.Bytes())
}

func (w *glueWriter) oweVariant(out *file, t *typ) {
	out.p("switch v.Tag {")
	for i, c := range t.cases {
		if c.typ.owns() {
			out.p("case %s:", w.q.name(t.def.iface.pkg, t.def.constant(i)))
			w.owe(out, c.typ, t.caseExpr("v", i))
		}
	}
	out.p("}")
}
