package wire

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/lathhost/lath/wit"
)

// Append appends the encoding of v, after checking that v is a value of type
// t: otherwise it returns a [*ValueError]. Streams and futures with nothing in
// place are written as pending. The resource handles of v are their opaque
// bytes, in Str.
func Append(dst []byte, t *wit.Type, v wit.Value) ([]byte, error) {
	e := encoder{b: dst}
	if err := e.value(t, &v); err != nil {
		return dst, err
	}
	return e.b, nil
}

// AppendAll appends one value for each type.
func AppendAll(dst []byte, types []*wit.Type, vs []wit.Value) ([]byte, error) {
	if len(types) != len(vs) {
		return dst, &ValueError{Reason: fmt.Sprintf("%d values for %d types", len(vs), len(types))}
	}
	e := encoder{b: dst}
	for i, t := range types {
		if err := e.value(t, &vs[i]); err != nil {
			return dst, at(err, fmt.Sprintf("[%d]", i))
		}
	}
	return e.b, nil
}

type encoder struct{ b []byte }

func (e *encoder) value(t *wit.Type, v *wit.Value) error {
	switch t.Kind {
	case wit.KindRecord, wit.KindTuple:
		return e.fields(t, v)
	case wit.KindVariant, wit.KindEnum:
		if v.Bits >= uint64(len(t.Cases)) {
			return wrong("case %d of %d", v.Bits, len(t.Cases))
		}
		e.b = AppendULEB(e.b, v.Bits)
		return e.payload(t.Cases[v.Bits].Type, t.Cases[v.Bits].Name, v)
	case wit.KindOption, wit.KindResult:
		if v.Bits > 1 {
			return wrong("%s with case %d", t.Kind, v.Bits)
		}
		e.b = append(e.b, byte(v.Bits))
		return e.payload(t.Cases[v.Bits].Type, t.Cases[v.Bits].Name, v)
	case wit.KindList, wit.KindMap:
		e.b = AppendULEB(e.b, uint64(len(v.Elems)))
		return e.elems(t.Elem, v.Elems)
	case wit.KindFixedList:
		if len(v.Elems) != int(t.Len) {
			return wrong("%d elements, want %d", len(v.Elems), t.Len)
		}
		return e.elems(t.Elem, v.Elems)
	case wit.KindStream:
		return e.stream(t, v)
	case wit.KindFuture:
		if v.Bits > 1 || v.Bits == 0 && len(v.Elems) > 0 {
			return wrong("future with %d values, marked %d", len(v.Elems), v.Bits)
		}
		if e.b = append(e.b, byte(v.Bits)); v.Bits == 0 {
			return nil
		}
		return e.payload(t.Elem, "value", v)
	default:
		return e.scalar(t, v)
	}
}

func (e *encoder) fields(t *wit.Type, v *wit.Value) error {
	if len(v.Elems) != len(t.Fields) {
		return wrong("%d fields, want %d", len(v.Elems), len(t.Fields))
	}
	for i, f := range t.Fields {
		if err := e.value(f.Type, &v.Elems[i]); err != nil {
			if t.Kind == wit.KindTuple {
				return at(err, fmt.Sprintf(".%d", i))
			}
			return at(err, "."+f.Name)
		}
	}
	return nil
}

func (e *encoder) payload(t *wit.Type, name string, v *wit.Value) error {
	want := 1
	if t == nil {
		want = 0
	}
	if len(v.Elems) != want {
		return wrong("%d payloads of %s, want %d", len(v.Elems), name, want)
	}
	if t == nil {
		return nil
	}
	return at(e.value(t, &v.Elems[0]), "("+name+")")
}

func (e *encoder) elems(t *wit.Type, vs []wit.Value) error {
	if uint64(len(vs)) > math.MaxUint32 {
		return wrong("%d elements", len(vs))
	}
	for i := range vs {
		if err := e.value(t, &vs[i]); err != nil {
			return at(err, fmt.Sprintf("[%d]", i))
		}
	}
	return nil
}

func (e *encoder) stream(t *wit.Type, v *wit.Value) error {
	if t.Elem == nil && len(v.Elems) > 0 || t.Elem != nil && v.Bits != uint64(len(v.Elems)) || v.Bits > math.MaxUint32 {
		return wrong("stream with %d elements, marked %d", len(v.Elems), v.Bits)
	}
	e.b = AppendULEB(e.b, v.Bits)
	return e.elems(t.Elem, v.Elems)
}

func (e *encoder) scalar(t *wit.Type, v *wit.Value) error {
	if err := checkScalar(t, v); err != nil {
		return err
	}
	switch t.Kind {
	case wit.KindBool, wit.KindU8, wit.KindS8:
		e.b = append(e.b, byte(v.Bits))
	case wit.KindU16, wit.KindU32, wit.KindU64:
		e.b = AppendULEB(e.b, v.Bits)
	case wit.KindS16, wit.KindS32, wit.KindS64:
		e.b = AppendSLEB(e.b, int64(v.Bits))
	case wit.KindF32:
		e.b = AppendF32(e.b, math.Float32frombits(uint32(v.Bits)))
	case wit.KindF64:
		e.b = AppendF64(e.b, math.Float64frombits(v.Bits))
	case wit.KindChar:
		e.b = AppendChar(e.b, rune(v.Bits))
	case wit.KindString, wit.KindOwn, wit.KindBorrow:
		e.b = AppendString(e.b, v.Str)
	case wit.KindFlags:
		e.b = AppendFlags(e.b, uint32(v.Bits), len(t.Labels))
	}
	return nil
}

// checkScalar checks that v is a value of the scalar type t.
func checkScalar(t *wit.Type, v *wit.Value) error {
	ok := true
	switch t.Kind {
	case wit.KindBool:
		ok = v.Bits <= 1
	case wit.KindU8, wit.KindU16, wit.KindU32, wit.KindF32:
		ok = v.Bits>>(8*t.Size) == 0
	case wit.KindS8, wit.KindS16, wit.KindS32:
		above := int64(v.Bits) >> (8*t.Size - 1)
		ok = above == 0 || above == -1
	case wit.KindU64, wit.KindS64, wit.KindF64:
	case wit.KindChar:
		ok = v.Bits <= utf8.MaxRune && utf8.ValidRune(rune(v.Bits))
	case wit.KindFlags:
		ok = v.Bits>>len(t.Labels) == 0
	case wit.KindString:
		if !utf8.ValidString(v.Str) {
			return wrong("string is not UTF-8")
		}
		ok = uint64(len(v.Str)) <= math.MaxUint32
	case wit.KindOwn, wit.KindBorrow:
		if len(v.Str) == 0 || len(v.Str) > MaxHandle {
			return wrong("resource handle of %d bytes, want 1 to %d", len(v.Str), MaxHandle)
		}
	default:
		return unsupported(t)
	}
	if !ok {
		return wrong("%#x is not a %s", v.Bits, t.Kind)
	}
	return nil
}

func wrong(format string, args ...any) error {
	return &ValueError{Reason: fmt.Sprintf(format, args...)}
}
