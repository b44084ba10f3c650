package wittest

import (
	"fmt"
	"math"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/lathhost/lath/wit"
)

// Shape says which kinds of types [Type] draws beside plain values.
type Shape struct {
	Handles bool // own and borrow
	Async   bool // stream and future, also inside
	// Streams allows streams of types with a value, and no futures.
	Streams bool
	// Plain leaves out maps and lists of fixed length, which not every tool
	// knows.
	Plain bool
}

var primitives = []*wit.Type{
	wit.Bool, wit.S8, wit.U8, wit.S16, wit.U16, wit.S32, wit.U32, wit.S64, wit.U64,
	wit.F32, wit.F64, wit.Char, wit.String,
}

// Keys are the types that may key a map.
var keys = []*wit.Type{
	wit.Bool, wit.S8, wit.U8, wit.S16, wit.U16, wit.S32, wit.U32, wit.S64, wit.U64, wit.Char, wit.String,
}

// labels holds WIT keywords and WAVE keywords too.
var labels = []string{
	"a", "b", "c", "name", "key-value", "x1", "HTTP-status", "list", "record", "some", "none", "ok", "err",
	"true", "false", "inf", "nan", "world", "use", "from", "result", "error", "func", "a-b-c", "s8",
}

// Labels draws n different labels.
func Labels(t *rapid.T, n int) []string {
	out := make([]string, n)
	perm := rapid.Permutation(labels).Draw(t, "labels")
	for i := range out {
		if i < len(perm) {
			out[i] = perm[i]
		} else {
			out[i] = fmt.Sprintf("label-n%d", i)
		}
	}
	return out
}

// Type draws a type that nests at most depth deep.
func Type(t *rapid.T, s Shape, depth int) *wit.Type {
	if depth <= 0 {
		return rapid.SampledFrom(primitives).Draw(t, "primitive")
	}
	kinds := []wit.Kind{
		wit.KindBool, wit.KindBool, wit.KindRecord, wit.KindVariant, wit.KindList, wit.KindTuple, wit.KindFlags, wit.KindEnum, wit.KindOption, wit.KindResult,
	}
	if !s.Plain {
		kinds = append(kinds, wit.KindFixedList, wit.KindMap)
	}
	if s.Handles {
		kinds = append(kinds, wit.KindOwn, wit.KindBorrow)
	}
	if s.Async {
		kinds = append(kinds, wit.KindStream, wit.KindFuture)
	}
	if s.Streams {
		kinds = append(kinds, wit.KindStream)
	}
	return compound(t, s, depth, rapid.SampledFrom(kinds).Draw(t, "kind"))
}

func compound(t *rapid.T, s Shape, depth int, k wit.Kind) *wit.Type {
	elem := func() *wit.Type { return Type(t, s, depth-1) }
	maybe := func() *wit.Type {
		if rapid.Bool().Draw(t, "typed") {
			return elem()
		}
		return nil
	}
	switch k {
	case wit.KindRecord:
		var fields []wit.Field
		for _, n := range Labels(t, rapid.IntRange(1, 4).Draw(t, "fields")) {
			fields = append(fields, wit.Field{Name: n, Type: elem()})
		}
		return must(wit.NewRecord(fields...))
	case wit.KindVariant:
		var cases []wit.Case
		for _, n := range Labels(t, rapid.IntRange(1, 5).Draw(t, "cases")) {
			cases = append(cases, wit.Case{Name: n, Type: maybe()})
		}
		return must(wit.NewVariant(cases...))
	case wit.KindTuple:
		elems := make([]*wit.Type, rapid.IntRange(1, 4).Draw(t, "elems"))
		for i := range elems {
			elems[i] = elem()
		}
		return must(wit.NewTuple(elems...))
	case wit.KindFlags:
		return must(wit.NewFlags(Labels(t, rapid.IntRange(1, wit.MaxFlags).Draw(t, "flags"))...))
	case wit.KindEnum:
		return must(wit.NewEnum(Labels(t, rapid.IntRange(1, 300).Draw(t, "cases"))...))
	case wit.KindList:
		return must(wit.NewList(elem()))
	case wit.KindFixedList:
		return must(wit.NewFixedList(elem(), uint32(rapid.IntRange(1, 4).Draw(t, "len"))))
	case wit.KindMap:
		return must(wit.NewMap(rapid.SampledFrom(keys).Draw(t, "key"), elem()))
	case wit.KindOption:
		return must(wit.NewOption(elem()))
	case wit.KindResult:
		return must(wit.NewResult(maybe(), maybe()))
	case wit.KindOwn:
		return wit.NewOwn(&wit.Resource{Name: "r"})
	case wit.KindBorrow:
		return wit.NewBorrow(&wit.Resource{Name: "r"})
	case wit.KindStream:
		s.Handles = false // a stream must not contain a borrow
		if !s.Async {
			return must(wit.NewStream(elem()))
		}
		return must(wit.NewStream(maybe()))
	case wit.KindFuture:
		s.Handles = false
		return must(wit.NewFuture(maybe()))
	default:
		return rapid.SampledFrom(primitives).Draw(t, "primitive")
	}
}

// Value draws a value of type ty. Handles are 16 bytes in Str.
func Value(t *rapid.T, ty *wit.Type) wit.Value {
	switch ty.Kind {
	case wit.KindRecord, wit.KindTuple:
		var v wit.Value
		for _, f := range ty.Fields {
			v.Elems = append(v.Elems, Value(t, f.Type))
		}
		return v
	case wit.KindVariant, wit.KindEnum, wit.KindOption, wit.KindResult:
		i := rapid.IntRange(0, len(ty.Cases)-1).Draw(t, "case")
		return payload(t, uint64(i), ty.Cases[i].Type)
	case wit.KindList, wit.KindMap:
		return wit.Value{Elems: values(t, ty.Elem, rapid.IntRange(0, 4).Draw(t, "len"))}
	case wit.KindFixedList:
		return wit.Value{Elems: values(t, ty.Elem, int(ty.Len))}
	case wit.KindStream:
		n := rapid.IntRange(0, 3).Draw(t, "len")
		if ty.Elem == nil {
			return wit.Value{Bits: uint64(n)}
		}
		return wit.Value{Bits: uint64(n), Elems: values(t, ty.Elem, n)}
	case wit.KindFuture:
		if rapid.Bool().Draw(t, "ready") {
			return payload(t, 1, ty.Elem)
		}
		return wit.Value{}
	case wit.KindString:
		return wit.Value{Str: Text().Draw(t, "string")}
	case wit.KindOwn, wit.KindBorrow:
		return wit.Value{Str: string(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "handle"))}
	default:
		return wit.Value{Bits: scalar(t, ty)}
	}
}

// Text draws a string, often with what needs escapes.
func Text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"", "\"", "\\", "'", "\n", "\r\n", "\t", "\"\"\"", "\x00", "\u202e", "\u2028", "é☃𝄞", "{a: 1}", "// no",
	}))
}

func payload(t *rapid.T, i uint64, ty *wit.Type) wit.Value {
	if ty == nil {
		return wit.Value{Bits: i}
	}
	return wit.Value{Bits: i, Elems: []wit.Value{Value(t, ty)}}
}

func values(t *rapid.T, ty *wit.Type, n int) []wit.Value {
	var vs []wit.Value
	for range n {
		vs = append(vs, Value(t, ty))
	}
	return vs
}

func scalar(t *rapid.T, ty *wit.Type) uint64 {
	switch ty.Kind {
	case wit.KindBool:
		return uint64(rapid.IntRange(0, 1).Draw(t, "bool"))
	case wit.KindS8:
		return uint64(int64(rapid.Int8().Draw(t, "s8")))
	case wit.KindU8:
		return uint64(rapid.Uint8().Draw(t, "u8"))
	case wit.KindS16:
		return uint64(int64(rapid.Int16().Draw(t, "s16")))
	case wit.KindU16:
		return uint64(rapid.Uint16().Draw(t, "u16"))
	case wit.KindS32:
		return uint64(int64(rapid.Int32().Draw(t, "s32")))
	case wit.KindU32:
		return uint64(rapid.Uint32().Draw(t, "u32"))
	case wit.KindS64:
		return uint64(rapid.Int64().Draw(t, "s64"))
	case wit.KindU64:
		return rapid.Uint64().Draw(t, "u64")
	case wit.KindF32:
		return uint64(math.Float32bits(float32(floats.Draw(t, "f32"))))
	case wit.KindF64:
		return math.Float64bits(floats.Draw(t, "f64"))
	case wit.KindChar:
		r := rapid.Rune().Draw(t, "char")
		if !utf8.ValidRune(r) {
			r = '\n'
		}
		return uint64(r)
	case wit.KindFlags:
		return uint64(rapid.Uint32().Draw(t, "flags")) & (1<<len(ty.Labels) - 1)
	default:
		panic("no scalar: " + ty.Kind.String())
	}
}

// floats holds no NaN but the canonical one, the only one that text can name.
var floats = rapid.OneOf(
	rapid.Float64().Filter(func(f float64) bool { return f == f }),
	rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), 1e300, 5e-324, 0.1, 1 << 53}),
)

func must(t *wit.Type, err error) *wit.Type {
	if err != nil {
		panic(err)
	}
	return t
}
