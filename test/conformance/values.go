package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lathhost/lath/wit"
)

// value makes a value of type t from a literal, whose own type must be t's.
func value(t *wit.Type, c constant) (v wit.Value, err error) {
	switch t.Kind {
	case wit.KindString:
		return wit.Value{Str: c.Text}, is(c, "str")
	case wit.KindRecord, wit.KindTuple:
		return fields(t, c)
	case wit.KindList, wit.KindFixedList, wit.KindMap:
		return elements(t, c)
	case wit.KindVariant, wit.KindEnum, wit.KindOption, wit.KindResult:
		return oneCase(t, c)
	case wit.KindFlags:
		err = is(c, "flags")
		for _, name := range c.Names {
			i := slices.Index(t.Labels, name)
			if i < 0 {
				return v, fmt.Errorf("%s has no flag %q", t, name)
			}
			v.Bits |= 1 << i
		}
		return v, err
	default:
		return scalar(t, c)
	}
}

func is(c constant, want string) error {
	if c.Type != want {
		return fmt.Errorf("%s.const where %s is wanted", c.Type, want)
	}
	return nil
}

func scalar(t *wit.Type, c constant) (v wit.Value, err error) {
	if err := is(c, t.Kind.String()); err != nil {
		return v, err
	}
	text := strings.ReplaceAll(c.Text, "_", "")
	switch t.Kind {
	case wit.KindBool:
		if text == "true" {
			v.Bits = 1
		}
	case wit.KindChar:
		r, _ := utf8.DecodeRuneInString(c.Text)
		v.Bits = uint64(r)
	case wit.KindF32:
		var f float64
		f, err = strconv.ParseFloat(text, 32)
		v.Bits = uint64(math.Float32bits(float32(f)))
	case wit.KindF64:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v.Bits = math.Float64bits(f)
	case wit.KindU64:
		v.Bits, err = strconv.ParseUint(text, 0, 64)
	case wit.KindS8, wit.KindU8, wit.KindS16, wit.KindU16, wit.KindS32, wit.KindU32, wit.KindS64:
		var n int64
		n, err = strconv.ParseInt(text, 0, 64)
		v.Bits = uint64(n)
	default:
		err = fmt.Errorf("%s has no literal", t)
	}
	return v, err
}

func fields(t *wit.Type, c constant) (v wit.Value, err error) {
	if err := is(c, t.Kind.String()); err != nil {
		return v, err
	}
	if len(c.Elems) != len(t.Fields) {
		return v, fmt.Errorf("%s has %d fields, not %d", t, len(t.Fields), len(c.Elems))
	}
	v.Elems = make([]wit.Value, len(t.Fields))
	for i, f := range t.Fields {
		if t.Kind == wit.KindRecord && c.Names[i] != f.Name {
			return v, fmt.Errorf("field %q where %q is wanted", c.Names[i], f.Name)
		}
		if v.Elems[i], err = value(f.Type, c.Elems[i]); err != nil {
			return v, err
		}
	}
	return v, nil
}

func elements(t *wit.Type, c constant) (v wit.Value, err error) {
	if err := is(c, "list"); err != nil {
		return v, err
	}
	for _, e := range c.Elems {
		x, err := value(t.Elem, e)
		if err != nil {
			return v, err
		}
		v.Elems = append(v.Elems, x)
	}
	return v, nil
}

// oneCase makes a value with cases. Option and result literals name theirs in
// the keyword.
func oneCase(t *wit.Type, c constant) (v wit.Value, err error) {
	name := c.Text
	switch t.Kind {
	case wit.KindOption, wit.KindResult:
		kind, label, _ := strings.Cut(c.Type, ".")
		if kind != t.Kind.String() {
			return v, is(c, t.Kind.String())
		}
		if name = label; label == "err" {
			name = "error"
		}
	default:
		if err := is(c, t.Kind.String()); err != nil {
			return v, err
		}
	}
	i := slices.IndexFunc(t.Cases, func(c wit.Case) bool { return c.Name == name })
	if i < 0 {
		return v, fmt.Errorf("%s has no case %q", t, name)
	}
	v.Bits = uint64(i)
	payload := t.Cases[i].Type
	if (payload != nil) != (len(c.Elems) == 1) {
		return v, fmt.Errorf("case %q of %s: wrong number of payloads", name, t)
	}
	if payload != nil {
		v.Elems = make([]wit.Value, 1)
		v.Elems[0], err = value(payload, c.Elems[0])
	}
	return v, err
}

// same reports whether two values of one type are equal: floats by their bits,
// except that every NaN is one value.
func same(t *wit.Type, a, b wit.Value) bool {
	switch t.Kind {
	case wit.KindF32:
		x, y := math.Float32frombits(uint32(a.Bits)), math.Float32frombits(uint32(b.Bits))
		return a.Bits == b.Bits || x != x && y != y
	case wit.KindF64:
		x, y := math.Float64frombits(a.Bits), math.Float64frombits(b.Bits)
		return a.Bits == b.Bits || x != x && y != y
	}
	if a.Bits != b.Bits || a.Str != b.Str || len(a.Elems) != len(b.Elems) {
		return false
	}
	for i := range a.Elems {
		if !same(elemType(t, a, i), a.Elems[i], b.Elems[i]) {
			return false
		}
	}
	return true
}

// elemType is the type of the i-th part of a value.
func elemType(t *wit.Type, v wit.Value, i int) *wit.Type {
	switch {
	case len(t.Fields) > 0:
		return t.Fields[i].Type
	case len(t.Cases) > 0:
		return t.Cases[v.Bits].Type
	default:
		return t.Elem
	}
}
