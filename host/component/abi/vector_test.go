package abi_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	"github.com/stretchr/testify/require"
)

// vectorFile is values and traps that the specification's reference
// implementation computed. The variable LATH_ABI_VECTORS names another file.
type vectorFile struct {
	Vectors []vector
	Traps   []vector
}

type vector struct {
	Type       json.RawMessage
	Value      json.RawMessage
	Encoding   string
	Size       uint32
	Align      uint32
	Ptr        uint32
	Memory     string
	FlatTypes  []string  `json:"flat_types"`
	FlatValues *[]string `json:"flat_values"`
	FlatMemory string    `json:"flat_memory"`
}

// subject is a vector with its parts read.
type subject struct {
	vector
	t    *wit.Type
	enc  abi.Encoding
	wire []byte // of the value
	mem  []byte
	prog *abi.Wire
}

func loadVectors(t *testing.T) vectorFile {
	path := filepath.Join("testdata", "canonical-abi.json")
	if p := os.Getenv("LATH_ABI_VECTORS"); p != "" {
		path = p
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var f vectorFile
	d := json.NewDecoder(bytes.NewReader(b))
	require.NoError(t, d.Decode(&f))
	require.NotEmpty(t, f.Vectors, "no vectors in %s", path)
	require.NotEmpty(t, f.Traps, "no traps in %s", path)
	return f
}

func newSubject(v vector) (*subject, error) {
	s := &subject{vector: v}
	var ok bool
	if s.enc, ok = map[string]abi.Encoding{"utf8": abi.UTF8, "utf16": abi.UTF16, "latin1+utf16": abi.Latin1UTF16}[v.Encoding]; !ok {
		return nil, fmt.Errorf("unknown encoding %q", v.Encoding)
	}
	var err error
	if s.t, err = vectorType(v.Type); err != nil {
		return nil, err
	}
	if s.mem, err = hex.DecodeString(v.Memory); err != nil {
		return nil, err
	}
	s.prog, err = abi.CompileWire([]*wit.Type{s.t}, s.enc)
	return s, err
}

func TestVectors(t *testing.T) {
	t.Parallel()
	f := loadVectors(t)
	subjects := make([]*subject, len(f.Vectors))
	for i, v := range f.Vectors {
		s, err := newSubject(v)
		require.NoErrorf(t, err, "vector %d: %s", i, v.Type)
		value, err := vectorValue(s.t, v.Value)
		require.NoErrorf(t, err, "vector %d: %s of %s", i, v.Value, v.Type)
		s.wire, err = wire.Append(nil, s.t, value)
		require.NoErrorf(t, err, "vector %d: %s of %s", i, v.Value, v.Type)
		subjects[i] = s
	}
	traps := make([]*subject, len(f.Traps))
	for i, v := range f.Traps {
		s, err := newSubject(v)
		require.NoErrorf(t, err, "trap %d: %s", i, v.Type)
		traps[i] = s
	}
	for _, check := range []struct {
		name  string
		of    []*subject
		check func(*testing.T, *subject) bool
	}{
		{"Layout", subjects, checkLayout},
		{"LowerMemory", subjects, checkLowerMemory},
		{"LowerFlat", subjects, checkLowerFlat},
		{"LiftMemory", subjects, checkLiftMemory},
		{"LiftFlat", subjects, checkLiftFlat},
		{"Transfer", subjects, checkTransfer},
		{"Trap", traps, checkTrap},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			done := 0
			for i, s := range check.of {
				if check.check(t, s) {
					done++
				}
				if t.Failed() {
					t.Fatalf("%s %d: type %s, value %s, encoding %s", check.name, i, s.Type, s.Value, s.Encoding)
				}
			}
			require.Positive(t, done)
			t.Logf("%d of %d", done, len(check.of))
		})
	}
}

// The checks report whether the vector has what they check: only values of at
// most 16 flat types have a flat form.

func checkLayout(t *testing.T, s *subject) bool {
	require.Equal(t, s.Size, s.t.Size)
	require.Equal(t, s.Align, s.t.Align)
	require.Equal(t, s.Size, s.prog.Size())
	require.Equal(t, s.Align, s.prog.Align())
	var names []string
	for _, c := range s.prog.CoreTypes() {
		names = append(names, c.String())
	}
	want := s.FlatTypes[:min(len(s.FlatTypes), wit.MaxFlatParams+1)]
	require.Equal(t, want, names)
	require.Equal(t, len(s.FlatTypes) <= wit.MaxFlatParams, s.FlatValues != nil, "flat form is missing")
	return true
}

func checkLowerMemory(t *testing.T, s *subject) bool {
	g, b := newGuest(nil)
	ptr := alloc(t, g, s.Align, s.Size)
	require.Equal(t, s.Ptr, ptr)
	rest, err := s.prog.LowerMem(g, nil, append(slices.Clone(s.wire), 0xee), ptr)
	require.NoError(t, err)
	require.Equal(t, []byte{0xee}, rest)
	require.Equal(t, s.Memory, hex.EncodeToString(b.mem))
	return true
}

func checkLowerFlat(t *testing.T, s *subject) bool {
	if s.FlatValues == nil {
		return false
	}
	g, b := newGuest(nil)
	stack := slices.Repeat([]uint64{0xdeadbeefdeadbeef}, len(s.FlatTypes))
	rest, err := s.prog.LowerFlat(g, nil, s.wire, stack)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, flatValues(t, s), stack)
	require.Equal(t, s.FlatMemory, hex.EncodeToString(b.mem))
	return true
}

func checkLiftMemory(t *testing.T, s *subject) bool {
	g, _ := newGuest(s.mem)
	got, err := s.prog.LiftMem(g, nil, s.Ptr, []byte{0xee})
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got[1:]))
	require.EqualValues(t, abi.DefaultBudget-len(s.wire), g.Budget)
	return true
}

func checkLiftFlat(t *testing.T, s *subject) bool {
	if s.FlatValues == nil {
		return false
	}
	g, _ := newGuest(flatMemory(t, s))
	got, err := s.prog.LiftFlat(g, nil, flatValues(t, s), nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got))
	return true
}

// checkTransfer passes the value on to a guest of each encoding, in each form,
// and lifts it there.
func checkTransfer(t *testing.T, s *subject) bool {
	for enc := abi.UTF8; enc <= abi.Latin1UTF16; enc++ {
		p, err := abi.CompileTransfer([]*wit.Type{s.t}, s.enc, enc)
		require.NoError(t, err)
		end, err := abi.CompileWire([]*wit.Type{s.t}, enc)
		require.NoError(t, err)
		transferAll(t, p, end, s)
	}
	return true
}

func transferAll(t *testing.T, p *abi.Transfer, end *abi.Wire, s *subject) {
	src, _ := newGuest(s.mem)
	dst, _ := newGuest(nil)
	ptr := alloc(t, dst, s.Align, s.Size)
	require.NoError(t, p.Mem(src, dst, s.Ptr, ptr))
	got, err := end.LiftMem(dst, nil, ptr, nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got), "memory to memory")
	if s.FlatValues == nil {
		return
	}
	out := make([]uint64, len(s.FlatTypes))
	require.NoError(t, p.MemToFlat(src, dst, s.Ptr, out))
	got, err = end.LiftFlat(dst, nil, out, nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got), "memory to flat")

	src, _ = newGuest(flatMemory(t, s))
	in := flatValues(t, s)
	ptr = alloc(t, dst, s.Align, s.Size)
	require.NoError(t, p.FlatToMem(src, dst, in, ptr))
	got, err = end.LiftMem(dst, nil, ptr, nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got), "flat to memory")

	require.NoError(t, p.Flat(src, dst, in, out))
	got, err = end.LiftFlat(dst, nil, out, nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got), "flat to flat")
}

func checkTrap(t *testing.T, s *subject) bool {
	g, _ := newGuest(s.mem)
	_, err := s.prog.LiftMem(g, nil, s.Ptr, nil)
	require.ErrorIs(t, err, &trap.Error{Code: trap.Abi}, "lift")
	p, err := abi.CompileTransfer([]*wit.Type{s.t}, s.enc, abi.UTF16)
	require.NoError(t, err)
	dst, _ := newGuest(nil)
	err = p.Mem(g, dst, s.Ptr, alloc(t, dst, s.t.Align, s.t.Size))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Abi}, "transfer")
	return true
}

func flatMemory(t *testing.T, s *subject) []byte {
	b, err := hex.DecodeString(s.FlatMemory)
	require.NoError(t, err)
	return b
}

func flatValues(t *testing.T, s *subject) []uint64 {
	vs := make([]uint64, len(*s.FlatValues))
	for i, v := range *s.FlatValues {
		var err error
		vs[i], err = strconv.ParseUint(v, 0, 64)
		require.NoError(t, err)
	}
	return vs
}

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
