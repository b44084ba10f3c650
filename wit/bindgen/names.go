package bindgen

import (
	"fmt"
	"go/token"
	"strings"

	"github.com/lathhost/lath/wit"
)

// initialisms are the words that Go writes in a case of their own.
var initialisms = map[string]string{
	"dns": "DNS", "http": "HTTP", "https": "HTTPS", "id": "ID", "io": "IO", "ip": "IP",
	"ipv4": "IPv4", "ipv6": "IPv6", "tcp": "TCP", "tls": "TLS", "udp": "UDP",
	"uri": "URI", "url": "URL", "utc": "UTC",
}

// exported turns a WIT name into an exported Go name.
func exported(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		if s, ok := initialisms[strings.ToLower(word)]; ok {
			b.WriteString(s)
		} else {
			b.WriteString(title(word))
		}
	}
	return b.String()
}

// unexported turns a WIT name into a local Go name.
func unexported(name string) string {
	first, rest, more := strings.Cut(name, "-")
	s := strings.ToLower(first)
	if more {
		s += exported(rest)
	}
	return s
}

func title(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

// renamed are parameter names that would read badly or hide something that
// generated code uses, with what to call them instead.
var renamed = map[string]string{"len": "length", "type": "typ", "error": "failure"}

// taken are the names that generated functions use for themselves.
var taken = map[string]bool{
	"ctx": true, "inv": true, "call": true, "stack": true, "owned": true, "err": true, "impl": true, "self": true,
	"at": true, "m": true, "v": true, "e": true, "ok": true, "c": true, "b": true, "r": true,
	"bind": true, "wit": true, "wire": true, "component": true, "contract": true, "context": true,
	"binary": true, "math": true, "string": true, "bool": true, "byte": true, "rune": true,
	"uint8": true, "uint16": true, "uint32": true, "uint64": true, "int8": true, "int16": true,
	"int32": true, "int64": true, "float32": true, "float64": true, "w": true, "params": true,
	"cap": true, "make": true, "append": true, "nil": true, "true": true, "false": true, "uint": true,
}

// shadowed are the names that only the bodies of generated functions use, so
// that a contract can have them.
var shadowed = map[string]bool{"v": true, "e": true, "err": true, "m": true, "b": true, "c": true, "r": true, "w": true, "at": true, "ok": true, "call": true}

// contractParam is the name of a parameter in a contract, where nothing but its
// types can hide.
func contractParam(name string) string {
	if s := unexported(name); shadowed[s] {
		return s
	}
	return paramName(name)
}

// paramName is the Go name of a parameter.
func paramName(name string) string {
	s := unexported(name)
	if r, ok := renamed[s]; ok {
		return r
	}
	if taken[s] || token.IsKeyword(s) {
		return s + "Arg"
	}
	return s
}

// fieldNames gives the parts of a record or variant their Go field names. A
// name that a method or the tag has already gets "Value" after it.
func fieldNames(parts []part, reserved ...string) []string {
	used := map[string]bool{}
	for _, r := range reserved {
		used[r] = true
	}
	out := make([]string, len(parts))
	for i, p := range parts {
		n := exported(p.name)
		for used[n] {
			n += "Value"
		}
		used[n] = true
		out[i] = n
	}
	return out
}

// fieldNames gives the Go field names of a record, tuple or variant.
func (t *typ) fieldNames() []string {
	switch t.w.Kind {
	case wit.KindVariant:
		return fieldNames(t.cases, "Tag", "Error")
	default:
		return fieldNames(t.fields, "Error")
	}
}

// constant is the Go name of case or label i of a declared type, without its
// package.
func (d *def) constant(i int) string {
	parts := d.typ.cases
	if len(parts) == 0 {
		parts = d.typ.labels
	}
	name := d.goName + exported(parts[i].name)
	if name == d.goName+"Tag" { // the type of a variant's cases
		name += "Value"
	}
	return name
}

// assignNames chooses the Go names of a package's interfaces, types and
// functions. Types of different interfaces that share a name get their
// interface's name before it; a Go interface that has a type's name gets
// "Functions" after it.
func (p *Package) assignNames() {
	count := map[string]int{}
	for _, i := range p.ifaces {
		for _, d := range i.defs {
			count[exported(d.name)]++
		}
	}
	types := map[string]bool{}
	for _, i := range p.ifaces {
		for _, d := range i.defs {
			d.goName = exported(d.name)
			if count[d.goName] > 1 {
				d.goName = exported(i.name) + d.goName
			}
			types[d.goName] = true
		}
	}
	for _, i := range p.ifaces {
		i.goName = exported(i.name)
		if types[i.goName] {
			i.goName += "Functions"
		}
		for _, f := range i.funcs {
			f.goName = exported(f.baseName())
			switch f.kind {
			case static:
				f.goName = f.resource.goName + f.goName
			case constructor:
				f.goName = "New" + f.resource.goName
			}
		}
	}
}

// ident names a type by its shape, for the names of helper functions and of
// tuples. Two types of one package have the same ident only if they are the
// same Go type.
func (t *typ) ident(in *Package) string {
	if t.def != nil && t.nominal() {
		return t.def.ident(in)
	}
	switch t.w.Kind {
	case wit.KindList:
		if t.elem.w.Kind == wit.KindU8 {
			return "Bytes"
		}
		return "List" + t.elem.ident(in)
	case wit.KindOption:
		return "Option" + t.elem.ident(in)
	case wit.KindResult:
		var s strings.Builder
		s.WriteString("Result")
		for _, c := range t.cases {
			if c.typ == nil {
				s.WriteString("None")
			} else {
				s.WriteString(c.typ.ident(in))
			}
		}
		return s.String()
	case wit.KindTuple:
		if t.uniform() {
			return fmt.Sprintf("%sX%d", t.fields[0].typ.ident(in), len(t.fields))
		}
		return t.tupleName(in)
	case wit.KindOwn:
		return "Own" + t.def.ident(in)
	case wit.KindBorrow:
		return "Borrow" + t.def.ident(in)
	}
	return title(t.w.Kind.String())
}

func (d *def) ident(in *Package) string {
	if d.iface.pkg != in {
		return title(d.iface.pkg.goName()) + d.goName
	}
	return d.goName
}

// uniform reports whether a tuple's fields have one Go type, so that an array
// holds them.
func (t *typ) uniform() bool {
	first := t.fields[0].typ
	for _, f := range t.fields[1:] {
		if f.typ.ident(t.home) != first.ident(t.home) {
			return false
		}
	}
	return len(t.fields) > 1
}

// tupleName is the name of the Go struct of a tuple: its definition's, or one
// made of its fields' types.
func (t *typ) tupleName(in *Package) string {
	if t.def != nil {
		return t.def.ident(in)
	}
	var s strings.Builder
	s.WriteString("Tuple")
	for _, f := range t.fields {
		if d := f.typ.def; d != nil && (d.resource != nil || f.typ.nominal()) {
			s.WriteString(d.goName)
		} else {
			s.WriteString(f.typ.ident(in))
		}
	}
	return s.String()
}

// goType writes the type as Go code of package in: names of in's own contract
// are qualified with self ("" or "contract."), others with their alias.
func (t *typ) goType(q qualifier) string {
	if t.def != nil && t.def.resource == nil && !(t.w.Kind == wit.KindTuple && !t.uniform()) {
		return q.name(t.def.iface.pkg, t.def.goName)
	}
	switch t.w.Kind {
	case wit.KindList:
		if t.elem.w.Kind == wit.KindU8 {
			return "[]byte"
		}
		return "[]" + t.elem.goType(q)
	case wit.KindOption:
		return "wit.Option[" + t.elem.goType(q) + "]"
	case wit.KindResult:
		sides := [2]string{"struct{}", "struct{}"}
		for i, c := range t.cases {
			if c.typ != nil {
				sides[i] = c.typ.goType(q)
			}
		}
		return "wit.Result[" + sides[0] + ", " + sides[1] + "]"
	case wit.KindTuple:
		if t.uniform() {
			return fmt.Sprintf("[%d]%s", len(t.fields), t.fields[0].typ.goType(q))
		}
		return q.name(t.home, t.tupleName(t.home))
	case wit.KindOwn, wit.KindBorrow:
		return q.name(t.def.iface.pkg, t.def.goName)
	}
	return goPrimitives[t.w.Kind]
}

var goPrimitives = map[wit.Kind]string{
	wit.KindBool: "bool", wit.KindS8: "int8", wit.KindU8: "uint8", wit.KindS16: "int16", wit.KindU16: "uint16",
	wit.KindS32: "int32", wit.KindU32: "uint32", wit.KindS64: "int64", wit.KindU64: "uint64",
	wit.KindF32: "float32", wit.KindF64: "float64", wit.KindChar: "rune", wit.KindString: "string",
}

// qualifier writes names of contracts and notes which contracts it named.
type qualifier struct {
	own  *Package // whose names need prefix
	self string   // "" inside the contract itself, "contract." elsewhere
	used map[*Package]bool
}

func (q qualifier) name(p *Package, name string) string {
	if p == q.own {
		return q.self + name
	}
	q.used[p] = true
	return p.alias() + "." + name
}
