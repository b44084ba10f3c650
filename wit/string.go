package wit

import "strconv"

// String returns the type as WIT refers to it: by its name where it has one,
// by its structure otherwise. Records, variants, enums and flags without a
// name, which WIT cannot refer to, are written out on one line.
func (t *Type) String() string {
	w := typeWriter{name: ownName}
	w.ref(t)
	return string(w.b)
}

// Structure returns the type as WIT defines it, on one line and whether or not
// it has a name; the types within are referred to as [Type.String] does.
func (t *Type) Structure() string {
	w := typeWriter{name: ownName}
	w.structure(t)
	return string(w.b)
}

// String returns the function as WIT writes it, without a semicolon: "get:
// func(key: string) -> option<string>".
func (f *Func) String() string { return f.Name + ": " + f.Signature() }

// Signature returns the function's type as WIT writes it.
func (f *Func) Signature() string {
	w := typeWriter{name: ownName}
	if f.Async {
		w.write("async ")
	}
	w.signature(f.Params, f.Result)
	return string(w.b)
}

// Escape returns a label as WIT writes it: with a "%" in front where it is a
// keyword.
func Escape(label string) string {
	if keywords[label] {
		return "%" + label
	}
	return label
}

// The keywords of WIT (WIT.md, Keywords), and "_", which is none but no label
// either.
var keywords = map[string]bool{
	"as": true, "async": true, "bool": true, "borrow": true, "char": true, "constructor": true, "enum": true,
	"error-context": true, "export": true, "f32": true, "f64": true, "flags": true, "from": true, "func": true,
	"future": true, "import": true, "include": true, "interface": true, "list": true, "map": true, "option": true,
	"own": true, "package": true, "record": true, "resource": true, "result": true, "s16": true, "s32": true,
	"s64": true, "s8": true, "static": true, "stream": true, "string": true, "tuple": true, "type": true,
	"u16": true, "u32": true, "u64": true, "u8": true, "use": true, "variant": true, "with": true, "world": true,
}

// typeWriter writes types. Its name function gives the text that refers to a
// type, or nothing where the structure has to be written.
type typeWriter struct {
	b    []byte
	name func(*Type) string
	max  int // where writing stops, or 0
	base int // bytes that were written elsewhere, and count
}

func (w *typeWriter) write(s string) { w.b = append(w.b, s...) }

// full reports whether more was written than the limit, after which types are
// left out.
func (w *typeWriter) full() bool { return w.max > 0 && w.base+len(w.b) > w.max }

func ownName(t *Type) string {
	switch {
	case t.Name != "":
		return Escape(t.Name)
	case t.Kind == KindOwn:
		return Escape(t.Resource.Name)
	case t.Kind == KindBorrow:
		return "borrow<" + Escape(t.Resource.Name) + ">"
	}
	return ""
}

func (w *typeWriter) ref(t *Type) {
	if w.full() {
		return
	}
	if t == nil {
		w.write("_")
		return
	}
	if n := w.name(t); n != "" {
		w.write(n)
		return
	}
	w.structure(t)
}

func (w *typeWriter) structure(t *Type) {
	switch t.Kind {
	case KindRecord:
		w.block(t, len(t.Fields), func(i int) {
			w.write(Escape(t.Fields[i].Name) + ": ")
			w.ref(t.Fields[i].Type)
		})
	case KindVariant, KindEnum:
		w.block(t, len(t.Cases), func(i int) { w.oneCase(t.Cases[i]) })
	case KindFlags:
		w.block(t, len(t.Labels), func(i int) { w.write(Escape(t.Labels[i])) })
	case KindTuple:
		args := make([]*Type, len(t.Fields))
		for i, f := range t.Fields {
			args[i] = f.Type
		}
		w.generic(t, args...)
	case KindMap:
		w.generic(t, t.Elem.Fields[0].Type, t.Elem.Fields[1].Type)
	case KindResult:
		w.result(t)
	case KindOwn, KindBorrow:
		u := *t
		u.Name = ""
		w.write(ownName(&u))
	case KindList, KindOption:
		w.generic(t, t.Elem)
	case KindFixedList:
		w.write("list<")
		w.ref(t.Elem)
		w.write(", " + strconv.FormatUint(uint64(t.Len), 10) + ">")
	case KindStream, KindFuture:
		if t.Elem != nil {
			w.generic(t, t.Elem)
			return
		}
		w.write(t.Kind.String())
	default:
		w.write(t.Kind.String())
	}
}

func (w *typeWriter) block(t *Type, n int, part func(int)) {
	w.write(t.Kind.String() + " { ")
	for i := range n {
		w.comma(i)
		part(i)
	}
	w.write(" }")
}

func (w *typeWriter) oneCase(c Case) {
	w.write(Escape(c.Name))
	if c.Type != nil {
		w.write("(")
		w.ref(c.Type)
		w.write(")")
	}
}

func (w *typeWriter) result(t *Type) {
	ok, err := t.Cases[0].Type, t.Cases[1].Type
	switch {
	case err != nil:
		w.generic(t, ok, err)
	case ok != nil:
		w.generic(t, ok)
	default:
		w.write("result")
	}
}

func (w *typeWriter) generic(t *Type, args ...*Type) {
	w.write(t.Kind.String() + "<")
	for i, a := range args {
		w.comma(i)
		w.ref(a)
	}
	w.write(">")
}

func (w *typeWriter) signature(params []Param, result *Type) {
	w.write("func(")
	for i, p := range params {
		w.comma(i)
		w.write(Escape(p.Name) + ": ")
		w.ref(p.Type)
	}
	w.write(")")
	if result != nil {
		w.write(" -> ")
		w.ref(result)
	}
}

func (w *typeWriter) comma(i int) {
	if i > 0 {
		w.write(", ")
	}
}
