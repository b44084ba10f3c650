package bindgen

import (
	"fmt"
	"slices"

	"github.com/lathhost/lath/wit"
)

// errorType makes a declared type an error and writes its failure rule: what
// an error that is not of the type becomes.
func (f *file) errorType(d *def) {
	f.comment("Error implements error.")
	f.p("func (v %s) Error() string {", d.goName)
	switch d.typ.w.Kind {
	case wit.KindVariant:
		f.variantText(d)
	case wit.KindEnum:
		f.p("return v.String()")
	default:
		f.p("type plain %s // without this method", d.goName)
		f.p("return fmt.Sprintf(%q, plain(v))", d.name+" %+v")
	}
	f.p("}\n")

	name, rule, unknown := d.goName+"From", "or else false, since "+d.goName+" has no room for another", d.goName+"{}, false"
	if d.typ.w.Kind == wit.KindEnum || d.typ.w.Kind == wit.KindFlags {
		unknown = "0, false"
	}
	if i := d.typ.textCase(); i >= 0 {
		c := d.typ.cases[i]
		text := "err.Error()"
		if c.typ.w.Kind == wit.KindOption {
			text = "wit.Some(err.Error())"
		}
		constant := d.constant(i)
		rule = "or else [" + constant + "] with the text of err"
		unknown = fmt.Sprintf("%s{Tag: %s, %s: %s}, true", d.goName, constant, d.typ.fieldNames()[i], text)
		if d.typ.boxed() {
			unknown = fmt.Sprintf("%s(%s), true", d.maker(i), text)
		}
	}
	f.comment(fmt.Sprintf("%s returns err as the caller of a function will see it: the %s that err is or wraps, %s.", name, d.goName, rule) +
		" err is not nil.")
	f.p("func %s(err error) (%s, bool) {", name, d.goName)
	f.p("if v, ok := errors.AsType[%s](err); ok {\nreturn v, true\n}", d.goName)
	f.p("return %s", unknown)
	f.p("}\n")
}

// variantText writes the body of a variant's Error.
func (f *file) variantText(d *def) {
	if !slices.ContainsFunc(d.typ.cases, func(c part) bool { return isText(c.typ) || isError(c.typ) }) {
		f.p("return v.Tag.String()")
		return
	}
	f.p("switch v.Tag {")
	for i, c := range d.typ.cases {
		constant := d.constant(i)
		switch {
		case c.typ == nil:
		case c.typ.w.Kind == wit.KindString:
			f.p("case %s:\nreturn v.Tag.String() + \": \" + %s", constant, d.typ.caseExpr("v", i))
		case isError(c.typ):
			f.p("case %s:\nreturn v.Tag.String() + \": \" + %s.Error()", constant, d.typ.caseExpr("v", i))
		case isText(c.typ):
			text := d.typ.caseExpr("v", i)
			f.p("case %s:\nif %s.OK {\nreturn v.Tag.String() + \": \" + %s.Value\n}", constant, text, text)
		}
	}
	f.p("}\nreturn v.Tag.String()")
}

// isError reports whether the Go form of t has a method Error.
func isError(t *typ) bool { return t != nil && t.nominal() && t.def.isError }

func isText(t *typ) bool {
	return t != nil && (t.w.Kind == wit.KindString || t.w.Kind == wit.KindOption && t.elem.w.Kind == wit.KindString)
}

// forOthers are the names of cases for errors that are none of the others.
var forOthers = []string{"other", "internal-error", "unexpected"}

// textCase returns the case of a variant that has room for the text of an
// error that is none of the others: one that is named for it, or else the
// first with a string. -1: none.
func (t *typ) textCase() int {
	if t.w.Kind != wit.KindVariant {
		return -1
	}
	for i, c := range t.cases {
		if slices.Contains(forOthers, c.name) && isText(c.typ) {
			return i
		}
	}
	for i, c := range t.cases {
		if c.typ != nil && c.typ.w.Kind == wit.KindString {
			return i
		}
	}
	return -1
}

// errorWrapper is the name of the Go error that carries a function's error
// value where its type cannot have a method.
func (fn *fn) errorWrapper() string {
	if fn.kind == method {
		return fn.resource.goName + fn.goName + "Error"
	}
	return fn.goName + "Error"
}

func (f *file) errorWrapper(fn *fn) {
	name, t := fn.errorWrapper(), fn.err()
	f.comment(fmt.Sprintf("%s is the error of %s.", name, fn.name))
	f.p("type %s struct {\nValue %s\n}\n", name, t.goType(f.q))
	f.comment("Error implements error.")
	f.p("func (v %s) Error() string { return %q }\n", name, fn.name+" failed")
	f.comment(fmt.Sprintf("%sFrom returns the %s that err is or wraps. It reports false for others. err is not nil.", name, name))
	f.p("func %sFrom(err error) (%s, bool) {\nreturn errors.AsType[%s](err)\n}\n", name, name, name)
}

// errorFrom is the contract's function that applies the failure rule of fn.
func (fn *fn) errorFrom(q qualifier) string {
	if e := fn.err(); shapeOfError(e) == errNamed {
		return q.name(e.def.iface.pkg, e.def.goName+"From")
	}
	return q.name(fn.iface.pkg, fn.errorWrapper()+"From")
}
