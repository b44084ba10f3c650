package bindgen

import (
	"fmt"

	"github.com/lathhost/lath/wit"
)

// lift writes an expression that lifts t from the words at index at of the
// slice s of core values.
//
// A word holds an i32, i64, f32 or f64 by its bits, so that the payload of a
// case is read the same whatever core type the other cases widened it to.
func (w *glueWriter) lift(t *typ, s string, at int) string {
	word := fmt.Sprintf("%s[%d]", s, at)
	switch t.w.Kind {
	case wit.KindS64, wit.KindU64:
		return convert64(t, word)
	case wit.KindS8, wit.KindU8, wit.KindS16, wit.KindU16, wit.KindS32, wit.KindU32:
		return goPrimitives[t.w.Kind] + "(" + word + ")"
	case wit.KindF64:
		return "math.Float64frombits(" + word + ")"
	case wit.KindString:
		return fmt.Sprintf("inv.LiftString(uint32(%s), uint32(%s[%d]))", word, s, at+1)
	case wit.KindList:
		return w.liftList(t, fmt.Sprintf("uint32(%s), uint32(%s[%d])", word, s, at+1))
	case wit.KindRecord, wit.KindTuple, wit.KindVariant, wit.KindOption, wit.KindResult:
		w.liftFunc(t)
		if at > 0 {
			s = fmt.Sprintf("%s[%d:]", s, at)
		}
		return fmt.Sprintf("lift%s(inv%s, %s)", t.ident(w.pkg), ownedArg(t), s)
	}
	return w.scalar(t, "uint32("+word+")", true)
}

// load writes an expression that loads t from offset off of the memory slice m.
func (w *glueWriter) load(t *typ, m string, off uint32) string {
	from := m
	if off > 0 {
		from = fmt.Sprintf("%s[%d:]", m, off)
	}
	u32 := "binary.LittleEndian.Uint32(" + from + ")"
	switch t.w.Kind {
	case wit.KindS64, wit.KindU64:
		return convert64(t, "binary.LittleEndian.Uint64("+from+")")
	case wit.KindF64:
		return "math.Float64frombits(binary.LittleEndian.Uint64(" + from + "))"
	case wit.KindString:
		return fmt.Sprintf("inv.LiftString(%s, binary.LittleEndian.Uint32(%s[%d:]))", u32, m, off+4)
	case wit.KindList:
		return w.liftList(t, fmt.Sprintf("%s, binary.LittleEndian.Uint32(%s[%d:])", u32, m, off+4))
	case wit.KindRecord, wit.KindTuple, wit.KindVariant, wit.KindOption, wit.KindResult:
		w.loadFunc(t)
		return fmt.Sprintf("load%s(inv%s, %s)", t.ident(w.pkg), ownedArg(t), from)
	}
	switch t.w.Size {
	case 1:
		return w.scalar(t, fmt.Sprintf("%s[%d]", m, off), false)
	case 2:
		return w.scalar(t, "binary.LittleEndian.Uint16("+from+")", false)
	}
	return w.scalar(t, u32, false)
}

func convert64(t *typ, bits string) string {
	if t.w.Kind == wit.KindS64 {
		return "int64(" + bits + ")"
	}
	return bits
}

// scalar writes an expression that makes a value of at most 32 bits of its
// bits: a uint32 where wide, else as wide as the type is in memory.
func (w *glueWriter) scalar(t *typ, bits string, wide bool) string {
	switch t.w.Kind {
	case wit.KindBool:
		return bits + " != 0"
	case wit.KindF32:
		return "math.Float32frombits(" + bits + ")"
	case wit.KindChar:
		return "bind.Char(inv, " + bits + ")"
	case wit.KindEnum:
		return fmt.Sprintf("%s(%s)", t.goType(w.q), checkedCase(bits, t, wide))
	case wit.KindFlags:
		return fmt.Sprintf("%s(%s & %#x)", t.goType(w.q), bits, flagsMask(t))
	case wit.KindOwn:
		return fmt.Sprintf("bind.Own[%s](inv, owned, %s, %s)", t.goType(w.q), w.resource(t), bits)
	case wit.KindBorrow:
		return fmt.Sprintf("bind.Borrow[%s](inv, %s, %s)", t.goType(w.q), w.resource(t), bits)
	}
	if target := goPrimitives[t.w.Kind]; target != widthType(t.w.Size, wide) {
		return fmt.Sprintf("%s(%s)", target, bits)
	}
	return bits
}

func widthType(size uint32, wide bool) string {
	switch {
	case wide || size == 4:
		return "uint32"
	case size == 2:
		return "uint16"
	}
	return "uint8"
}

func checkedCase(bits string, t *typ, wide bool) string {
	if !wide && t.w.DiscSize() < 4 {
		bits = "uint32(" + bits + ")"
	}
	return fmt.Sprintf("bind.Case(inv, %s, %d)", bits, len(t.w.Cases))
}

func flagsMask(t *typ) uint32 { return uint32(1<<len(t.w.Labels) - 1) }

// resource names the identity of a handle's resource.
func (w *glueWriter) resource(t *typ) string {
	return w.q.name(t.def.iface.pkg, t.def.goName+"Resource")
}

// liftList writes an expression that lifts a list from "pointer, length". A
// list<u8> of a call from the guest is a view of its memory.
func (w *glueWriter) liftList(t *typ, where string) string {
	if t.elem.w.Kind == wit.KindU8 {
		return "inv.Bytes(" + where + ")"
	}
	name := "load" + t.ident(w.pkg)
	if w.first(name) {
		elem, v := t.elem, w.values
		body := w.onValues(func() string { return w.load(elem, "m", 0) })
		goType := w.onValues(func() string { return elem.goType(w.q) })
		v.p("func %s(inv *component.Invocation%s, ptr, n uint32) []%s {", name, ownedParam(t), goType)
		v.p("m := inv.Region(ptr, n, %d, %d)", elem.w.Size, elem.w.Align)
		v.p("v := make([]%s, n)", goType)
		v.p("for i := range v {\nv[i] = %s\nm = m[%d:]\n}", body, elem.w.Size)
		v.p("return v\n}\n")
	}
	return name + "(inv" + ownedArg(t) + ", " + where + ")"
}

// ownedArg and ownedParam hand the note of what was taken from the guest to
// functions that may take more.
func ownedArg(t *typ) string {
	if t.owns() {
		return ", owned"
	}
	return ""
}

func ownedParam(t *typ) string {
	if t.owns() {
		return ", owned *bind.Owned"
	}
	return ""
}

// first reports whether a function of that name is still to be written, and
// notes that it is.
func (w *glueWriter) first(name string) bool {
	if w.done[name] {
		return false
	}
	w.done[name] = true
	return true
}

// onValues runs f with names qualified for the file of values.
func (w *glueWriter) onValues(f func() string) string {
	saved := w.file
	w.file = w.values
	defer func() { w.file = saved }()
	return f()
}

func (w *glueWriter) liftFunc(t *typ) {
	w.valueFunc(t, "lift", "s []uint64", func(p *typ, i, from int) string {
		return w.lift(p, "s", from)
	})
}

func (w *glueWriter) loadFunc(t *typ) {
	w.valueFunc(t, "load", "m []byte", func(p *typ, i, from int) string {
		if i < 0 {
			return w.load(p, "m", t.w.Payload())
		}
		return w.load(p, "m", t.w.Offsets()[i])
	})
}

// valueFunc writes a function that makes a value of a type with parts. part
// writes the expression of one: field i, whose words start at from, or with
// i < 0 the payload of a case.
func (w *glueWriter) valueFunc(t *typ, verb, source string, part func(p *typ, i, from int) string) {
	name := verb + t.ident(w.pkg)
	if !w.first(name) {
		return
	}
	var out file
	out.q = w.values.q
	w.onValues(func() string {
		goType := t.goType(w.q)
		out.p("func %s(inv *component.Invocation%s, %s) %s {", name, ownedParam(t), source, goType)
		disc := checkedCase("uint32(s[0])", t, true)
		if verb == "load" {
			disc = checkedCase(w.discBits(t), t, false)
		}
		switch t.w.Kind {
		case wit.KindRecord, wit.KindTuple:
			w.fieldsBody(&out, t, goType, part)
		case wit.KindVariant:
			w.variantBody(&out, t, goType, disc, part)
		case wit.KindOption:
			out.p("if %s == 0 {\nreturn %s{}\n}", disc, goType)
			out.p("return %s{Value: %s, OK: true}", goType, part(t.elem, -1, 1))
		case wit.KindResult:
			w.resultBody(&out, t, goType, disc, part)
		}
		out.p("}\n")
		return ""
	})
	w.values.body.Write(out.body.Bytes())
}

func (w *glueWriter) discBits(t *typ) string {
	switch t.w.DiscSize() {
	case 1:
		return "m[0]"
	case 2:
		return "binary.LittleEndian.Uint16(m)"
	}
	return "binary.LittleEndian.Uint32(m)"
}

func (w *glueWriter) fieldsBody(out *file, t *typ, goType string, part func(p *typ, i, from int) string) {
	out.p("return %s{", goType)
	at := 0
	for i, f := range t.fields {
		value := part(f.typ, i, at)
		at += len(f.typ.w.Flat)
		if t.w.Kind == wit.KindTuple && t.uniform() {
			out.p("%s,", value)
		} else {
			out.p("%s: %s,", t.fieldNames()[i], value)
		}
	}
	out.p("}")
}

func (w *glueWriter) variantBody(out *file, t *typ, goType, disc string, part func(p *typ, i, from int) string) {
	out.p("v := %s{Tag: %sTag(%s)}", goType, goType, disc)
	payloads := false
	for _, c := range t.cases {
		payloads = payloads || c.typ != nil
	}
	if payloads {
		out.p("switch v.Tag {")
		for i, c := range t.cases {
			if c.typ != nil {
				out.p("case %s:\n%s", w.q.name(t.def.iface.pkg, t.def.constant(i)), t.setCase(w.q, "v", i, part(c.typ, -1, 1)))
			}
		}
		out.p("}")
	}
	out.p("return v")
}

func (w *glueWriter) resultBody(out *file, t *typ, goType, disc string, part func(p *typ, i, from int) string) {
	ok, failed := "", ""
	if p := t.cases[0].typ; p != nil {
		ok = "Value: " + part(p, -1, 1)
	}
	if p := t.cases[1].typ; p != nil {
		failed = ", Err: " + part(p, -1, 1)
	}
	out.p("if %s == 0 {\nreturn %s{%s}\n}", disc, goType, ok)
	out.p("return %s{IsErr: true%s}", goType, failed)
}
