package bindgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lathhost/lath/wit"
)

// glue writes the guest glue of a package: one file per interface with a
// function for each of its functions, and one with what they share. Of some
// interfaces there are callers, too.
func (p *Package) glue(from string, callers []*iface) []*file {
	dir := "host/bind/" + p.Dir() + "/"
	q := qualifier{own: p, self: "contract."}
	doc := newFile(dir+"doc.gen.go", from, p.goName(), q)
	doc.doc = fmt.Sprintf("Package %s lets guests call the contract %s. Each function makes, "+
		"from an implementation of one of its interfaces, what the runtime links a guest with.",
		p.goName(), p.full())
	values := newFile(dir+"values.gen.go", from, p.goName(), q)
	w := &glueWriter{pkg: p, values: values, done: map[string]bool{}}
	files := []*file{doc}
	for _, i := range p.ifaces {
		w.file = newFile(dir+i.file(), from, p.goName(), q)
		w.iface(i)
		files = append(files, w.file)
		if slices.Contains(callers, i) {
			w.file = newFile(dir+strings.TrimSuffix(i.file(), ".gen.go")+"_caller.gen.go", from, p.goName(), q)
			w.caller(i)
			files = append(files, w.file)
		}
	}
	if values.body.Len() > 0 {
		files = append(files, values)
	}
	return files
}

// glueWriter writes the glue of one package. Functions for types go to values,
// each once, when something needs them first.
type glueWriter struct {
	*file
	pkg    *Package
	values *file
	done   map[string]bool
}

func (w *glueWriter) iface(i *iface) {
	name, model := exported(i.name), "contract."+exported(i.name)+"Interface"
	param := ""
	docs := "%s is %s, carried out by the resources that other interfaces give out."
	if len(i.free()) > 0 {
		param = "impl contract." + i.goName
		docs = "%s is %s, carried out by impl, which must be safe for concurrent use."
	}
	w.comment(fmt.Sprintf(docs, name, i.full()))
	w.p("func %s(%s) component.HostInterface {", name, param)
	if len(i.funcs) > 0 {
		w.p("f := %s.Funcs", model)
	}
	w.p("return component.HostInterface{")
	w.p("Name: %s.Name,", model)
	var resources []string
	for _, d := range i.defs {
		if d.resource != nil {
			resources = append(resources, "contract."+d.goName+"Resource")
		}
	}
	if len(resources) > 0 {
		w.p("Resources: []*wit.Resource{%s},", strings.Join(resources, ", "))
	}
	if len(i.funcs) > 0 {
		w.p("Funcs: []component.HostFunc{")
		for k, fn := range i.funcs {
			if fn.kind == method {
				w.p("{Type: f[%d], Call: %s},", k, fn.glueName())
			} else {
				w.p("{Type: f[%d], Call: func(inv *component.Invocation, stack []uint64) { %s(impl, inv, stack) }},", k, fn.glueName())
			}
		}
		w.p("},")
	}
	w.p("}\n}\n")
	for _, fn := range i.funcs {
		w.call(fn)
	}
}

// glueName is the name of the function that carries a call over.
func (fn *fn) glueName() string {
	if fn.kind == method {
		return unexported(fn.resource.name) + fn.resourceSuffix() + fn.goName
	}
	return unexported(fn.iface.name) + "Call" + fn.goName
}

// resourceSuffix keeps methods of two resources that have one name apart.
func (fn *fn) resourceSuffix() string {
	if fn.resource.goName != exported(fn.resource.name) {
		return "Of" + exported(fn.resource.iface.name)
	}
	return ""
}

// call writes the glue of one function.
func (w *glueWriter) call(fn *fn) {
	if fn.kind == method {
		w.p("func %s(inv *component.Invocation, stack []uint64) {", fn.glueName())
	} else {
		w.p("func %s(impl contract.%s, inv *component.Invocation, stack []uint64) {", fn.glueName(), fn.iface.goName)
	}
	owns := slices.ContainsFunc(fn.params, func(p part) bool { return p.typ.owns() })
	if owns {
		w.p("owned := new(bind.Owned)\ndefer owned.Close()")
	}
	next := w.params(fn)
	if r := fn.result; r != nil && len(r.w.Flat) > wit.MaxFlatResults {
		w.p("at := bind.Place(inv, stack[%d], %d, %d)", next, r.w.Size, r.w.Align)
	}
	if owns {
		w.p("owned.Passed()")
	}
	receiver := "impl"
	if fn.kind == method {
		receiver = "self"
	}
	args := []string{"inv.Context()"}
	for _, p := range fn.args() {
		args = append(args, paramName(p.name))
	}
	results := "err"
	if fn.ok() != nil {
		results = "v, err"
	}
	w.p("%s := %s.%s(%s)", results, receiver, fn.goName, strings.Join(args, ", "))
	w.result(fn)
	w.p("}\n")
}

// params writes the lifting of the parameters and returns the index of the
// stack word after them.
func (w *glueWriter) params(fn *fn) (next int) {
	types := make([]*wit.Type, len(fn.params))
	for i, p := range fn.params {
		types[i] = p.typ.w
		next += len(p.typ.w.Flat)
	}
	name := func(i int) string {
		if fn.kind == method && i == 0 {
			return "self"
		}
		return paramName(fn.params[i].name)
	}
	if next <= wit.MaxFlatParams {
		at := 0
		for i, p := range fn.params {
			w.p("%s := %s", name(i), w.lift(p.typ, "stack", at))
			at += len(p.typ.w.Flat)
		}
		return next
	}
	// The tuple of the parameters exists: the function type has it.
	all, _ := wit.NewTuple(types...)
	w.p("m := inv.Region(uint32(stack[0]), 1, %d, %d)", all.Size, all.Align)
	for i, off := range all.Offsets() {
		w.p("%s := %s", name(i), w.load(fn.params[i].typ, "m", off))
	}
	return 1
}

// result writes what follows the call of the contract.
func (w *glueWriter) result(fn *fn) {
	if !fn.fallible() {
		w.p("if err != nil {\ninv.Trap(err)\n}")
		switch {
		case fn.result == nil:
		case len(fn.result.w.Flat) <= wit.MaxFlatResults:
			w.p("stack[0] = %s", w.word(fn.result, "v"))
		default:
			w.store(w.file, fn.result, "at", 0, "v")
		}
		return
	}
	if len(fn.result.w.Flat) <= wit.MaxFlatResults { // result without payloads
		w.p("stack[0] = uint64(bind.Bit(err != nil))")
		return
	}
	w.p("if err != nil {\n%s\nreturn\n}", w.failure(fn))
	w.p("inv.Memory()[at] = 0")
	if ok := fn.ok(); ok != nil {
		w.store(w.file, ok, "at", fn.result.w.Payload(), "v")
	}
}

// store writes the storing of a whole result of type t, or of an error, given
// as the Go expression v.
func (w *glueWriter) store(out *file, t *typ, at string, off uint32, v string) {
	if t.owed() {
		w.owe(out, t, v)
	}
	b := &storeBody{w: w, out: out, at: at}
	b.store(t, off, v)
}

// failure writes a statement that stores the error err of fn, and the function
// that it calls.
func (w *glueWriter) failure(fn *fn) string {
	e := fn.err()
	name := "fail"
	switch shapeOfError(e) {
	case errNamed:
		name += e.ident(w.pkg)
	case errText:
		name += "Text"
	case errOther:
		name += fn.errorWrapper()
	case errAny:
		name += "Any"
	}
	w.failureFunc(name, fn)
	return fmt.Sprintf("%s(inv, at, at+%d, err)", name, fn.result.w.Payload())
}

func (w *glueWriter) failureFunc(name string, fn *fn) {
	if !w.first(name) {
		return
	}
	e := fn.err()
	var out file
	out.q = w.values.q
	w.onValues(func() string {
		out.p("func %s(inv *component.Invocation, at, payload uint32, err error) {", name)
		value := "err.Error()"
		switch shapeOfError(e) {
		case errNamed:
			value = "e"
		case errOther:
			value = "e.Value"
		}
		if value != "err.Error()" && e != nil {
			out.p("e, ok := %s(err)", fn.errorFrom(w.q))
			out.p("if !ok {\ninv.Trap(err)\n}")
		}
		out.p("inv.Memory()[at] = 1")
		if e != nil {
			w.store(&out, e, "payload", 0, value)
		}
		out.p("}\n")
		return ""
	})
	w.values.body.Write(out.body.Bytes())
}
