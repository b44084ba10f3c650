package wit_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
)

func field(n string, t *wit.Type) wit.Field { return wit.Field{Name: n, Type: t} }
func kase(n string, t *wit.Type) wit.Case   { return wit.Case{Name: n, Type: t} }

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("n%d", i)
	}
	return out
}

func option(t *wit.Type) *wit.Type { return must(wit.NewOption(t)) }
func list(t *wit.Type) *wit.Type   { return must(wit.NewList(t)) }
func tuple(t ...*wit.Type) *wit.Type {
	return must(wit.NewTuple(t...))
}
func result(ok, err *wit.Type) *wit.Type { return must(wit.NewResult(ok, err)) }

// Sizes, alignments and core signatures as the canonical ABI defines them.
func TestLayoutAndFlattening(t *testing.T) {
	t.Parallel()
	r := &wit.Resource{Name: "r"}
	for _, tt := range []struct {
		name        string
		typ         *wit.Type
		size, align uint32
		flat        string
	}{
		{"bool", wit.Bool, 1, 1, "[i32]"},
		{"s16", wit.S16, 2, 2, "[i32]"},
		{"u64", wit.U64, 8, 8, "[i64]"},
		{"f32", wit.F32, 4, 4, "[f32]"},
		{"f64", wit.F64, 8, 8, "[f64]"},
		{"char", wit.Char, 4, 4, "[i32]"},
		{"string", wit.String, 8, 4, "[i32 i32]"},
		{"list", list(wit.U64), 8, 4, "[i32 i32]"},
		{"map", must(wit.NewMap(wit.String, wit.U64)), 8, 4, "[i32 i32]"},
		{"fixed list", must(wit.NewFixedList(wit.U16, 3)), 6, 2, "[i32 i32 i32]"},
		{"own", wit.NewOwn(r), 4, 4, "[i32]"},
		{"stream", must(wit.NewStream(wit.U64)), 4, 4, "[i32]"},
		{"padded record", must(wit.NewRecord(field("a", wit.U8), field("b", wit.U32), field("c", wit.U8))), 12, 4, "[i32 i32 i32]"},
		{"tuple ends aligned", tuple(wit.U64, wit.U8), 16, 8, "[i64 i32]"},
		{"nested tuple", tuple(wit.U8, tuple(wit.U16, wit.U8), wit.U8), 8, 2, "[i32 i32 i32 i32]"},
		{"flags 1", must(wit.NewFlags(names(1)...)), 1, 1, "[i32]"},
		{"flags 8", must(wit.NewFlags(names(8)...)), 1, 1, "[i32]"},
		{"flags 9", must(wit.NewFlags(names(9)...)), 2, 2, "[i32]"},
		{"flags 17", must(wit.NewFlags(names(17)...)), 4, 4, "[i32]"},
		{"enum 256", must(wit.NewEnum(names(256)...)), 1, 1, "[i32]"},
		{"enum 257", must(wit.NewEnum(names(257)...)), 2, 2, "[i32]"},
		{"enum 65536", must(wit.NewEnum(names(65536)...)), 2, 2, "[i32]"},
		{"option u8", option(wit.U8), 2, 1, "[i32 i32]"},
		{"option u64", option(wit.U64), 16, 8, "[i32 i64]"},
		{"result empty", result(nil, nil), 1, 1, "[i32]"},
		{"result joins i32 and f32", result(wit.U32, wit.F32), 8, 4, "[i32 i32]"},
		{"result joins i32 and i64", result(wit.U32, wit.U64), 16, 8, "[i32 i64]"},
		{"result joins f32 and f64", result(wit.F32, wit.F64), 16, 8, "[i32 i64]"},
		{"result keeps f64", result(wit.F64, nil), 16, 8, "[i32 f64]"},
		{"variant of strings", must(wit.NewVariant(kase("a", wit.String), kase("b", tuple(wit.F32, wit.F32, wit.F32)))), 16, 4, "[i32 i32 i32 f32]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.size, tt.typ.Size, "size")
			require.Equal(t, tt.align, tt.typ.Align, "align")
			require.Equal(t, tt.flat, fmt.Sprint(tt.typ.Flat))
		})
	}
	require.Equal(t, []uint32{0, 4, 8, 16}, tuple(wit.U8, wit.U32, wit.U8, wit.U64).Offsets())
	v := must(wit.NewVariant(kase("a", nil), kase("b", wit.U64)))
	require.Equal(t, []uint32{8, 1}, []uint32{v.Payload(), v.DiscSize()})
}

func TestFlatIsCutWhereItDoesNotFit(t *testing.T) {
	t.Parallel()
	wide := must(wit.NewFixedList(wit.U8, wit.MaxFlatParams))
	require.True(t, wide.FitsFlat(wit.MaxFlatParams))
	for _, typ := range []*wit.Type{must(wit.NewFixedList(wit.U8, 1<<20)), tuple(wide, wit.U8), option(wide), result(wide, wit.U64), must(wit.NewFixedList(tuple(wide, wide), 9))} {
		require.False(t, typ.FitsFlat(wit.MaxFlatParams))
		require.Len(t, typ.Flat, wit.MaxFlatParams+1)
	}
}

func TestTypesThatAreRefused(t *testing.T) {
	t.Parallel()
	r := &wit.Resource{}
	deep := wit.U8
	for range wit.MaxDepth - 1 {
		deep = list(deep)
	}
	large := must(wit.NewFixedList(wit.U8, wit.MaxSize-1))
	// Few definitions, but more types than any walk would survive.
	bushy, err := wit.U8, error(nil)
	for err == nil {
		var next *wit.Type
		if next, err = wit.NewTuple(bushy, bushy); err == nil {
			bushy = list(next)
		}
	}
	require.ErrorIs(t, err, wit.ErrTypeParts)
	refused := func(want error) func(*wit.Type, error) {
		return func(typ *wit.Type, err error) {
			t.Helper()
			require.ErrorIs(t, err, want)
			require.Nil(t, typ)
		}
	}
	refused(wit.ErrTypeEmpty)(wit.NewRecord())
	refused(wit.ErrTypeEmpty)(wit.NewTuple())
	refused(wit.ErrTypeEmpty)(wit.NewVariant())
	refused(wit.ErrTypeEmpty)(wit.NewEnum())
	refused(wit.ErrTypeEmpty)(wit.NewFlags())
	refused(wit.ErrTypeEmpty)(wit.NewFixedList(wit.U8, 0))
	refused(wit.ErrTypeParts)(wit.NewFlags(names(33)...))
	refused(wit.ErrTypeParts)(wit.NewEnum(names(wit.MaxCases + 1)...))
	refused(wit.ErrTypeTooDeep)(wit.NewList(deep))
	refused(wit.ErrTypeTooDeep)(wit.NewOption(deep))
	refused(wit.ErrTypeTooDeep)(wit.NewRecord(field("a", deep)))
	refused(wit.ErrTypeTooLarge)(wit.NewFixedList(wit.U64, 1<<31))
	refused(wit.ErrTypeTooLarge)(wit.NewFixedList(wit.U8, wit.MaxSize))
	refused(wit.ErrTypeTooLarge)(wit.NewTuple(large, wit.U64))
	refused(wit.ErrTypeTooLarge)(wit.NewOption(large))
	refused(wit.ErrTypeBorrow)(wit.NewStream(list(wit.NewBorrow(r))))
	refused(wit.ErrTypeBorrow)(wit.NewFuture(wit.NewBorrow(r)))
	refused(wit.ErrTypeMapKey)(wit.NewMap(wit.F32, wit.U8))
	refused(wit.ErrTypeMapKey)(wit.NewMap(list(wit.U8), wit.U8))
	refused(wit.ErrTypeMapKey)(wit.NewMap(wit.ErrorContext, wit.U8))
}

func TestProps(t *testing.T) {
	t.Parallel()
	r := &wit.Resource{}
	for _, tt := range []struct {
		typ  *wit.Type
		want wit.Props
	}{
		{tuple(wit.U8, wit.F64), 0},
		{must(wit.NewFixedList(wit.U64, 4)), 0},
		{tuple(wit.U8, wit.Bool), wit.NeedsCheck},
		{list(wit.U8), wit.HasPointer},
		{wit.String, wit.HasPointer | wit.NeedsCheck},
		{must(wit.NewFlags("a")), wit.NeedsCheck},
		{list(wit.NewBorrow(r)), wit.HasPointer | wit.HasHandle | wit.HasBorrow | wit.NeedsCheck},
		{result(nil, wit.NewOwn(r)), wit.HasHandle | wit.NeedsCheck},
		{must(wit.NewStream(wit.String)), wit.HasAsync | wit.NeedsCheck},
		{option(must(wit.NewFuture(wit.NewOwn(r)))), wit.HasAsync | wit.HasHandle | wit.NeedsCheck},
	} {
		require.Equal(t, tt.want, tt.typ.Props, tt.typ)
		require.Equal(t, tt.want == 0, tt.typ.BitCopyable(), tt.typ)
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	r, s := &wit.Resource{Name: "r"}, &wit.Resource{Name: "r"}
	distinct := []*wit.Type{
		nil, wit.Bool, wit.U8, wit.S8, wit.ErrorContext, list(wit.U8), list(wit.S8), must(wit.NewFixedList(wit.U8, 2)), must(wit.NewFixedList(wit.U8, 3)),
		must(wit.NewMap(wit.U8, wit.U8)), list(tuple(wit.U8, wit.U8)), tuple(wit.U8), tuple(wit.U8, wit.U8),
		must(wit.NewRecord(field("a", wit.U8))), must(wit.NewRecord(field("b", wit.U8))), must(wit.NewRecord(field("a", wit.S8))),
		must(wit.NewVariant(kase("none", nil), kase("some", wit.U8))), option(wit.U8), option(wit.S8), must(wit.NewVariant(kase("none", nil), kase("some", nil))),
		must(wit.NewEnum("none", "some")), must(wit.NewFlags("none", "some")), must(wit.NewFlags("some", "none")),
		result(nil, nil), result(wit.U8, nil), result(nil, wit.U8), wit.NewOwn(r), wit.NewOwn(s), wit.NewBorrow(r), wit.NewBorrow(s),
		must(wit.NewStream(nil)), must(wit.NewStream(wit.U8)), must(wit.NewFuture(nil)), must(wit.NewFuture(wit.U8)), must(wit.NewFuture(wit.NewOwn(r))), must(wit.NewFuture(wit.NewOwn(s))),
	}
	for i, a := range distinct {
		for j, b := range distinct {
			require.Equal(t, i == j, wit.Equal(a, b), "%s and %s", a, b)
		}
	}
	require.True(t, wit.Equal(option(list(wit.U8)), option(list(wit.U8)).Named("x")))
	f := func(async bool, name string, p, res *wit.Type) *wit.Func {
		return &wit.Func{Async: async, Params: []wit.Param{{Name: name, Type: p}}, Result: res}
	}
	require.True(t, wit.EqualFunc(f(false, "a", wit.U8, nil), f(false, "a", wit.U8, nil)))
	for _, g := range []*wit.Func{f(true, "a", wit.U8, nil), f(false, "b", wit.U8, nil), f(false, "a", wit.S8, nil), f(false, "a", wit.U8, wit.U8), {}} {
		require.False(t, wit.EqualFunc(f(false, "a", wit.U8, nil), g))
	}
}

func TestMap(t *testing.T) {
	t.Parallel()
	r, s, other := &wit.Resource{Name: "r"}, &wit.Resource{Name: "s"}, &wit.Resource{Name: "other"}
	swap := func(x *wit.Resource) *wit.Resource {
		if x == r {
			return s
		}
		return x
	}
	build := func(x *wit.Resource) *wit.Type {
		return must(wit.NewRecord(
			field("a", option(wit.NewOwn(x))), field("b", list(wit.NewBorrow(x))), field("c", must(wit.NewStream(tuple(wit.NewOwn(x), wit.U8)))),
			field("d", result(must(wit.NewMap(wit.U8, wit.NewOwn(x))), wit.String)), field("e", wit.NewOwn(other))))
	}
	got := wit.Map(build(r), swap)
	require.True(t, wit.Equal(build(s), got))
	require.Same(t, s, got.Fields[0].Type.Elem.Resource, "an option's element is mapped as its case is")
	unchanged := build(other)
	require.Same(t, unchanged, wit.Map(unchanged, swap))
	require.Nil(t, wit.Map(nil, swap))
	// Options must not be walked twice at each level.
	deep := wit.NewOwn(r)
	for range 60 {
		deep = option(deep)
	}
	require.Equal(t, deep.Size, wit.Map(deep, swap).Size)
}

func TestHasResources(t *testing.T) {
	t.Parallel()
	r := &wit.Resource{}
	own := must(wit.NewStream(wit.NewOwn(r)))
	with := func(f *wit.Func) bool { return (&wit.Interface{Funcs: []*wit.Func{f}}).HasResources() }
	require.False(t, with(&wit.Func{Params: []wit.Param{{Type: must(wit.NewStream(wit.U8))}}, Result: wit.String}))
	require.True(t, with(&wit.Func{Result: own}))
	require.True(t, with(&wit.Func{Params: []wit.Param{{Type: list(wit.NewBorrow(r))}}}))
	require.True(t, (&wit.Interface{Types: []wit.TypeDef{{Name: "r", Resource: r}}}).HasResources())
}

func TestTypeString(t *testing.T) {
	t.Parallel()
	r := &wit.Resource{Name: "use"}
	for _, tt := range []struct {
		typ  *wit.Type
		want string
	}{
		{wit.ErrorContext, "error-context"},
		{must(wit.NewFixedList(wit.U8, 4)), "list<u8, 4>"},
		{must(wit.NewMap(wit.String, list(wit.U8))), "map<string, list<u8>>"},
		{result(nil, nil), "result"},
		{result(wit.U8, nil), "result<u8>"},
		{result(nil, wit.U8), "result<_, u8>"},
		{tuple(wit.NewOwn(r), wit.NewBorrow(r)), "tuple<%use, borrow<%use>>"},
		{must(wit.NewStream(nil)), "stream"},
		{must(wit.NewFuture(option(wit.Char))), "future<option<char>>"},
		{must(wit.NewRecord(field("list", wit.U8), field("b", must(wit.NewEnum("x", "y")).Named("e")))), "record { %list: u8, b: e }"},
		{must(wit.NewVariant(kase("a", nil), kase("b", wit.U8))), "variant { a, b(u8) }"},
		{must(wit.NewFlags("a", "b")), "flags { a, b }"},
		{must(wit.NewFlags("a")).Named("type"), "%type"},
	} {
		require.Equal(t, tt.want, tt.typ.String())
	}
	require.Equal(t, "flags { a }", must(wit.NewFlags("a")).Named("x").Structure())
	require.Equal(t, "f: async func(a: u8) -> bool", (&wit.Func{Name: "f", Async: true, Params: []wit.Param{{Name: "a", Type: wit.U8}}, Result: wit.Bool}).String())
}
