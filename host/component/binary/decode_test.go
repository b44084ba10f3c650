package binary_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/binary"
	. "github.com/lathhost/lath/host/component/binary/binarytest"
)

// decode decodes one section's items into definitions.
func decode(t *testing.T, id byte, items ...[]byte) []binary.Def {
	t.Helper()
	c, err := binary.Decode(Component(Section(id, items...)), binary.Limits{})
	require.NoError(t, err)
	return c.Defs
}

// decodeErr returns the error that decoding gives; every decoding error has an
// offset inside the input.
func decodeErr(t *testing.T, b []byte, lim binary.Limits) *binary.Error {
	t.Helper()
	c, err := binary.Decode(b, lim)
	require.Nil(t, c)
	var e *binary.Error
	require.ErrorAs(t, err, &e)
	require.GreaterOrEqual(t, e.Offset, 0)
	require.LessOrEqual(t, e.Offset, len(b))
	return e
}

func TestPreamble(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                 "not a WebAssembly component",
		"\x00as":                           "not a WebAssembly component",
		"(component)":                      "not a WebAssembly component",
		"\x00asm\x0d":                      "unexpected end in the preamble",
		"\x00asm\x01\x00\x00\x00":          "this is a core module",
		"\x00asm\x0c\x00\x01\x00":          "unknown binary version",
		"\x00asm\x0d\x00\x01\x00\x0d\x00":  "malformed section id 13",
		"\x00asm\x0d\x00\x01\x00\x07\x05a": "section of 5 bytes, 1 left",
	} {
		require.Contains(t, decodeErr(t, []byte(in), binary.Limits{}).Error(), want, "%q", in)
	}
	c, err := binary.Decode(Component(), binary.Limits{})
	require.NoError(t, err)
	require.Empty(t, c.Defs)
}

func TestErrorHasOffset(t *testing.T) {
	t.Parallel()
	e := decodeErr(t, Component(Section(Type, []byte{0x73}, []byte{0x01})), binary.Limits{})
	require.Equal(t, 12, e.Offset)
	require.Equal(t, "at 0xc: invalid leading byte 0x01 for component type", e.Error())
}

func TestCustomSectionsAreSkipped(t *testing.T) {
	t.Parallel()
	c, err := binary.Decode(Component(Raw(0, Cat("producers", []byte{0xff, 0xfe})), Section(Type, []byte{0x73}), Raw(0, Cat("x"))), binary.Limits{})
	require.NoError(t, err)
	require.Len(t, c.Defs, 1)
	require.Contains(t, decodeErr(t, Component(Raw(0, []byte{5, 'a'})), binary.Limits{}).Msg, "unexpected end")
	require.Contains(t, decodeErr(t, Component(Raw(0, []byte{1, 0xff})), binary.Limits{}).Msg, "malformed UTF-8")
}

func TestModuleBytesAliasInput(t *testing.T) {
	t.Parallel()
	b := Component(Raw(CoreModule, Module()))
	c, err := binary.Decode(b, binary.Limits{})
	require.NoError(t, err)
	m := c.Defs[0].(*binary.CoreModule)
	require.Equal(t, 10, m.Pos())
	require.Same(t, &b[10], &m.Bytes[0])
	require.Contains(t, decodeErr(t, Component(Raw(CoreModule, Component())), binary.Limits{}).Msg, "does not hold a core module")
}

func TestNames(t *testing.T) {
	t.Parallel()
	desc := []byte{0x01, 0x00}
	defs := decode(t, Import,
		Cat(byte(0), "a", desc), Cat(byte(1), "b", desc),
		Cat(byte(2), "c", Vec(Cat(byte(0), "x:y/z"), Cat(byte(1), ".3"), Cat(byte(2), "id")), desc))
	require.Equal(t, binary.ExternName{Name: "a"}, defs[0].(*binary.Import).Name)
	require.Equal(t, binary.ExternName{Name: "b"}, defs[1].(*binary.Import).Name)
	require.Equal(t, binary.ExternName{Name: "c", Implements: "x:y/z", VersionSuffix: ".3", ExternalID: "id",
		Has: binary.AttrImplements | binary.AttrVersionSuffix | binary.AttrExternalID}, defs[2].(*binary.Import).Name)

	for want, name := range map[string][]byte{
		"invalid leading byte 0x03 for import": Cat(byte(3), "a"),
		"duplicate attribute":                  Cat(byte(2), "a", Vec(Cat(byte(2), "x"), Cat(byte(2), "y"))),
		"invalid leading byte 0x03 for attr":   Cat(byte(2), "a", Vec(Cat(byte(3), "x"))),
	} {
		require.Contains(t, decodeErr(t, Component(Section(Import, Cat(name, desc))), binary.Limits{}).Msg, want)
	}
}

func TestTypes(t *testing.T) {
	t.Parallel()
	str, idx := binary.ValType{Primitive: 0x73}, binary.ValType{Index: 200}
	five := uint32(5)
	for _, c := range []struct {
		bytes []byte
		want  binary.DefType
	}{
		{[]byte{0x64}, &binary.PrimType{Primitive: 0x64}},
		{Cat(byte(0x72), Vec(Cat("a", byte(0x73)))), &binary.RecordType{Fields: []binary.NamedType{{Name: "a", Type: &str}}}},
		{Cat(byte(0x71), Vec(Cat("a", byte(1), 200, byte(0)), Cat("b", byte(0), byte(0)))),
			&binary.VariantType{Cases: []binary.NamedType{{Name: "a", Type: &idx}, {Name: "b"}}}},
		{Cat(byte(0x70), 200), &binary.ListType{Elem: idx}},
		{Cat(byte(0x67), byte(0x73), 9), &binary.ListType{Elem: str, Fixed: true, Len: 9}},
		{Cat(byte(0x6f), Vec([]byte{0x73}, U(200))), &binary.TupleType{Elems: []binary.ValType{str, idx}}},
		{Cat(byte(0x6e), Vec(Name("f"))), &binary.FlagsType{Labels: []string{"f"}}},
		{Cat(byte(0x6d), Vec(Name("e"))), &binary.EnumType{Labels: []string{"e"}}},
		{[]byte{0x6b, 0x73}, &binary.OptionType{Elem: str}},
		{Cat(byte(0x6a), byte(1), byte(0x73), byte(1), 200), &binary.ResultType{Ok: &str, Err: &idx}},
		{[]byte{0x6a, 0, 0}, &binary.ResultType{}},
		{[]byte{0x69, 5}, &binary.OwnType{Resource: 5}},
		{[]byte{0x68, 5}, &binary.BorrowType{Resource: 5}},
		{[]byte{0x66, 1, 0x73}, &binary.StreamType{Elem: &str}},
		{[]byte{0x65, 0}, &binary.FutureType{}},
		{Cat(byte(0x63), byte(0x73), 200), &binary.MapType{Key: str, Value: idx}},
		{Cat(byte(0x40), Vec(Cat("p", byte(0x73))), byte(0), 200),
			&binary.FuncType{Params: []binary.NamedType{{Name: "p", Type: &str}}, Result: &idx}},
		{[]byte{0x43, 0, 1, 0}, &binary.FuncType{Async: true}},
		{[]byte{0x3f, 0x7f, 1, 5}, &binary.ResourceType{Rep: 0x7f, Dtor: &five}},
		{[]byte{0x41, 0}, &binary.ComponentType{}},
	} {
		defs := decode(t, Type, c.bytes)
		require.Equal(t, c.want, defs[0].(*binary.TypeDef).Type, "% x", c.bytes)
	}
}

func TestBadTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bytes []byte
		want  string
	}{
		{[]byte{0x62}, "invalid leading byte 0x62 for component type"},
		{[]byte{0x70, 0x50}, "invalid leading byte 0x50 for component value type"},
		{[]byte{0x70, 0xff, 0x7f}, "invalid type index"},
		{[]byte{0x70, 0x80, 0x80, 0x80, 0x80, 0x10}, "invalid type index"},
		{[]byte{0x70, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, "invalid type index"},
		{[]byte{0x69, 0x80, 0x80, 0x80, 0x80, 0x10}, "integer too large"},
		{[]byte{0x69, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, "integer representation too long"},
		{[]byte{0x71, 1, 1, 'a', 0, 1}, "variant case: unexpected byte 0x01"},
		{[]byte{0x40, 0, 2}, "result list: invalid leading byte 0x02"},
		{[]byte{0x40, 0, 1, 1}, "result list: unexpected byte 0x01"},
		{[]byte{0x42, 1, 0x03, 0}, "invalid leading byte 0x03 for declaration"},
		{Cat(byte(0x72), 1<<30), "vector of 1073741824"},
	} {
		e := decodeErr(t, Component(Section(Type, c.bytes)), binary.Limits{})
		require.Contains(t, e.Msg, c.want, "% x", c.bytes)
	}
}

func TestCanonOpcodes(t *testing.T) {
	t.Parallel()
	str := binary.ValType{Primitive: 0x73}
	memory := []binary.CanonOption{{At: 0, Kind: binary.OptMemory, Index: 7}}
	opts := Vec([]byte{0x03, 7})
	for _, c := range []struct {
		bytes []byte
		want  binary.Canon
	}{
		{Cat([]byte{0x00, 0x00}, 3, opts, 4), binary.Canon{Func: 3, Type: 4, Options: memory}},
		{Cat([]byte{0x01, 0x00}, 3, opts), binary.Canon{Op: binary.CanonLower, Func: 3, Options: memory}},
		{[]byte{0x02, 4}, binary.Canon{Op: binary.CanonResourceNew, Type: 4}},
		{[]byte{0x03, 4}, binary.Canon{Op: binary.CanonResourceDrop, Type: 4}},
		{[]byte{0x04, 4}, binary.Canon{Op: binary.CanonResourceRep, Type: 4}},
		{[]byte{0x05}, binary.Canon{Op: binary.CanonTaskCancel}},
		{[]byte{0x06, 1}, binary.Canon{Op: binary.CanonSubtaskCancel, Async: true}},
		{Cat([]byte{0x09, 0x00, 0x73}, opts), binary.Canon{Op: binary.CanonTaskReturn, Result: &str, Options: memory}},
		{[]byte{0x0a, 0x7f, 1}, binary.Canon{Op: binary.CanonContextGet, Context: 0x7f, Slot: 1}},
		{[]byte{0x0b, 0x7f, 0}, binary.Canon{Op: binary.CanonContextSet, Context: 0x7f}},
		{[]byte{0x0c, 0}, binary.Canon{Op: binary.CanonThreadYield}},
		{[]byte{0x0e, 4}, binary.Canon{Op: binary.CanonStreamNew, Type: 4}},
		{Cat([]byte{0x0f, 4}, opts), binary.Canon{Op: binary.CanonStreamRead, Type: 4, Options: memory}},
		{[]byte{0x12, 4, 1}, binary.Canon{Op: binary.CanonStreamCancelWrite, Type: 4, Async: true}},
		{[]byte{0x1b, 4}, binary.Canon{Op: binary.CanonFutureDropWritable, Type: 4}},
		{Cat(byte(0x1c), opts), binary.Canon{Op: binary.CanonErrorContextNew, Options: memory}},
		{[]byte{0x20, 1, 7}, binary.Canon{Op: binary.CanonWaitableSetWait, Async: true, Memory: 7}},
		{[]byte{0x27, 4, 6}, binary.Canon{Op: binary.CanonThreadNewIndirect, Type: 4, Table: 6}},
		{[]byte{0x2d, 1}, binary.Canon{Op: binary.CanonThreadYieldThenPromote, Async: true}},
		{[]byte{0x41, 1, 4, 6}, binary.Canon{Op: binary.CanonThreadSpawnIndirect, Shared: true, Type: 4, Table: 6}},
	} {
		got := decode(t, Canon, c.bytes)[0].(*binary.Canon)
		got.At = 0
		for i := range got.Options {
			got.Options[i].At = 0
		}
		require.Equal(t, &c.want, got, "% x", c.bytes)
	}
	for _, op := range []byte{0x07, 0x08, 0x2e, 0x43, 0xff} {
		require.Contains(t, decodeErr(t, Component(Section(Canon, []byte{op, 0})), binary.Limits{}).Msg, "canonical")
	}
	require.Contains(t, decodeErr(t, Component(Section(Canon, []byte{0x1c, 1, 0x08, 0})), binary.Limits{}).Msg, "canonical option")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	nest := func(n int) []byte {
		c := Component()
		for range n {
			c = Component(Raw(Nested, c))
		}
		return c
	}
	types := func(n int) []byte {
		b := []byte{0x42, 0}
		for range n {
			b = Cat(byte(0x42), Vec(Cat(byte(1), b)))
		}
		return Component(Section(Type, b))
	}
	list := Component(Section(Type, []byte{0x73}, []byte{0x73}, []byte{0x73}))
	imports := Component(Section(Import, Cat(Extern("long"), byte(3), byte(1)), Cat(Extern("b"), byte(3), byte(1))))
	instances := Component(Section(Instance, []byte{1, 0}, []byte{1, 0}), Section(CoreInstance, []byte{1, 0}))
	modules := Component(Raw(CoreModule, Module()), Raw(CoreModule, Module()))
	for _, c := range []struct {
		what  string
		b     []byte
		fits  binary.Limits
		tight binary.Limits
	}{
		{"nesting", nest(3), binary.Limits{Depth: 3}, binary.Limits{Depth: 2}},
		{"nesting of types", types(2), binary.Limits{Depth: 3}, binary.Limits{Depth: 2}},
		{"types", list, binary.Limits{Types: 3}, binary.Limits{Types: 2}},
		{"items", list, binary.Limits{Items: 3}, binary.Limits{Items: 2}},
		{"bytes", list, binary.Limits{Bytes: len(list)}, binary.Limits{Bytes: len(list) - 1}},
		{"externs", imports, binary.Limits{Externs: 2}, binary.Limits{Externs: 1}},
		{"names", imports, binary.Limits{NameBytes: 4}, binary.Limits{NameBytes: 3}},
		{"instances", instances, binary.Limits{Instances: 3}, binary.Limits{Instances: 2}},
		{"modules", modules, binary.Limits{Modules: 2}, binary.Limits{Modules: 1}},
	} {
		_, err := binary.Decode(c.b, c.fits)
		require.NoError(t, err, c.what)
		require.Contains(t, decodeErr(t, c.b, c.tight).Msg, "limit exceeded", c.what)
	}
	require.Contains(t, decodeErr(t, nest(101), binary.Limits{}).Msg, "nesting deeper than 100")
}

// TestTruncated cuts a component with every kind of section after each byte.
func TestTruncated(t *testing.T) {
	t.Parallel()
	whole := everything()
	_, err := binary.Decode(whole, binary.Limits{})
	require.NoError(t, err)
	ends := 0
	for n := range whole {
		c, err := binary.Decode(whole[:n], binary.Limits{})
		if err == nil { // only between two sections
			ends++
			continue
		}
		require.Nil(t, c)
		var e *binary.Error
		require.True(t, errors.As(err, &e))
		require.LessOrEqual(t, e.Offset, n)
	}
	require.Equal(t, 12, ends)
}

// everything is one component with every kind of section, not valid.
func everything() []byte {
	return Component(
		Raw(CoreModule, Module()),
		Section(CoreInstance, []byte{0, 0, 0}, Cat(byte(1), Vec(Cat("f", byte(0), 0)))),
		Section(CoreType, []byte{0x60, 0, 0}, Cat(byte(0x50), Vec(
			Cat(byte(1), []byte{0x60, 0, 0}), Cat(byte(0), "m", "n", []byte{0, 0}),
			[]byte{2, 0x10, 1, 1, 0}, Cat(byte(3), "e", []byte{2, 1, 1, 2})))),
		Raw(Nested, Component()),
		Section(Instance, []byte{0, 0, 0}, Cat(byte(1), Vec(Cat(Extern("a"), byte(1), 0)))),
		Section(Alias, Cat([]byte{1, 0, 0}, "a"), Cat([]byte{0, 0, 1, 0}, "f"), []byte{3, 2, 1, 0}),
		Section(Type, Cat(byte(0x41), Vec(Cat(byte(3), Extern("i"), []byte{3, 1}), Cat(byte(4), Extern("e"), []byte{3, 0, 0}), []byte{2, 3, 2, 1, 0}))),
		Section(Canon, []byte{0x24}),
		Raw(Start, []byte{0, 0, 0}),
		Section(Import, Cat(Extern("i"), []byte{1, 0})),
		Section(Export, Cat(Extern("e"), []byte{1, 0, 0}), Cat(Extern("f"), []byte{1, 0, 1, 1, 0})),
		Section(Value, []byte{0x7f, 1, 1}),
	)
}

func FuzzDecode(f *testing.F) {
	f.Add(everything())
	f.Add(Component(Section(Import, Cat(byte(2), "c", Vec(Cat(byte(0), "x:y/z")), []byte{1, 0}))))
	f.Add([]byte(strings.Repeat("\x00", 8)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := binary.Decode(b, binary.Limits{Items: 10_000})
		if (c == nil) == (err == nil) {
			t.Fatalf("component %v and error %v", c, err)
		}
		if err != nil {
			return
		}
		for _, d := range c.Defs {
			if m, ok := d.(*binary.CoreModule); ok {
				if m, err := binary.DecodeModule(m, binary.Limits{}); (m == nil) == (err == nil) {
					t.Fatalf("module %v and error %v", m, err)
				}
			}
		}
	})
}
