package component_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// echoes are calls of example:types/values that return their argument.
var echoes = []struct{ fn, value string }{
	{"echo-bool", "true"}, {"echo-bool", "false"},
	{"echo-u8", "255"}, {"echo-u16", "65535"}, {"echo-u32", "4294967295"}, {"echo-u64", "18446744073709551615"},
	{"echo-s8", "-128"}, {"echo-s16", "-32768"}, {"echo-s32", "-2147483648"}, {"echo-s64", "-9223372036854775808"},
	{"echo-f32", "1.5"}, {"echo-f64", "-2.25"}, {"echo-f64", "nan"}, {"echo-f32", "-inf"},
	{"echo-char", "'é'"}, {"echo-char", "'😀'"},
	{"echo-wrapper", "{value: 0.1}"}, {"echo-color", "blue"}, {"echo-access", "{read, execute}"}, {"echo-access", "{}"},
	{"echo-wide", "{b0, b31}"}, {"echo-outcome", "ok"}, {"echo-outcome", "err"},
	{"echo-string", `""`}, {"echo-string", `"plain"`}, {"echo-string", `"naïve Ωmega 漢字 😀"`}, {"echo-string", `"latin ÿ"`},
	{"echo-bytes", "[]"}, {"echo-bytes", "[0, 1, 255]"}, {"echo-bools", "[true, false, true]"},
	{"echo-u16s", "[1, 65535]"}, {"echo-s64s", "[-1, 9223372036854775807]"}, {"echo-f64s", "[0, -1.5, inf]"},
	{"echo-chars", "['a', 'ß', '漢']"}, {"echo-strings", `["", "a", "ünï", "😀"]`},
	{"echo-people", `[{name: "Ada", at: {x: -1, y: 2}, tags: ["a", "b"], born: some(1815), mood: green}, {name: "", at: {x: 0, y: 0}, tags: [], mood: red}]`},
	{"echo-shapes", `[nothing, circle(1.5), box((1, 2)), label("x"), area(2.5), id(18446744073709551615)]`},
	{"echo-nested", "[[some(1), none], [], [some(65535)]]"},
	{"echo-point", "{x: -5, y: 7}"}, {"echo-tuple", `(1, "two", 3.5)`},
	{"echo-shape", "nothing"}, {"echo-shape", "circle(-0.5)"}, {"echo-shape", "box((3, 4))"},
	{"echo-shape", `label("ring")`}, {"echo-shape", "area(1e+300)"}, {"echo-shape", "id(7)"},
	{"echo-option", `some("x")`}, {"echo-option", "none"},
	{"echo-option-option", "none"}, {"echo-option-option", "some(none)"}, {"echo-option-option", "some(some(3))"},
	{"echo-result", "ok(1)"}, {"echo-result", `err("bad")`}, {"echo-result-err", "ok"}, {"echo-result-err", "err(blue)"},
	{"echo-result-floats", "ok(1.5)"}, {"echo-result-floats", "err(2.5)"},
	{"echo-many", `{a: 1, b: 2, c: 3, d: 4, e: -5, f: -6, g: -7, h: -8, i: 9.5, j: 10.5, k: 'k', l: true, m: "m", n: [1, 2], o: green, p: {write}}`},
}

var encodings = []string{"", "-utf16", "-latin1"}

func TestValuesRoundTrip(t *testing.T) {
	t.Parallel()
	for _, enc := range encodings {
		t.Run("types"+enc, func(t *testing.T) {
			t.Parallel()
			rt := newRuntime(t)
			tm := linkTo(t, compile(t, rt, "../../examples/types/types"+enc+".wasm"), component.LinkConfig{Name: "types"})
			checkValues(t, tm)
		})
	}
}

// TestRoutesAgree relays each call from one component to another, in all pairs
// of string encodings, from memory to memory and through wire bytes.
func TestRoutesAgree(t *testing.T) {
	t.Parallel()
	routes := map[string]func(*component.Template) func(string, *wit.Func) (component.Callee, error){
		"memory": forwardTo, "wire": remoteTo,
	}
	for _, from := range encodings {
		for _, to := range encodings {
			for name, route := range routes {
				t.Run("relay"+from+" to types"+to+" by "+name, func(t *testing.T) {
					t.Parallel()
					rt := newRuntime(t)
					target := linkTo(t, compile(t, rt, "../../examples/types/types"+to+".wasm"), component.LinkConfig{Name: "types"})
					relay := linkTo(t, compile(t, rt, "../../examples/types/relay"+from+".wasm"),
						component.LinkConfig{Name: "relay", Import: route(target)})
					checkValues(t, relay)
				})
			}
		}
	}
}

func checkValues(t *testing.T, tm *component.Template) {
	t.Helper()
	for _, c := range echoes {
		got, err := call(t, tm, "example:types/values."+c.fn+"("+c.value+")")
		require.NoError(t, err, c.fn)
		require.Equal(t, c.value, got, c.fn)
	}
	for expr, want := range map[string]string{
		"sum-sixteen(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16)": "136",
		"sum([1, 2, 18446744073709551615])":                   "2",
		"fill(3, 7)":                                          "[7, 7, 7]",
		"nothing()":                                           "",
		`spread(1, 2, 3, 4, -5, -6, -7, -8, 9.5, 10.5, 'k', true, "m", [1, 2], green, {write})`: `{a: 1, b: 2, c: 3, d: 4, e: -5, f: -6, g: -7, h: -8, i: 9.5, j: 10.5, k: 'k', l: true, m: "m", n: [1, 2], o: green, p: {write}}`,
	} {
		got, err := call(t, tm, "example:types/values."+expr)
		require.NoError(t, err, expr)
		require.Equal(t, want, got, expr)
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	defer i.Close()
	do := func(fn string, args ...wit.Value) wit.Value {
		t.Helper()
		v, err := i.CallValues(t.Context(), tm.Export("example:types/resources", fn), args...)
		require.NoError(t, err, fn)
		if v == nil {
			return wit.Value{}
		}
		return *v
	}
	n := func(v uint64) wit.Value { return wit.Value{Bits: v} }

	a, b := do("[constructor]cell", n(40)), do("[constructor]cell", n(2))
	require.EqualValues(t, 2, do("live").Bits)
	do("[method]cell.absorb", a, b)
	require.EqualValues(t, 42, do("[method]cell.get", a).Bits)
	require.EqualValues(t, 3, do("[method]cell.add", b, n(1)).Bits)
	require.EqualValues(t, 45, do("total", wit.Value{Elems: []wit.Value{a, b}}).Bits)
	sum := do("[static]cell.merge", a, b)
	require.EqualValues(t, 45, do("[method]cell.get", sum).Bits)
	require.EqualValues(t, 1, do("live").Bits, "merge ended both of its cells")
	again := do("pass", sum)
	some := do("maybe", wit.Value{Bits: 1, Elems: []wit.Value{again}})
	require.EqualValues(t, 1, some.Bits)
	require.EqualValues(t, 45, do("consume", some.Elems[0]).Bits)
	require.EqualValues(t, 0, do("live").Bits)
	require.Len(t, do("make", n(5)).Elems, 5)
	checked := do("[static]cell.checked", n(9))
	require.EqualValues(t, 0, checked.Bits, "ok")
	require.EqualValues(t, 9, do("[method]cell.get", checked.Elems[0]).Bits)

	_, err = i.CallValues(t.Context(), tm.Export("example:types/resources", "consume"), wit.Value{Str: "\xe7\x03" + strings.Repeat("\x00", 14)})
	require.Equal(t, trap.Handle, trap.As(err).Code, "no such handle")
	_, err = i.CallValues(t.Context(), tm.Export("example:types/resources", "live"))
	require.Equal(t, trap.Poisoned, trap.As(err).Code)
}
