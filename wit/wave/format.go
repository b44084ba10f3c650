package wave

import (
	"fmt"
	"math"
	"strconv"

	"github.com/lathhost/lath/wit"
)

// Format prints v, which is a value of type t, on one line and in the form
// that wasm-wave prints: fields in order and without those that are none,
// every some and ok written out. [Parse] reads it back, except where t has no
// text; such parts show as "<own bucket>". Characters that a terminal might
// not show as they are become escapes.
func Format(t *wit.Type, v wit.Value) string { return string(Append(nil, t, v)) }

// Append appends what [Format] returns.
func Append(dst []byte, t *wit.Type, v wit.Value) []byte {
	f := formatter{b: dst}
	f.value(t, &v)
	return f.b
}

type formatter struct{ b []byte }

func (f *formatter) write(s string) { f.b = append(f.b, s...) }

func (f *formatter) value(t *wit.Type, v *wit.Value) {
	switch t.Kind {
	case wit.KindRecord:
		f.record(t, v)
	case wit.KindTuple:
		f.sequence("(", ")", len(t.Fields), func(i int) { f.value(t.Fields[i].Type, elem(v, i)) })
	case wit.KindVariant, wit.KindEnum:
		c := caseOf(t, v)
		if isKeyword(c.Name) {
			f.write("%")
		}
		f.oneCase(c.Name, c.Type, v)
	case wit.KindOption, wit.KindResult:
		c := caseOf(t, v)
		if t.Kind == wit.KindResult && v.Bits == 1 {
			c.Name = "err" // not "error", as the case is called
		}
		f.oneCase(c.Name, c.Type, v)
	case wit.KindFlags:
		f.flags(t, v)
	case wit.KindList, wit.KindMap, wit.KindFixedList:
		f.sequence("[", "]", len(v.Elems), func(i int) { f.value(t.Elem, &v.Elems[i]) })
	case wit.KindStream:
		if t.Elem == nil {
			f.noText(t)
			return
		}
		f.sequence("[", "]", len(v.Elems), func(i int) { f.value(t.Elem, &v.Elems[i]) })
	case wit.KindOwn, wit.KindBorrow, wit.KindFuture, wit.KindErrorContext:
		f.noText(t)
	default:
		f.scalar(t, v)
	}
}

func (f *formatter) noText(t *wit.Type) {
	f.write("<" + t.Kind.String())
	if t.Resource != nil {
		f.write(" " + t.Resource.Name)
	}
	f.write(">")
}

// elem returns a part of a value, and a zero value where it has none: values
// that do not fit their type print as something, and never crash.
func elem(v *wit.Value, i int) *wit.Value {
	if i < len(v.Elems) {
		return &v.Elems[i]
	}
	return &wit.Value{}
}

func caseOf(t *wit.Type, v *wit.Value) wit.Case {
	if v.Bits < uint64(len(t.Cases)) {
		return t.Cases[v.Bits]
	}
	return wit.Case{Name: fmt.Sprintf("<case %d>", v.Bits)}
}

func (f *formatter) sequence(open, end string, n int, part func(int)) {
	f.write(open)
	for i := range n {
		if i > 0 {
			f.write(", ")
		}
		part(i)
	}
	f.write(end)
}

func (f *formatter) record(t *wit.Type, v *wit.Value) {
	f.write("{")
	first := true
	for i, field := range t.Fields {
		e := elem(v, i)
		if field.Type.Kind == wit.KindOption && e.Bits == 0 {
			continue
		}
		if !first {
			f.write(", ")
		}
		first = false
		f.write(field.Name + ": ")
		f.value(field.Type, e)
	}
	if first {
		f.write(":")
	}
	f.write("}")
}

func (f *formatter) oneCase(name string, t *wit.Type, v *wit.Value) {
	f.write(name)
	if t != nil {
		f.write("(")
		f.value(t, elem(v, 0))
		f.write(")")
	}
}

func (f *formatter) flags(t *wit.Type, v *wit.Value) {
	f.write("{")
	first := true
	for i, l := range t.Labels {
		if v.Bits>>i&1 == 0 {
			continue
		}
		if !first {
			f.write(", ")
		}
		first = false
		f.write(l)
	}
	f.write("}")
}

func (f *formatter) scalar(t *wit.Type, v *wit.Value) {
	switch t.Kind {
	case wit.KindBool:
		f.b = strconv.AppendBool(f.b, v.Bits != 0)
	case wit.KindU8, wit.KindU16, wit.KindU32, wit.KindU64:
		f.b = strconv.AppendUint(f.b, v.Bits, 10)
	case wit.KindF32, wit.KindF64:
		f.b = appendFloat(f.b, t, v)
	case wit.KindChar:
		f.b = appendQuoted(f.b, string(rune(min(v.Bits, math.MaxInt32))), '\'')
	case wit.KindString:
		f.b = appendQuoted(f.b, v.Str, '"')
	default:
		f.b = strconv.AppendInt(f.b, int64(v.Bits), 10)
	}
}

func floatOf(t *wit.Type, v *wit.Value) float64 {
	if t.Kind == wit.KindF32 {
		return float64(math.Float32frombits(uint32(v.Bits)))
	}
	return math.Float64frombits(v.Bits)
}

// appendFloat writes the shortest digits that read back as the same number,
// with an exponent only where the number is very large or small.
func appendFloat(dst []byte, t *wit.Type, v *wit.Value) []byte {
	n := floatOf(t, v)
	switch {
	case n != n:
		return append(dst, "nan"...)
	case math.IsInf(n, 1):
		return append(dst, "inf"...)
	case math.IsInf(n, -1):
		return append(dst, "-inf"...)
	}
	format := byte('f')
	if a := math.Abs(n); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, n, format, -1, int(8*t.Size))
}
