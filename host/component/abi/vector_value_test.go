package abi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lathhost/lath/wit"
)

// vectorType reads a type of the file.
func vectorType(raw json.RawMessage) (*wit.Type, error) {
	var name string
	if json.Unmarshal(raw, &name) == nil {
		for k := wit.KindBool; k <= wit.KindString; k++ {
			if k.String() == name {
				return wit.Primitive(k), nil
			}
		}
		return nil, fmt.Errorf("unknown type %q", name)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil || len(parts) != 1 {
		return nil, fmt.Errorf("unknown type %s", raw)
	}
	kind := slices.Collect(maps.Keys(parts))[0]
	arg := parts[kind]
	switch kind {
	case "list", "option":
		elem, err := vectorType(arg)
		if err != nil {
			return nil, err
		}
		if kind == "list" {
			return wit.NewList(elem)
		}
		return wit.NewOption(elem)
	case "enum", "flags":
		var names []string
		if err := json.Unmarshal(arg, &names); err != nil {
			return nil, err
		}
		if kind == "enum" {
			return wit.NewEnum(names...)
		}
		return wit.NewFlags(names...)
	case "tuple", "result":
		types, err := vectorTypes(arg)
		if err != nil {
			return nil, err
		}
		if kind == "tuple" {
			return wit.NewTuple(types...)
		}
		if len(types) != 2 {
			return nil, fmt.Errorf("result of %d sides", len(types))
		}
		return wit.NewResult(types[0], types[1])
	case "record", "variant":
		return vectorNamed(kind, arg)
	}
	return nil, fmt.Errorf("unknown type %q", kind)
}

func vectorTypes(raw json.RawMessage) ([]*wit.Type, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, err
	}
	types := make([]*wit.Type, len(parts))
	for i, p := range parts {
		if string(p) == "null" {
			continue
		}
		var err error
		if types[i], err = vectorType(p); err != nil {
			return nil, err
		}
	}
	return types, nil
}

func vectorNamed(kind string, raw json.RawMessage) (*wit.Type, error) {
	var parts [][2]json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, err
	}
	var fields []wit.Field
	var cases []wit.Case
	for _, p := range parts {
		var name string
		if err := json.Unmarshal(p[0], &name); err != nil {
			return nil, err
		}
		types, err := vectorTypes(slices.Concat(json.RawMessage("["), p[1], json.RawMessage("]")))
		if err != nil {
			return nil, err
		}
		fields = append(fields, wit.Field{Name: name, Type: types[0]})
		cases = append(cases, wit.Case{Name: name, Type: types[0]})
	}
	if kind == "record" {
		return wit.NewRecord(fields...)
	}
	return wit.NewVariant(cases...)
}

// vectorValue reads a value of the file.
func vectorValue(t *wit.Type, raw json.RawMessage) (wit.Value, error) {
	switch t.Kind {
	case wit.KindBool:
		var v bool
		err := json.Unmarshal(raw, &v)
		if v {
			return wit.Value{Bits: 1}, err
		}
		return wit.Value{}, err
	case wit.KindString:
		var v wit.Value
		return v, json.Unmarshal(raw, &v.Str)
	case wit.KindList, wit.KindTuple:
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return wit.Value{}, err
		}
		return vectorElems(t, items)
	case wit.KindRecord:
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			return wit.Value{}, err
		}
		var items []json.RawMessage
		for _, f := range t.Fields {
			items = append(items, fields[f.Name])
		}
		return vectorElems(t, items)
	case wit.KindFlags, wit.KindEnum:
		return vectorNames(t, raw)
	case wit.KindVariant, wit.KindOption, wit.KindResult:
		return vectorCase(t, raw)
	}
	return vectorNumber(t, raw)
}

func vectorElems(t *wit.Type, items []json.RawMessage) (v wit.Value, err error) {
	if t.Kind != wit.KindList && len(items) != len(t.Fields) {
		return v, fmt.Errorf("%d fields of %d", len(items), len(t.Fields))
	}
	v.Elems = make([]wit.Value, len(items))
	for i, item := range items {
		elem := t.Elem
		if t.Kind != wit.KindList {
			elem = t.Fields[i].Type
		}
		if v.Elems[i], err = vectorValue(elem, item); err != nil {
			return v, err
		}
	}
	return v, nil
}

func vectorNames(t *wit.Type, raw json.RawMessage) (v wit.Value, err error) {
	var names []string
	if t.Kind == wit.KindEnum {
		names = []string{""}
		err = json.Unmarshal(raw, &names[0])
	} else {
		err = json.Unmarshal(raw, &names)
	}
	for _, n := range names {
		i := slices.Index(t.Labels, n)
		if t.Kind == wit.KindEnum {
			i = slices.IndexFunc(t.Cases, func(c wit.Case) bool { return c.Name == n })
			v.Bits = uint64(i)
		} else {
			v.Bits |= 1 << i
		}
		if i < 0 {
			return v, fmt.Errorf("unknown name %q", n)
		}
	}
	return v, err
}

func vectorCase(t *wit.Type, raw json.RawMessage) (v wit.Value, err error) {
	if string(raw) == "null" && t.Kind == wit.KindOption {
		return wit.Value{}, nil
	}
	var one map[string]json.RawMessage
	if err := json.Unmarshal(raw, &one); err != nil || len(one) != 1 {
		return v, errors.Join(err, fmt.Errorf("not one case: %s", raw))
	}
	name := slices.Collect(maps.Keys(one))[0]
	i := slices.IndexFunc(t.Cases, func(c wit.Case) bool { return c.Name == name })
	if i < 0 {
		return v, fmt.Errorf("unknown case %q", name)
	}
	v.Bits = uint64(i)
	if t.Cases[i].Type == nil {
		return v, nil
	}
	payload, err := vectorValue(t.Cases[i].Type, one[name])
	v.Elems = []wit.Value{payload}
	return v, err
}

func vectorNumber(t *wit.Type, raw json.RawMessage) (v wit.Value, err error) {
	s := strings.Trim(string(raw), `"`)
	if strings.HasPrefix(s, "-") {
		n, err := strconv.ParseInt(s, 10, 64)
		return wit.Value{Bits: uint64(n)}, err
	}
	v.Bits, err = strconv.ParseUint(s, 0, 64)
	if err != nil {
		err = fmt.Errorf("%s: %w", t.Kind, err)
	}
	return v, err
}
