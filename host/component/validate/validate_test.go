package validate_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/binary"
	. "github.com/lathhost/lath/host/component/binary/binarytest"
	"github.com/lathhost/lath/host/component/validate"
	"github.com/lathhost/lath/wit"
)

// fixture reads testdata/<dir>/<name>.wasm.
func fixture(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", dir, name+".wasm"))
	require.NoError(t, err)
	return b
}

func check(t testing.TB, b []byte, lim validate.Limits) (*validate.Info, error) {
	t.Helper()
	c, err := binary.Decode(b, binary.Limits{})
	require.NoError(t, err)
	return validate.Validate(c, lim)
}

// cases returns the comment lines of a source file of fixtures: names with
// what follows the colon.
func cases(t testing.TB, file string) map[string]string {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^;; ([^:\n]+)(?:: (.*))?$`).FindAllStringSubmatch(string(src), -1) {
		out[m[1]] = m[2]
	}
	require.NotEmpty(t, out)
	return out
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	for name, want := range cases(t, "invalid.wast") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := fixture(t, "invalid", name)
			info, err := check(t, b, validate.Limits{})
			require.Nil(t, info)
			require.ErrorContains(t, err, want)
			var e *binary.Error
			require.ErrorAs(t, err, &e)
			require.Greater(t, e.Offset, 8)
			require.Less(t, e.Offset, len(b))
		})
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	for name := range cases(t, "valid.wast") {
		_, err := check(t, fixture(t, "valid", name), validate.Limits{})
		require.NoError(t, err, name)
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	info, err := check(t, fixture(t, "valid", "store"), validate.Limits{})
	require.NoError(t, err)
	w := info.World()

	types := w.Import("test:store/types@1.2.3").Interface
	require.Equal(t, []string{"bucket", "entry"}, []string{types.Types[0].Name, types.Types[1].Name})
	bucket := types.Types[0].Resource
	require.Equal(t, "bucket", bucket.Name)
	list := types.Func("[method]bucket.list")
	require.Equal(t, "self", list.Params[0].Name)
	require.Same(t, bucket, list.Params[0].Type.Resource)
	require.Equal(t, "entry", list.Result.Elem.Name)
	require.Equal(t, "key", list.Result.Elem.Fields[0].Name)
	open := types.Func("[static]bucket.open").Result
	require.Equal(t, wit.KindResult, open.Kind)
	require.Same(t, bucket, open.Cases[0].Type.Resource)
	require.Same(t, wit.String, w.Import("log").Func.Params[0].Type)

	require.Same(t, bucket, w.Export("count").Func.Params[0].Type.Resource)
	api := w.Export("test:store/api@1.0.0").Interface
	require.Equal(t, "entry", api.Types[0].Name)
	first := api.Func("first")
	require.Same(t, bucket, first.Params[0].Type.Resource, "an instantiation puts the argument in the import's place")
	require.Equal(t, "entry", first.Result.Elem.Name)
	require.Equal(t, "entry", first.Result.Cases[1].Type.Name)
}

// TestInfoResources checks that a resource that a component defines is one
// identity in everything that it exports.
func TestInfoResources(t *testing.T) {
	t.Parallel()
	info, err := check(t, fixture(t, "valid", "generative"), validate.Limits{})
	require.NoError(t, err)
	c := info.World().Export("c").Interface
	require.Equal(t, "r", c.Types[0].Resource.Name)
	require.Same(t, c.Types[0].Resource, c.Func("make").Result.Resource)
	require.Same(t, c.Types[0].Resource, c.Func("take").Params[0].Type.Resource)
}

func TestInfoOutsideWIT(t *testing.T) {
	t.Parallel()
	info, err := check(t, fixture(t, "valid", "modules"), validate.Limits{})
	require.NoError(t, err)
	require.Equal(t, "a core module has no form in WIT", info.Imports[0].Reason)
	require.Equal(t, "a component has no form in WIT", info.Imports[1].Reason)
	require.Equal(t, binary.SortCoreModule, info.Exports[0].Sort)
	require.Empty(t, info.World().Imports)
}

func TestInfoAsync(t *testing.T) {
	t.Parallel()
	info, err := check(t, fixture(t, "valid", "async"), validate.Limits{})
	require.NoError(t, err)
	run := info.World().Export("run").Func
	require.True(t, run.Async)
	require.Equal(t, wit.KindStream, run.Params[0].Type.Kind)
	require.Same(t, wit.U8, run.Params[0].Type.Elem)
}

// TestStackful lifts an async function without a callback, which is for the
// host to allow.
func TestStackful(t *testing.T) {
	t.Parallel()
	m := Module(Section(1, []byte{0x60, 0, 0}), Section(3, U(0)), Section(7, Cat("f", []byte{0, 0})))
	b := Component(Raw(CoreModule, m), Section(CoreInstance, []byte{0, 0, 0}),
		Section(Alias, Cat([]byte{0, 0, 1, 0}, "f")), Section(Type, []byte{0x43, 0, 1, 0}),
		Section(Canon, []byte{0, 0, 0, 1, 0x06, 0}))
	_, err := check(t, b, validate.Limits{})
	require.NoError(t, err)
	_, err = check(t, b, validate.Limits{Callback: true})
	require.ErrorContains(t, err, "lifted without `callback`")
}

func TestGated(t *testing.T) {
	t.Parallel()
	for want, b := range map[string][]byte{
		"start definitions are a gated feature": Component(Raw(Start, []byte{0, 0, 0})),
		"values are a gated feature":            Component(Section(Value, []byte{0x7f, 1, 1})),
		"shared-everything threads are a gated": Component(Section(Canon, []byte{0x42, 0})),
	} {
		_, err := check(t, b, validate.Limits{})
		require.ErrorContains(t, err, want)
	}
}

// TestModuleErrorOffset checks that an error inside a core module has its place
// in the component.
func TestModuleErrorOffset(t *testing.T) {
	t.Parallel()
	_, err := check(t, Component(Raw(CoreModule, Module(Section(7, Cat("a", []byte{0, 9}))))), validate.Limits{})
	require.EqualError(t, err, "at 0x15: export `a`: core func index 9 out of bounds")
}

// TestCoreTypesAreStructural passes a function between modules whose type
// sections differ, through a typed reference and through a recursion group.
func TestCoreTypesAreStructural(t *testing.T) {
	t.Parallel()
	link := func(given, want []byte, index, wantIndex int) error {
		exporter := Module(given, Section(3, U(uint64(index))), Section(7, Cat("f", []byte{0, 0})))
		importer := Module(want, Section(2, Cat("e", "f", byte(0), wantIndex)))
		_, err := check(t, Component(Raw(CoreModule, exporter), Raw(CoreModule, importer),
			Section(CoreInstance, []byte{0, 0, 0}, Cat([]byte{0, 1}, Vec(Cat("e", []byte{0x12, 0}))))), validate.Limits{})
		return err
	}
	plain, other := []byte{0x60, 0, 0}, []byte{0x60, 1, 0x7f, 0}
	require.NoError(t, link(Section(1, other, plain), Section(1, plain), 1, 0))
	require.ErrorContains(t, link(Section(1, other, plain), Section(1, plain), 0, 0), "expected: (func")

	refTo := func(i byte) []byte { return []byte{0x60, 1, 0x64, i, 0} }
	require.NoError(t, link(Section(1, other, plain, refTo(1)), Section(1, plain, refTo(0)), 2, 1))
	require.ErrorContains(t, link(Section(1, other, plain, refTo(0)), Section(1, plain, refTo(0)), 2, 1), "expected: (func")

	group := Cat(byte(0x4e), Vec(refTo(0), plain))
	require.NoError(t, link(Section(1, group), Section(1, group), 0, 0))
	require.NoError(t, link(Section(1, plain, Cat(byte(0x4e), Vec(refTo(1), plain))), Section(1, group), 1, 0))
	require.Error(t, link(Section(1, refTo(0)), Section(1, group), 0, 0), "a type alone is not the same as in a larger group")

	open, sub := []byte{0x50, 0, 0x60, 0, 0}, []byte{0x50, 1, 0, 0x60, 0, 0}
	require.NoError(t, link(Section(1, open, sub), Section(1, open), 1, 0), "a declared subtype fits")
	require.Error(t, link(Section(1, open), Section(1, open, sub), 0, 1))
}

func TestBuildTypeAndFunc(t *testing.T) {
	t.Parallel()
	r := &wit.Resource{Name: "r"}
	env := env{values: []*wit.Type{wit.U16}, resource: r}
	index := binary.ValType{Index: 0}
	typ, err := validate.BuildType(&binary.MapType{Key: binary.ValType{Primitive: 0x73}, Value: index}, env)
	require.NoError(t, err)
	require.Equal(t, wit.KindMap, typ.Kind)
	require.Same(t, wit.U16, typ.Elem.Fields[1].Type)
	own, err := validate.BuildType(&binary.OwnType{Resource: 7}, env)
	require.NoError(t, err)
	require.Same(t, r, own.Resource)
	_, err = validate.BuildType(&binary.FuncType{}, env)
	require.ErrorContains(t, err, "not a value type")
	_, err = validate.BuildType(&binary.OptionType{Elem: binary.ValType{Index: 1}}, env)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = validate.ValType(binary.ValType{Primitive: 0x72}, env)
	require.ErrorContains(t, err, "unknown primitive type 0x72")

	f, err := validate.BuildFunc(&binary.FuncType{Async: true, Params: []binary.NamedType{{Name: "p", Type: &index}}, Result: &index}, "f", env)
	require.NoError(t, err)
	require.Equal(t, &wit.Func{Name: "f", Async: true, Params: []wit.Param{{Name: "p", Type: wit.U16}}, Result: wit.U16}, f)
}

type env struct {
	values   []*wit.Type
	resource *wit.Resource
}

func (e env) Value(i uint32) (*wit.Type, error) {
	if int(i) >= len(e.values) {
		return nil, os.ErrNotExist
	}
	return e.values[i], nil
}

func (e env) Resource(uint32) (*wit.Resource, error) { return e.resource, nil }

func TestSignatures(t *testing.T) {
	t.Parallel()
	params := func(types ...*wit.Type) (list []wit.Param) {
		for _, t := range types {
			list = append(list, wit.Param{Type: t})
		}
		return list
	}
	many := func(n int) []*wit.Type { return slices.Repeat([]*wit.Type{wit.F32}, n) }
	const i, l, f = wit.CoreI32, wit.CoreI64, wit.CoreF32
	fs := func(n int) []wit.CoreType { return slices.Repeat([]wit.CoreType{f}, n) }
	type sig = [2][]wit.CoreType
	for _, c := range []struct {
		fn                             wit.Func
		lift, lower, asyncLift, asyncL sig
	}{
		{wit.Func{}, sig{}, sig{}, sig{nil, {i}}, sig{nil, {i}}},
		{wit.Func{Params: params(wit.U8, wit.S64), Result: wit.F32},
			sig{{i, l}, {f}}, sig{{i, l}, {f}}, sig{{i, l}, {i}}, sig{{i, l, i}, {i}}},
		{wit.Func{Params: params(wit.String), Result: wit.String},
			sig{{i, i}, {i}}, sig{{i, i, i}, nil}, sig{{i, i}, {i}}, sig{{i, i, i}, {i}}},
		{wit.Func{Params: params(many(5)...)}, sig{fs(5), nil}, sig{fs(5), nil}, sig{fs(5), {i}}, sig{{i}, {i}}},
		{wit.Func{Params: params(many(16)...)}, sig{fs(16), nil}, sig{fs(16), nil}, sig{fs(16), {i}}, sig{{i}, {i}}},
		{wit.Func{Params: params(many(17)...), Result: wit.String}, sig{{i}, {i}}, sig{{i, i}, nil}, sig{{i}, {i}}, sig{{i, i}, {i}}},
	} {
		same := func(want sig, params, results []wit.CoreType) {
			t.Helper()
			require.True(t, slices.Equal(want[0], params), "parameters of %v: %v, want %v", c.fn, params, want[0])
			require.True(t, slices.Equal(want[1], results), "results of %v: %v, want %v", c.fn, results, want[1])
		}
		p, r := validate.LiftSig(&c.fn)
		same(c.lift, p, r)
		p, r = validate.LowerSig(&c.fn)
		same(c.lower, p, r)
		p, r = validate.AsyncLiftSig(&c.fn, true)
		same(c.asyncLift, p, r)
		p, r = validate.AsyncLiftSig(&c.fn, false)
		same(sig{c.asyncLift[0], nil}, p, r)
		p, r = validate.AsyncLowerSig(&c.fn)
		same(c.asyncL, p, r)
	}
}
