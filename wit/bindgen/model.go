package bindgen

import (
	"slices"
	"strings"

	"github.com/lathhost/lath/wit"
)

// Package is one WIT package, ready to be generated from.
type Package struct {
	Namespace, Name, Version string

	docs     string
	ifaces   []*iface
	declared map[string]string // tuples whose struct is written: name to body
	problems []error           // found while writing
}

// Dir is the package's folder below wit, host/bind and lattice/bind.
func (p *Package) Dir() string { return p.Namespace + "/" + p.Name }

// full is the package's name with its version, if it has one.
func (p *Package) full() string {
	if p.Version == "" {
		return p.Namespace + ":" + p.Name
	}
	return p.Namespace + ":" + p.Name + "@" + p.Version
}

// goName is the name of each of the Go packages.
func (p *Package) goName() string { return strings.ReplaceAll(p.Name, "-", "") }

// alias is the name that another package's code imports it by.
func (p *Package) alias() string { return strings.ReplaceAll(p.Namespace, "-", "") + p.goName() }

// iface is one interface of a package.
type iface struct {
	pkg    *Package
	name   string
	docs   string
	goName string // of the Go interface of its free functions
	defs   []*def // what it defines, not what it uses
	funcs  []*fn  // in order of definition
}

// full is the interface's full name.
func (i *iface) full() string {
	return wit.ID{Namespace: i.pkg.Namespace, Package: i.pkg.Name, Interface: i.name, Version: i.pkg.Version}.String()
}

// file is the name of the interface's generated files. Those of a package's
// own keep their names.
func (i *iface) file() string {
	name := strings.ReplaceAll(i.name, "-", "_")
	switch name {
	case "doc", "model", "values":
		name += "_interface"
	}
	return name + ".gen.go"
}

// free returns the functions that the Go interface has: all but methods.
func (i *iface) free() []*fn {
	var fs []*fn
	for _, f := range i.funcs {
		if f.kind != method {
			fs = append(fs, f)
		}
	}
	return fs
}

// def is a definition of an interface: a resource, a named type, or another
// name for a type.
type def struct {
	iface    *iface
	name     string
	docs     string
	goName   string
	typ      *typ          // nil for a resource
	resource *wit.Resource // nil for a type
	same     *def          // a resource that this is another name for
	isError  bool          // some function fails with it
}

// alias reports whether the definition only gives a type another name.
func (d *def) alias() bool { return d.typ != nil && !d.typ.nominal() }

// typ is a use of a type: the model's type, and what it is called.
type typ struct {
	w *wit.Type
	// def names the type: its definition for a record, variant, enum and
	// flags, the resource of a handle, an alias for others. nil: none.
	def *def
	// home is the package whose contract declares the Go type of a tuple.
	home *Package

	elem   *typ   // list, fixed list, option
	fields []part // record, tuple
	cases  []part // variant; result (ok, error)
	labels []part // enum, flags
}

// part is a field, case or label.
type part struct {
	name, docs string
	typ        *typ // nil: a case or label without payload
}

// nominal reports whether the type is one that its definition creates, so that
// Go code declares it.
func (t *typ) nominal() bool {
	switch t.w.Kind {
	case wit.KindRecord, wit.KindVariant, wit.KindEnum, wit.KindFlags:
		return true
	}
	return false
}

// mostFields is how many fields the Go form of a variant may have.
const mostFields = 24

// boxed reports whether a variant has its payload in an interface: so many fields,
// of which one counts, would make every value large.
func (t *typ) boxed() bool {
	n := 0
	for _, c := range t.cases {
		if c.typ != nil {
			n++
		}
	}
	return t.w.Kind == wit.KindVariant && n > mostFields
}

// caseExpr writes the Go expression of the payload of case i of the variant v.
func (t *typ) caseExpr(v string, i int) string {
	if t.boxed() {
		return v + "." + t.fieldNames()[i] + "()"
	}
	return v + "." + t.fieldNames()[i]
}

// setCase writes a statement that gives the variant v, whose tag is set, the payload
// of case i.
func (t *typ) setCase(q qualifier, v string, i int, payload string) string {
	if t.boxed() {
		return v + " = " + q.name(t.def.iface.pkg, t.def.maker(i)) + "(" + payload + ")"
	}
	return v + "." + t.fieldNames()[i] + " = " + payload
}

// maker is the name of the function that makes case i of a boxed variant.
func (d *def) maker(i int) string { return "New" + d.goName + d.typ.fieldNames()[i] }

// owns reports whether the type contains an owned handle.
func (t *typ) owns() bool {
	if t == nil || !t.w.Props.Has(wit.HasHandle) {
		return false
	}
	in := func(p part) bool { return p.typ.owns() }
	return t.w.Kind == wit.KindOwn || t.elem.owns() ||
		slices.ContainsFunc(t.fields, in) || slices.ContainsFunc(t.cases, in)
}

type fnKind uint8

const (
	freestanding fnKind = iota
	method
	static
	constructor
)

// fn is a function.
type fn struct {
	iface    *iface
	kind     fnKind
	resource *def   // of a method, static function or constructor
	name     string // as in a component: "get", "[method]bucket.get"
	goName   string
	docs     string
	params   []part // a method's first is self
	result   *typ   // nil: none
}

// ok returns what the function returns beside its error: the ok type of a
// result, or the whole result. nil: nothing.
func (fn *fn) ok() *typ {
	if fn.fallible() {
		return fn.result.cases[0].typ
	}
	return fn.result
}

// fallible reports whether the function returns a WIT result, so that an error
// can be a value to its caller.
func (fn *fn) fallible() bool { return fn.result != nil && fn.result.w.Kind == wit.KindResult }

// err returns the error type of the function's result; nil: none.
func (fn *fn) err() *typ {
	if fn.fallible() {
		return fn.result.cases[1].typ
	}
	return nil
}

// baseName is the function's name without resource and brackets.
func (fn *fn) baseName() string {
	name := fn.name[strings.IndexByte(fn.name, ']')+1:]
	if _, after, ok := strings.Cut(name, "."); ok {
		return after
	}
	return name
}

// errShape says in which form an error value travels as a Go error.
type errShape uint8

const (
	errAny   errShape = iota // no payload: any Go error is the error
	errText                  // string: any Go error, by its text
	errNamed                 // a declared type with a method Error
	errOther                 // anything else, in a wrapper type
)

func shapeOfError(t *typ) errShape {
	switch {
	case t == nil:
		return errAny
	case t.w.Kind == wit.KindString:
		return errText
	case t.nominal():
		return errNamed
	}
	return errOther
}
