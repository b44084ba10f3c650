package wave

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/lathhost/lath/wit"
)

// ErrNoText: the type has values that neither WAVE nor JSON can write: a
// resource handle, a future, a stream without a type, an error-context.
var ErrNoText = errors.New("values of this type have no text")

// ToJSON writes v, which is a value of type t, as JSON for programs:
//
//   - numbers are numbers, 64-bit integers too (read them as such), floats
//     that JSON does not have are the strings "nan", "inf" and "-inf";
//   - char and string are strings, enums the name of their case;
//   - records are objects with every field, flags arrays of the names that are
//     set, lists (list<u8> too), tuples and streams arrays, maps arrays of
//     [key, value];
//   - a variant is an object with its case as the one key, and null where it
//     has no payload; a result likewise with "ok" or "err";
//   - an option is null or the value; where the value is itself an option,
//     some is {"some": value}, so that nothing is lost.
func ToJSON(t *wit.Type, v wit.Value) ([]byte, error) {
	j := jsonWriter{}
	j.value(t, &v)
	if j.err != nil {
		return nil, j.err
	}
	return j.b, nil
}

type jsonWriter struct {
	formatter
	err error
}

func (j *jsonWriter) value(t *wit.Type, v *wit.Value) {
	switch t.Kind {
	case wit.KindRecord:
		j.sequence("{", "}", len(t.Fields), func(i int) {
			j.key(t.Fields[i].Name)
			j.value(t.Fields[i].Type, elem(v, i))
		})
	case wit.KindTuple:
		j.sequence("[", "]", len(t.Fields), func(i int) { j.value(t.Fields[i].Type, elem(v, i)) })
	case wit.KindEnum:
		j.str(caseOf(t, v).Name)
	case wit.KindVariant:
		j.oneCase(caseOf(t, v), v)
	case wit.KindResult:
		c := caseOf(t, v)
		if v.Bits == 1 {
			c.Name = "err"
		}
		j.oneCase(c, v)
	case wit.KindOption:
		j.option(t, v)
	case wit.KindFlags:
		j.flags(t, v)
	case wit.KindList, wit.KindMap, wit.KindFixedList, wit.KindStream:
		if t.Elem == nil {
			j.noText(t)
			return
		}
		j.sequence("[", "]", len(v.Elems), func(i int) { j.value(t.Elem, &v.Elems[i]) })
	case wit.KindOwn, wit.KindBorrow, wit.KindFuture, wit.KindErrorContext:
		j.noText(t)
	default:
		j.scalar(t, v)
	}
}

func (j *jsonWriter) noText(t *wit.Type) {
	if j.err == nil {
		j.err = fmt.Errorf("%s: %w", t, ErrNoText)
	}
}

func (j *jsonWriter) key(name string) {
	j.str(name)
	j.write(": ")
}

func (j *jsonWriter) str(s string) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil && j.err == nil {
		j.err = fmt.Errorf("write JSON: %w", err)
	}
	j.write(strings.TrimSuffix(b.String(), "\n"))
}

func (j *jsonWriter) oneCase(c wit.Case, v *wit.Value) {
	j.write("{")
	j.key(c.Name)
	if c.Type == nil {
		j.write("null")
	} else {
		j.value(c.Type, elem(v, 0))
	}
	j.write("}")
}

func (j *jsonWriter) option(t *wit.Type, v *wit.Value) {
	switch {
	case v.Bits == 0:
		j.write("null")
	case t.Elem.Kind == wit.KindOption:
		j.write("{")
		j.key("some")
		j.value(t.Elem, elem(v, 0))
		j.write("}")
	default:
		j.value(t.Elem, elem(v, 0))
	}
}

func (j *jsonWriter) flags(t *wit.Type, v *wit.Value) {
	var set []string
	for i, l := range t.Labels {
		if v.Bits>>i&1 == 1 {
			set = append(set, l)
		}
	}
	j.sequence("[", "]", len(set), func(i int) { j.str(set[i]) })
}

func (j *jsonWriter) scalar(t *wit.Type, v *wit.Value) {
	switch t.Kind {
	case wit.KindF32, wit.KindF64:
		if n := floatOf(t, v); n != n || math.IsInf(n, 0) {
			j.write(`"`)
			defer j.write(`"`)
		}
		j.formatter.scalar(t, v)
	case wit.KindChar:
		j.str(string(rune(min(v.Bits, math.MaxInt32))))
	case wit.KindString:
		j.str(v.Str)
	default:
		j.formatter.scalar(t, v)
	}
}
