package bindgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lathhost/lath/wit"
)

// callers checks the interfaces to write callers of, by name, and returns them.
func (p *Package) callers(names []string) (list []*iface, err error) {
	for _, name := range names {
		at := slices.IndexFunc(p.ifaces, func(i *iface) bool { return i.name == name })
		if at < 0 {
			return nil, fmt.Errorf("no interface %s to write a caller of", name)
		}
		if err := p.ifaces[at].callable(); err != nil {
			return nil, err
		}
		list = append(list, p.ifaces[at])
	}
	return list, nil
}

// callable checks that the host's Go code can call the interface: of resources,
// only the host's own can be handed over, each as a parameter.
func (i *iface) callable() error {
	for _, d := range i.defs {
		if d.resource != nil {
			return fmt.Errorf("%s has the resource %s, which would be the guest's", i.full(), d.name)
		}
	}
	for _, fn := range i.funcs {
		refused := fn.result != nil && fn.result.w.Props.Has(wit.HasHandle)
		for _, p := range fn.params {
			refused = refused || p.typ.w.Kind != wit.KindOwn && p.typ.w.Props.Has(wit.HasHandle)
		}
		if refused {
			return fmt.Errorf("%s: function %s passes a resource otherwise than as an own parameter", i.full(), fn.name)
		}
	}
	return nil
}

// caller writes the caller of an interface that a guest exports.
func (w *glueWriter) caller(i *iface) {
	name := exported(i.name)
	w.comment(fmt.Sprintf("%sExports are the functions of %s that a component exports: see [%sCaller].", name, i.full(), name))
	w.p("type %sExports []*component.Export\n", name)
	w.comment(fmt.Sprintf("New%sExports finds them. It fails where there are not all of them, with these types.", name))
	w.p("func New%sExports(t *component.Template) (%sExports, error) {", name, name)
	w.p("return t.ExportsOf(contract.%sInterface)\n}\n", name)
	w.comment(fmt.Sprintf("On returns what calls %s on an instance of the component.", i.full()))
	w.p("func (x %sExports) On(inst *component.Instance) %sCaller { return %sCaller{inst, x} }\n", name, name, name)
	w.comment(fmt.Sprintf("%sCaller calls %s on one instance, which takes one call at a time. A trap ends the "+
		"instance, as [component.Instance.Call] tells; [component.Instance.Hold] makes many calls cheap.", name, i.full()))
	w.p("type %sCaller struct {\ninst *component.Instance\nexports %sExports\n}\n", name, name)
	w.p("var _ contract.%s = %sCaller{}\n", i.goName, name)
	for k, fn := range i.funcs {
		w.outcall(name+"Caller", k, fn)
	}
}

// plain reports whether a value is one core word of which every bit pattern is
// fine.
func (t *typ) plain() bool {
	return t == nil || t.w.Kind <= wit.KindF64 || t.w.Kind == wit.KindFlags
}

// outcall writes one method of a caller.
func (w *glueWriter) outcall(receiver string, k int, fn *fn) {
	moves, owns := !fn.result.plain(), ""
	for _, p := range fn.params {
		moves = moves || !p.typ.plain()
		if p.typ.owns() {
			owns += paramName(p.name) + ".Drop()\n"
		}
	}
	zero, results := "", "(err error)"
	if ok := fn.ok(); ok != nil {
		zero, results = "v, ", fmt.Sprintf("(v %s, err error)", ok.goType(w.q))
	}
	params := []string{"ctx context.Context"}
	for _, p := range fn.params {
		params = append(params, paramName(p.name)+" "+p.typ.goType(w.q))
	}
	w.comment(fmt.Sprintf("%s calls %s.", fn.goName, fn.name))
	w.p("func (c %s) %s(%s) %s {", receiver, fn.goName, strings.Join(params, ", "), results)
	w.p("call, err := c.inst.Outcall(ctx, c.exports[%d])", k)
	w.p("if err != nil {\n%sreturn %serr\n}", owns, zero)
	if moves {
		w.p("inv := call.Values()\ndefer call.Recover(&err)")
	}
	w.lowerParams(fn)
	w.p("if err := call.Do(); err != nil {\nreturn %serr\n}", zero)
	w.liftResult(fn, zero)
	w.p("return %scall.End()\n}\n", zero)
}

// lowerParams writes the lowering of the parameters.
func (w *glueWriter) lowerParams(fn *fn) {
	types, flat := make([]*wit.Type, len(fn.params)), 0
	for i, p := range fn.params {
		types[i] = p.typ.w
		flat += len(p.typ.w.Flat)
		w.owe(w.file, p.typ, paramName(p.name))
	}
	if flat <= wit.MaxFlatParams {
		at := 0
		for _, p := range fn.params {
			w.flat(w.file, p.typ, "call.Stack", at, paramName(p.name))
			at += len(p.typ.w.Flat)
		}
		return
	}
	all, _ := wit.NewTuple(types...) // it exists: the function type has it
	w.p("at := inv.Realloc(%d, %d)", all.Align, all.Size)
	b := &storeBody{w: w, out: w.file, at: "at"}
	for i, off := range all.Offsets() {
		b.store(fn.params[i].typ, off, paramName(fn.params[i].name))
	}
	w.p("call.Stack[0] = uint64(at)")
}

// liftResult writes the lifting of the result to v.
func (w *glueWriter) liftResult(fn *fn, zero string) {
	switch t := fn.result; {
	case t == nil:
	case !fn.fallible() && len(t.w.Flat) <= wit.MaxFlatResults:
		stack := "call.Stack"
		if t.compound() {
			stack += "[:]"
		}
		w.p("v = %s", w.lift(t, stack, 0))
	case len(t.w.Flat) <= wit.MaxFlatResults: // a result without payloads
		w.p("if bind.Case(inv, uint32(call.Stack[0]), 2) == 1 {\n%s\n}", w.failed(fn, zero))
	default:
		w.p("r := inv.Region(uint32(call.Stack[0]), 1, %d, %d)", t.w.Size, t.w.Align)
		if !fn.fallible() {
			w.p("v = %s", w.load(t, "r", 0))
			return
		}
		w.p("if bind.Case(inv, uint32(r[0]), 2) == 1 {\n%s\n}", w.failed(fn, zero))
		if ok := fn.ok(); ok != nil {
			w.p("v = %s", w.load(ok, "r", t.w.Payload()))
		}
	}
}

// failed writes statements that return the error value that is in memory.
func (w *glueWriter) failed(fn *fn, zero string) string {
	value := ""
	switch e := fn.err(); shapeOfError(e) {
	case errAny:
		value = fmt.Sprintf("errors.New(%q)", fn.name+" failed")
	case errText:
		value = "errors.New(" + w.load(e, "r", fn.result.w.Payload()) + ")"
	case errOther:
		value = fmt.Sprintf("%s{Value: %s}", w.q.name(fn.iface.pkg, fn.errorWrapper()), w.load(e, "r", fn.result.w.Payload()))
	default:
		value = w.load(e, "r", fn.result.w.Payload())
	}
	return fmt.Sprintf("e := %s\nif err := call.End(); err != nil {\nreturn %serr\n}\nreturn %se", value, zero, zero)
}

// flat writes statements that lower t, given as the Go expression v, to the words
// from index at of s. A word holds any core value by its bits: see lift.
func (w *glueWriter) flat(out *file, t *typ, s string, at int, v string) {
	switch t.w.Kind {
	case wit.KindString:
		out.p("%s[%d], %s[%d] = bind.FlatString(inv, %s)", s, at, s, at+1, v)
	case wit.KindList:
		if t.elem.w.Kind == wit.KindU8 {
			out.p("%s[%d], %s[%d] = bind.FlatBytes(inv, %s)", s, at, s, at+1, v)
			return
		}
		w.allocListFunc(t)
		out.p("%s[%d], %s[%d] = uint64(alloc%s(inv, %s)), uint64(len(%s))", s, at, s, at+1, t.ident(w.pkg), v, v)
	case wit.KindRecord, wit.KindTuple, wit.KindVariant, wit.KindOption, wit.KindResult:
		w.flatFunc(t)
		out.p("flat%s(inv, %s[%d:], %s)", t.ident(w.pkg), s, at, v)
	default:
		out.p("%s[%d] = %s", s, at, w.word(t, v))
	}
}

func (w *glueWriter) flatFunc(t *typ) {
	name := "flat" + t.ident(w.pkg)
	if !w.first(name) {
		return
	}
	var out file
	out.q = w.values.q
	w.onValues(func() string {
		out.p("func %s(inv *component.Invocation, s []uint64, v %s) {", name, t.goType(w.q))
		w.flatBody(&out, t)
		out.p("}\n")
		return ""
	})
	w.values.body.Write(out.body.Bytes())
}

func (w *glueWriter) flatBody(out *file, t *typ) {
	payload := func(p *typ, v string) {
		if p != nil {
			w.flat(out, p, "s", 1, v)
		}
	}
	if t.w.Kind != wit.KindRecord && t.w.Kind != wit.KindTuple {
		out.p("clear(s[:%d]) // words that a case does not use are 0", len(t.w.Flat))
	}
	switch t.w.Kind {
	case wit.KindRecord, wit.KindTuple:
		at := 0
		for i, f := range t.fields {
			w.flat(out, f.typ, "s", at, t.fieldExpr("v", i))
			at += len(f.typ.w.Flat)
		}
	case wit.KindOption:
		out.p("if v.OK {\ns[0] = 1")
		payload(t.elem, "v.Value")
		out.p("}")
	case wit.KindResult:
		out.p("if v.IsErr {\ns[0] = 1")
		payload(t.cases[1].typ, "v.Err")
		out.p("return\n}")
		payload(t.cases[0].typ, "v.Value")
	case wit.KindVariant:
		out.p("s[0] = uint64(%s)", index(t, "v.Tag"))
		if !slices.ContainsFunc(t.cases, func(c part) bool { return c.typ != nil }) {
			return
		}
		out.p("switch v.Tag {")
		for i, c := range t.cases {
			if c.typ != nil {
				out.p("case %s:", w.q.name(t.def.iface.pkg, t.def.constant(i)))
				payload(c.typ, t.caseExpr("v", i))
			}
		}
		out.p("}")
	}
}
