package bindgen

import (
	"fmt"

	"github.com/lathhost/lath/wit"
)

// write writes a statement that encodes t, given as the Go expression v, with
// the bind.Writer to.
func (w *stubWriter) write(t *typ, to, v string) string {
	switch t.w.Kind {
	case wit.KindBool, wit.KindU8, wit.KindS8, wit.KindF32, wit.KindF64, wit.KindChar, wit.KindString:
		return fmt.Sprintf("%s.%s(%s)", to, title(t.w.Kind.String()), v)
	case wit.KindU16, wit.KindU32:
		return fmt.Sprintf("%s.Unsigned(uint64(%s))", to, v)
	case wit.KindU64:
		return fmt.Sprintf("%s.Unsigned(%s)", to, v)
	case wit.KindS16, wit.KindS32:
		return fmt.Sprintf("%s.Signed(int64(%s))", to, v)
	case wit.KindS64:
		return fmt.Sprintf("%s.Signed(%s)", to, v)
	case wit.KindEnum:
		return fmt.Sprintf("%s.Case(uint32(%s), %d)", to, v, len(t.labels))
	case wit.KindFlags:
		return fmt.Sprintf("%s.Flags(uint32(%s & %#x), %d)", to, v, flagsMask(t), len(t.labels))
	case wit.KindList:
		if t.elem.w.Kind == wit.KindU8 {
			return fmt.Sprintf("%s.ByteList(%s)", to, v)
		}
	}
	w.writeFunc(t)
	if to == "w" && w.file != w.values {
		to = "&w" // the functions for types have a pointer already
	}
	return fmt.Sprintf("write%s(%s, %s)", t.ident(w.pkg), to, v)
}

// read writes an expression that decodes t with the wire.Reader that from
// points to.
func (w *stubWriter) read(t *typ, from string) string {
	r := from
	if r[0] == '&' {
		r = r[1:]
	}
	switch t.w.Kind {
	case wit.KindEnum:
		return fmt.Sprintf("%s(%s.Discriminant(%d))", t.goType(w.q), r, len(t.labels))
	case wit.KindFlags:
		return fmt.Sprintf("%s(%s.Flags(%d))", t.goType(w.q), r, len(t.labels))
	case wit.KindList:
		if t.elem.w.Kind == wit.KindU8 {
			return r + ".Bytes()"
		}
	}
	if t.w.Kind.Primitive() {
		return fmt.Sprintf("%s.%s()", r, title(t.w.Kind.String()))
	}
	w.readFunc(t)
	return fmt.Sprintf("read%s(%s)", t.ident(w.pkg), from)
}

// valuesFunc writes a function to the file of values unless it is there.
func (w *stubWriter) valuesFunc(name string, body func(out *file)) {
	if w.done[name] {
		return
	}
	w.done[name] = true
	saved := w.file
	w.file = w.values
	var out file
	out.q = w.values.q
	body(&out)
	w.file = saved
	w.values.body.Write(out.body.Bytes())
}

func (w *stubWriter) writeFunc(t *typ) {
	name := "write" + t.ident(w.pkg)
	w.valuesFunc(name, func(out *file) {
		out.p("func %s(w *bind.Writer, v %s) {", name, t.goType(w.q))
		switch t.w.Kind {
		case wit.KindList:
			out.p("w.Len(len(v))\nfor _, e := range v {\n%s\n}", w.write(t.elem, "w", "e"))
		case wit.KindRecord, wit.KindTuple:
			for i, f := range t.fields {
				out.p("%s", w.write(f.typ, "w", t.fieldExpr("v", i)))
			}
		case wit.KindVariant:
			out.p("w.Case(uint32(v.Tag), %d)", len(t.cases))
			w.switchCases(out, t, func(i int) string {
				return w.write(t.cases[i].typ, "w", t.caseExpr("v", i))
			})
		case wit.KindOption:
			out.p("w.Bool(v.OK)\nif v.OK {\n%s\n}", w.write(t.elem, "w", "v.Value"))
		case wit.KindResult:
			w.writeResult(out, t)
		}
		out.p("}\n")
	})
}

func (w *stubWriter) writeResult(out *file, t *typ) {
	out.p("w.Bool(v.IsErr)")
	sides := []string{"!v.IsErr", "v.IsErr"}
	for i, field := range []string{"v.Value", "v.Err"} {
		if p := t.cases[i].typ; p != nil {
			out.p("if %s {\n%s\n}", sides[i], w.write(p, "w", field))
		}
	}
}

// switchCases writes a switch over the cases of the variant v that have a
// payload.
func (w *stubWriter) switchCases(out *file, t *typ, body func(i int) string) {
	open := false
	for i, c := range t.cases {
		if c.typ == nil {
			continue
		}
		if !open {
			out.p("switch v.Tag {")
			open = true
		}
		out.p("case %s:\n%s", w.q.name(t.def.iface.pkg, t.def.constant(i)), body(i))
	}
	if open {
		out.p("}")
	}
}

func (w *stubWriter) readFunc(t *typ) {
	name := "read" + t.ident(w.pkg)
	w.valuesFunc(name, func(out *file) {
		goType := t.goType(w.q)
		out.p("func %s(r *wire.Reader) %s {", name, goType)
		switch t.w.Kind {
		case wit.KindList:
			out.p("return bind.List(r, %d, func(r *wire.Reader) %s {\nreturn %s\n})",
				minSize(t.elem.w), t.elem.goType(w.q), w.read(t.elem, "r"))
		case wit.KindRecord, wit.KindTuple:
			w.readFields(out, t, goType)
		case wit.KindVariant:
			out.p("v := %s{Tag: %sTag(r.Discriminant(%d))}", goType, goType, len(t.cases))
			w.switchCases(out, t, func(i int) string {
				return t.setCase(w.q, "v", i, w.read(t.cases[i].typ, "r"))
			})
			out.p("return v")
		case wit.KindOption:
			out.p("if !r.Option() {\nreturn %s{}\n}", goType)
			out.p("return %s{Value: %s, OK: true}", goType, w.read(t.elem, "r"))
		case wit.KindResult:
			w.readResult(out, t, goType)
		}
		out.p("}\n")
	})
}

func (w *stubWriter) readFields(out *file, t *typ, goType string) {
	out.p("return %s{", goType)
	for i, f := range t.fields {
		if t.w.Kind == wit.KindTuple && t.uniform() {
			out.p("%s,", w.read(f.typ, "r"))
		} else {
			out.p("%s: %s,", t.fieldNames()[i], w.read(f.typ, "r"))
		}
	}
	out.p("}")
}

func (w *stubWriter) readResult(out *file, t *typ, goType string) {
	ok, failed := "", ""
	if p := t.cases[0].typ; p != nil {
		ok = "Value: " + w.read(p, "r")
	}
	if p := t.cases[1].typ; p != nil {
		failed = ", Err: " + w.read(p, "r")
	}
	out.p("if r.Result() {\nreturn %s{IsErr: true%s}\n}", goType, failed)
	out.p("return %s{%s}", goType, ok)
}

// minSize returns the fewest bytes that a value of t takes on the wire.
func minSize(t *wit.Type) int {
	switch t.Kind {
	case wit.KindF32:
		return 4
	case wit.KindF64:
		return 8
	case wit.KindFlags:
		return (len(t.Labels) + 7) / 8
	case wit.KindRecord, wit.KindTuple:
		n := 0
		for _, f := range t.Fields {
			n += minSize(f.Type)
		}
		return n
	}
	return 1
}
