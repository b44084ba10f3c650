package bindgen

import (
	"fmt"
	"strings"

	"github.com/lathhost/lath/wit"
)

// conventions is the end of every contract's package comment.
const conventions = `The types and interfaces here are the Go form of the WIT package. Every function takes a context,
which carries the call's deadline, and returns an error.

A function whose WIT result is a result<T, E> returns T and an error that is, or wraps, the Go form of E;
<E>From says what becomes of other errors. An error of any other function stops the guest that called it.

A []byte argument, alone or inside another value, is valid until the function returns: copy what is to be kept or returned. A
[]byte result is copied before the guest goes on and is never written to.

A resource is a Go interface. Its Drop is called once, by its owner: an own<T> argument makes the function the
owner, a borrow<T> argument is valid until the function returns.`

// contract writes the contract of a package.
func (p *Package) contract(from string) []*file {
	q := qualifier{own: p}
	doc := newFile("wit/"+p.Dir()+"/doc.gen.go", from, p.goName(), q)
	doc.doc = noun("Package "+p.goName(), "The contract "+p.full()+". "+p.docs, "") + "\n\n" + conventions
	files := []*file{doc, p.model(from)}
	p.declared = map[string]string{}
	for _, i := range p.ifaces {
		f := newFile("wit/"+p.Dir()+"/"+i.file(), from, p.goName(), q)
		f.contractInterface(i)
		files = append(files, f)
	}
	return files
}

func (f *file) contractInterface(i *iface) {
	if len(i.free()) > 0 {
		f.comment(noun(i.goName, "The interface "+i.full()+". "+i.docs, ""))
		f.p("type %s interface {", i.goName)
		for _, fn := range i.free() {
			f.signature(fn)
		}
		f.p("}\n")
	}
	for _, d := range i.defs {
		f.definition(d)
	}
	for _, fn := range i.funcs {
		if shapeOfError(fn.err()) == errOther {
			f.errorWrapper(fn)
		}
	}
	for _, fn := range i.funcs {
		for _, p := range fn.params {
			f.tuples(p.typ, i.pkg)
		}
		f.tuples(fn.result, i.pkg)
	}
	for _, d := range i.defs {
		f.tuples(d.typ, i.pkg)
	}
}

// signature writes a function as a method of a Go interface.
func (f *file) signature(fn *fn) {
	docs := verb(fn.goName, fn.docs, "is the function "+fn.name+".")
	switch e := fn.err(); shapeOfError(e) {
	case errNamed:
		docs += fmt.Sprintf("\n\nIt fails with [%s].", e.goType(f.q))
	case errOther:
		docs += fmt.Sprintf("\n\nIt fails with [%s].", fn.errorWrapper())
	}
	f.comment(docs)
	f.p("%s%s", fn.goName, fn.goSignature(f.q))
}

// goSignature writes parameters and results, without self.
func (fn *fn) goSignature(q qualifier) string {
	params := []string{"ctx context.Context"}
	name := paramName
	if q.self == "" {
		name = contractParam
	}
	for _, p := range fn.args() {
		params = append(params, name(p.name)+" "+p.typ.goType(q))
	}
	result := "error"
	if ok := fn.ok(); ok != nil {
		result = "(" + ok.goType(q) + ", error)"
	}
	return "(" + strings.Join(params, ", ") + ") " + result
}

// args returns the parameters without self.
func (fn *fn) args() []part {
	if fn.kind == method {
		return fn.params[1:]
	}
	return fn.params
}

func (f *file) definition(d *def) {
	switch {
	case d.resource != nil:
		f.resource(d)
	case d.same != nil:
		f.comment(noun(d.goName, d.docs, "The resource "+d.name+"."))
		f.p("type %s = %s\n", d.goName, f.q.name(d.same.iface.pkg, d.same.goName))
	case d.alias():
		if d.typ.w.Kind == wit.KindTuple && !d.typ.uniform() {
			return // written with the tuples
		}
		f.comment(noun(d.goName, d.docs, "The type "+d.name+"."))
		bare := *d.typ
		bare.def = nil
		if d.typ.def != d { // another name for an alias
			bare.def = d.typ.def
		}
		f.p("type %s = %s\n", d.goName, bare.goType(f.q))
	case d.typ.def != d: // another name for a declared type
		f.comment(noun(d.goName, d.docs, "The type "+d.name+"."))
		f.p("type %s = %s\n", d.goName, d.typ.goType(f.q))
	default:
		switch d.typ.w.Kind {
		case wit.KindRecord:
			f.record(d)
		case wit.KindVariant:
			f.variant(d)
		case wit.KindEnum:
			f.enum(d)
		case wit.KindFlags:
			f.flags(d)
		}
		if d.isError {
			f.errorType(d)
		}
	}
}

func (f *file) resource(d *def) {
	f.comment(noun(d.goName, d.docs, "The resource "+d.name+"."))
	f.p("type %s interface {", d.goName)
	for _, fn := range d.iface.funcs {
		if fn.kind == method && fn.resource == d {
			f.signature(fn)
		}
	}
	f.comment("Drop gives the resource up. Nothing may be called after it.")
	f.p("Drop()")
	f.p("}\n")
}

func (f *file) record(d *def) {
	f.comment(noun(d.goName, d.docs, "The record "+d.name+"."))
	f.p("type %s struct {", d.goName)
	for i, name := range d.typ.fieldNames() {
		f.partDocs(d.typ.fields[i])
		f.p("%s %s", name, d.typ.fields[i].typ.goType(f.q))
	}
	f.p("}\n")
}

func (f *file) partDocs(p part) {
	if p.docs != "" {
		f.comment(p.docs)
	}
}

func (f *file) variant(d *def) {
	if d.typ.boxed() {
		f.boxedVariant(d)
		return
	}
	names := d.typ.fieldNames()
	f.comment(noun(d.goName, d.docs, "The variant "+d.name+".") + "\n\nTag says which other field counts, if any.")
	f.p("type %s struct {", d.goName)
	f.p("Tag %sTag", d.goName)
	for i, c := range d.typ.cases {
		if c.typ != nil {
			f.comment(fmt.Sprintf("Of [%s].", d.constant(i)))
			f.p("%s %s", names[i], c.typ.goType(f.q))
		}
	}
	f.p("}\n")
	f.comment(fmt.Sprintf("%sTag is the case of [%s].", d.goName, d.goName))
	f.p("type %sTag uint%d\n", d.goName, d.typ.w.DiscSize()*8)
	f.labels(d, d.goName+"Tag", d.typ.cases)
}

func (f *file) enum(d *def) {
	f.comment(noun(d.goName, d.docs, "The enum "+d.name+"."))
	f.p("type %s uint%d\n", d.goName, d.typ.w.DiscSize()*8)
	f.labels(d, d.goName, d.typ.labels)
}

// boxedVariant writes a variant whose payload is in an interface. Only its own
// functions put one there, so that it has the type of its case.
func (f *file) boxedVariant(d *def) {
	f.comment(noun(d.goName, d.docs, "The variant "+d.name+".") + "\n\nTag is the case. The method of that name returns what it has, and New" +
		d.goName + " with that name makes it. A method of another case returns nothing that counts.")
	f.p("type %s struct {\nTag %sTag\npayload any\n}\n", d.goName, d.goName)
	f.comment(fmt.Sprintf("%sTag is the case of [%s].", d.goName, d.goName))
	f.p("type %sTag uint%d\n", d.goName, d.typ.w.DiscSize()*8)
	f.labels(d, d.goName+"Tag", d.typ.cases)
	for i, c := range d.typ.cases {
		if c.typ == nil {
			continue
		}
		method, goType := d.typ.fieldNames()[i], c.typ.goType(f.q)
		f.comment(fmt.Sprintf("%s makes the case [%s].", d.maker(i), d.constant(i)))
		f.p("func %s(payload %s) %s { return %s{%s, payload} }\n", d.maker(i), goType, d.goName, d.goName, d.constant(i))
		f.comment(fmt.Sprintf("%s returns what [%s] has.", method, d.constant(i)))
		f.p("func (v %s) %s() %s {\npayload, _ := v.payload.(%s)\nreturn payload\n}\n", d.goName, method, goType, goType)
	}
}

// labels writes the constants of an enum or of a variant's tags.
func (f *file) labels(d *def, typeName string, parts []part) {
	f.comment(fmt.Sprintf("The cases of [%s].", d.goName))
	f.p("const (")
	for i, c := range parts {
		f.partDocs(c)
		if i == 0 {
			f.p("%s %s = iota", d.constant(i), typeName)
		} else {
			f.p("%s", d.constant(i))
		}
	}
	f.p(")\n")
	table := lowered(typeName) + "Names"
	if strings.ToUpper(typeName[:2]) == typeName[:2] {
		table = "names" + typeName
	}
	f.p("var %s = [...]string{", table)
	for _, c := range parts {
		f.p("%q,", c.name)
	}
	f.p("}\n")
	f.comment("String returns the name of the case in WIT.")
	f.p("func (v %s) String() string {", typeName)
	f.p("if int(v) < len(%s) {\nreturn %s[v]\n}", table, table)
	f.p("return %q + strconv.Itoa(int(v)) + \")\"", typeName+"(")
	f.p("}\n")
}

func (f *file) flags(d *def) {
	f.comment(noun(d.goName, d.docs, "The set of flags "+d.name+"."))
	f.p("type %s uint%d\n", d.goName, d.typ.w.Size*8)
	f.comment(fmt.Sprintf("The flags of [%s].", d.goName))
	f.p("const (")
	for i, c := range d.typ.labels {
		f.partDocs(c)
		if i == 0 {
			f.p("%s %s = 1 << iota", d.constant(i), d.goName)
		} else {
			f.p("%s", d.constant(i))
		}
	}
	f.p(")\n")
	f.comment("Has reports whether v has all of flags.")
	f.p("func (v %s) Has(flags %s) bool { return v&flags == flags }\n", d.goName, d.goName)
}

// tuples declares the structs of the tuples that a type contains and that this
// package is the home of.
func (f *file) tuples(t *typ, home *Package) {
	if t == nil || t.def != nil && (t.def.resource != nil || t.def.iface.pkg != home) {
		return
	}
	f.tuples(t.elem, home)
	for _, p := range t.fields {
		f.tuples(p.typ, home)
	}
	for _, p := range t.cases {
		f.tuples(p.typ, home)
	}
	if t.w.Kind != wit.KindTuple || t.home != home || t.uniform() {
		return
	}
	name, body := t.tupleName(home), ""
	for i, p := range t.fields {
		body += fmt.Sprintf("F%d %s\n", i, p.typ.goType(f.q))
	}
	if written, ok := home.declared[name]; ok {
		if written != body {
			home.problems = append(home.problems, fmt.Errorf("two tuples would be called %s: name one of them", name))
		}
		return
	}
	home.declared[name] = body
	docs := ""
	if t.def != nil {
		docs = t.def.docs
	}
	f.comment(noun(name, docs, "The Go form of a tuple."))
	f.p("type %s struct {\n%s}\n", name, body)
}
