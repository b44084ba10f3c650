package bindgen

import (
	"fmt"

	"github.com/lathhost/lath/wit"
)

// word writes an expression that makes the one core word of t, whose flat form
// has one entry, from the Go expression v.
func (w *glueWriter) word(t *typ, v string) string {
	switch t.w.Kind {
	case wit.KindBool:
		return "uint64(bind.Bit(" + v + "))"
	case wit.KindS8, wit.KindS16, wit.KindS32:
		return "uint64(uint32(" + v + "))"
	case wit.KindU64:
		return v
	case wit.KindF32:
		return "uint64(math.Float32bits(" + v + "))"
	case wit.KindF64:
		return "math.Float64bits(" + v + ")"
	case wit.KindChar:
		return "uint64(bind.Scalar(inv, " + v + "))"
	case wit.KindEnum:
		return "uint64(" + index(t, v) + ")"
	case wit.KindVariant:
		return "uint64(" + index(t, v+".Tag") + ")"
	case wit.KindFlags:
		return fmt.Sprintf("uint64(%s & %#x)", v, flagsMask(t))
	case wit.KindOwn:
		return "uint64(bind.Lower(inv, " + w.resource(t) + ", " + v + "))"
	case wit.KindRecord, wit.KindTuple:
		return w.word(t.fields[0].typ, v+"."+t.fieldNames()[0])
	}
	return "uint64(" + v + ")"
}

func index(t *typ, v string) string {
	return fmt.Sprintf("bind.Index(inv, uint32(%s), %d)", v, len(t.w.Cases))
}

// storeBody writes statements that store values at offsets from the checked
// place at. It keeps track of whether the variable m is the guest's memory as
// it is now.
type storeBody struct {
	w        *glueWriter
	out      *file
	at       string
	declared bool // m is declared in this block
	fresh    bool // m is not stale
}

// place writes the address at offset off.
func (b *storeBody) place(off uint32) string {
	if off == 0 {
		return b.at
	}
	return fmt.Sprintf("%s+%d", b.at, off)
}

// memory makes m the guest's memory.
func (b *storeBody) memory() {
	switch {
	case !b.declared:
		b.out.p("m := inv.Memory()")
	case !b.fresh:
		b.out.p("m = inv.Memory()")
	}
	b.declared, b.fresh = true, true
}

// store writes the storing of t, given as the Go expression v, at offset off.
func (b *storeBody) store(t *typ, off uint32, v string) {
	switch t.w.Kind {
	case wit.KindString:
		b.stale("bind.PutString(inv, %s, %s)", b.place(off), v)
	case wit.KindOwn:
		b.stale("bind.PutOwn(inv, %s, %s, %s)", b.place(off), b.w.resource(t), v)
	case wit.KindList:
		if t.elem.w.Kind == wit.KindU8 {
			b.stale("bind.PutBytes(inv, %s, %s)", b.place(off), v)
			return
		}
		b.w.allocListFunc(t)
		b.stale("bind.PutList(inv, %s, alloc%s(inv, %s), len(%s))", b.place(off), t.ident(b.w.pkg), v, v)
	case wit.KindRecord, wit.KindTuple, wit.KindVariant, wit.KindOption, wit.KindResult:
		b.w.storeFunc(t)
		if t.w.Props.Has(wit.HasPointer | wit.HasHandle) {
			b.stale("store%s(inv, %s, %s)", t.ident(b.w.pkg), b.place(off), v)
		} else {
			b.out.p("store%s(inv, %s, %s)", t.ident(b.w.pkg), b.place(off), v)
		}
	default:
		b.scalar(t, off, v)
	}
}

// stale writes a statement after which memory may have moved.
func (b *storeBody) stale(format string, args ...any) {
	b.out.p(format, args...)
	b.fresh = false
}

func (b *storeBody) scalar(t *typ, off uint32, v string) {
	b.memory()
	at := b.place(off)
	switch t.w.Kind {
	case wit.KindBool:
		v = "bind.Bit(" + v + ")"
	case wit.KindF32:
		v = "math.Float32bits(" + v + ")"
	case wit.KindF64:
		v = "math.Float64bits(" + v + ")"
	case wit.KindChar:
		v = "bind.Scalar(inv, " + v + ")"
	case wit.KindEnum:
		v = fmt.Sprintf("uint%d(%s)", t.w.Size*8, index(t, v))
	case wit.KindFlags:
		v = fmt.Sprintf("uint%d(%s & %#x)", t.w.Size*8, v, flagsMask(t))
	case wit.KindS8, wit.KindS16, wit.KindS32, wit.KindS64:
		v = fmt.Sprintf("uint%d(%s)", t.w.Size*8, v)
	}
	if t.w.Size == 1 {
		b.out.p("m[%s] = %s", at, v)
	} else {
		b.out.p("binary.LittleEndian.PutUint%d(m[%s:], %s)", t.w.Size*8, at, v)
	}
}

func (b *storeBody) disc(t *typ, v string) {
	b.memory()
	switch {
	case len(v) == 1: // a constant
		b.out.p("m[%s] = %s", b.at, v)
	case t.w.DiscSize() == 1:
		b.out.p("m[%s] = byte(%s)", b.at, v)
	default:
		b.out.p("binary.LittleEndian.PutUint%d(m[%s:], uint%d(%s))", t.w.DiscSize()*8, b.at, t.w.DiscSize()*8, v)
	}
}

// inner starts a block inside this one, in which m is as it is here.
func (b *storeBody) inner() *storeBody {
	c := *b
	return &c
}

// allocListFunc writes the function that stores the elements of a list.
func (w *glueWriter) allocListFunc(t *typ) {
	name := "alloc" + t.ident(w.pkg)
	if !w.first(name) {
		return
	}
	elem := t.elem.w
	var out file
	out.q = w.values.q
	w.onValues(func() string {
		out.p("func %s(inv *component.Invocation, v %s) (ptr uint32) {", name, t.goType(w.q))
		out.p("ptr = bind.Alloc(inv, len(v), %d, %d)", elem.Size, elem.Align)
		b := &storeBody{w: w, out: &out, at: "to"}
		if !elem.Props.Has(wit.HasPointer|wit.HasHandle) && !t.elem.compound() {
			b.memory()
		}
		out.p("for i, e := range v {\nto := ptr + uint32(i)*%d", elem.Size)
		b.inner().store(t.elem, 0, "e")
		out.p("}\nreturn ptr\n}\n")
		return ""
	})
	w.values.body.Write(out.body.Bytes())
}

func (t *typ) compound() bool {
	switch t.w.Kind {
	case wit.KindRecord, wit.KindTuple, wit.KindVariant, wit.KindOption, wit.KindResult, wit.KindList:
		return true
	}
	return false
}

func (w *glueWriter) storeFuncBody(name string, t *typ, body func(out *file)) {
	var out file
	out.q = w.values.q
	w.onValues(func() string {
		out.p("func %s(inv *component.Invocation, at uint32, v %s) {", name, t.goType(w.q))
		body(&out)
		out.p("}\n")
		return ""
	})
	w.values.body.Write(out.body.Bytes())
}

func (w *glueWriter) storeFunc(t *typ) {
	name := "store" + t.ident(w.pkg)
	if !w.first(name) {
		return
	}
	w.storeFuncBody(name, t, func(out *file) {
		b := &storeBody{w: w, out: out, at: "at"}
		switch t.w.Kind {
		case wit.KindRecord, wit.KindTuple:
			for i, off := range t.w.Offsets() {
				b.store(t.fields[i].typ, off, t.fieldExpr("v", i))
			}
		case wit.KindVariant:
			b.variant(t)
		case wit.KindOption:
			out.p("if !v.OK {")
			b.inner().disc(t, "0")
			out.p("return\n}")
			b.disc(t, "1")
			b.store(t.elem, t.w.Payload(), "v.Value")
		case wit.KindResult:
			b.result(t)
		}
	})
}

// fieldExpr writes the Go expression of field i of the record or tuple v.
func (t *typ) fieldExpr(v string, i int) string {
	if t.w.Kind == wit.KindTuple && t.uniform() {
		return fmt.Sprintf("%s[%d]", v, i)
	}
	return v + "." + t.fieldNames()[i]
}

func (b *storeBody) variant(t *typ) {
	b.disc(t, index(t, "v.Tag"))
	payloads := false
	for _, c := range t.cases {
		payloads = payloads || c.typ != nil
	}
	if !payloads {
		return
	}
	b.out.p("switch v.Tag {")
	for i, c := range t.cases {
		if c.typ != nil {
			b.out.p("case %s:", b.w.q.name(t.def.iface.pkg, t.def.constant(i)))
			b.inner().store(c.typ, t.w.Payload(), t.caseExpr("v", i))
		}
	}
	b.out.p("}")
}

func (b *storeBody) result(t *typ) {
	b.out.p("if v.IsErr {")
	failed := b.inner()
	failed.disc(t, "1")
	if p := t.cases[1].typ; p != nil {
		failed.store(p, t.w.Payload(), "v.Err")
	}
	b.out.p("return\n}")
	b.disc(t, "0")
	if p := t.cases[0].typ; p != nil {
		b.store(p, t.w.Payload(), "v.Value")
	}
}
