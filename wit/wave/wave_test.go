package wave_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/internal/wittest"
	"github.com/lathhost/lath/wit/wave"
)

func must(t *wit.Type, err error) *wit.Type {
	if err != nil {
		panic(err)
	}
	return t
}

func num(n int64) wit.Value          { return wit.Value{Bits: uint64(n)} }
func str(s string) wit.Value         { return wit.Value{Str: s} }
func elems(v ...wit.Value) wit.Value { return wit.Value{Elems: v} }
func with(i uint64, v ...wit.Value) wit.Value {
	return wit.Value{Bits: i, Elems: v}
}
func f32(f float32) wit.Value { return wit.Value{Bits: uint64(math.Float32bits(f))} }
func f64(f float64) wit.Value { return wit.Value{Bits: math.Float64bits(f)} }

var (
	u8opt   = must(wit.NewOption(wit.U8))
	example = must(wit.NewRecord(wit.Field{Name: "must-have", Type: wit.U8}, wit.Field{Name: "optional", Type: u8opt})).Named("example")
	allOpt  = must(wit.NewRecord(wit.Field{Name: "optional", Type: u8opt}))
	resp    = must(wit.NewVariant(wit.Case{Name: "empty"}, wit.Case{Name: "body", Type: must(wit.NewList(wit.U8))}, wit.Case{Name: "err", Type: wit.String})).Named("response")
	status  = must(wit.NewEnum("ok", "not-found")).Named("status")
	perms   = must(wit.NewFlags("read", "write", "exec")).Named("perms")
	res     = must(wit.NewResult(wit.U8, wit.String))
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ   *wit.Type
		text  string
		want  wit.Value
		print string // empty: as text
	}{
		{wit.Bool, "true", num(1), ""},
		{wit.Bool, " // why\n false\t", num(0), "false"},
		{wit.U8, "255", num(255), ""},
		{wit.S8, "-128", num(-128), ""},
		{wit.S64, "-9223372036854775808", num(math.MinInt64), ""},
		{wit.U64, "18446744073709551615", num(-1), ""},
		{wit.U32, "-0", num(0), "0"},
		{wit.F64, "3.14", f64(3.14), ""},
		{wit.F64, "6.022e+23", f64(6.022e23), ""},
		{wit.F64, "1E2", f64(100), "100"},
		{wit.F64, "-0", f64(math.Copysign(0, -1)), ""},
		{wit.F32, "0.1", f32(0.1), ""},
		{wit.F32, "nan", wit.Value{Bits: 0x7fc00000}, ""},
		{wit.F64, "nan", wit.Value{Bits: 0x7ff8000000000000}, ""},
		{wit.F64, "inf", f64(math.Inf(1)), ""},
		{wit.F32, "-inf", f32(float32(math.Inf(-1))), ""},
		{wit.Char, "'x'", num('x'), ""},
		{wit.Char, `'☃'`, num('☃'), ""},
		{wit.Char, `'\''`, num('\''), ""},
		{wit.Char, `'"'`, num('"'), ""},
		{wit.Char, `'\u{0}'`, num(0), ""},
		{wit.Char, `'\u{1F44b}'`, num('👋'), `'👋'`},
		{wit.String, `"abc\t123"`, str("abc\t123"), ""},
		{wit.String, `"👋 Hello, \"world\"! \\ it's\r\n"`, str("👋 Hello, \"world\"! \\ it's\r\n"), ""},
		{wit.String, `"// no comment"`, str("// no comment"), ""},
		{wit.String, "\"\"\"\nA single line\n\"\"\"", str("A single line"), `"A single line"`},
		{wit.String, "\"\"\"\r\n    Indentation determined\r\n      by ending delimiter\r\n  \"\"\"", str("  Indentation determined\n    by ending delimiter"), `"  Indentation determined\n    by ending delimiter"`},
		{wit.String, "\"\"\"\n  Must escape carriage return at end of line: \\r\n  Must break up double quote triplets: \"\"\\\"\"\n  \"\"\"",
			str("Must escape carriage return at end of line: \r\nMust break up double quote triplets: \"\"\"\""), `"Must escape carriage return at end of line: \r\nMust break up double quote triplets: \"\"\"\""`},
		{wit.String, "\"\"\"\n\"\"\"", str(""), `""`},
		{wit.String, "\"\"\"\n\n\n\"\"\"", str("\n"), `"\n"`},
		{must(wit.NewTuple(wit.String, wit.U8)), `("abc", 123,)`, elems(str("abc"), num(123)), `("abc", 123)`},
		{must(wit.NewTuple(wit.U8)), `(1)`, elems(num(1)), ""},
		{must(wit.NewList(wit.Char)), "[]", wit.Value{}, ""},
		{must(wit.NewList(wit.Char)), "['a', 'b', 'c',]", elems(num('a'), num('b'), num('c')), "['a', 'b', 'c']"},
		{must(wit.NewFixedList(wit.U8, 2)), "[1, 2]", elems(num(1), num(2)), ""},
		{must(wit.NewMap(wit.String, wit.U8)), `[("a", 1)]`, elems(elems(str("a"), num(1))), ""},
		{must(wit.NewStream(wit.U8)), "[1, 2]", with(2, num(1), num(2)), ""},
		{must(wit.NewStream(wit.U8)), "[]", wit.Value{}, ""},
		{example, "{must-have: 123}", elems(num(123), num(0)), ""},
		{example, "{%optional: none, must-have: 123,}", elems(num(123), num(0)), "{must-have: 123}"},
		{example, "{optional: 7, must-have: 123}", elems(num(123), with(1, num(7))), "{must-have: 123, optional: some(7)}"},
		{allOpt, "{:}", elems(num(0)), ""},
		{allOpt, "{optional: none}", elems(num(0)), "{:}"},
		{resp, "empty", num(0), ""},
		{resp, "body([79, 75])", with(1, elems(num(79), num(75))), ""},
		{resp, `%err("oops")`, with(2, str("oops")), ""},
		{status, "%ok", num(0), ""},
		{status, "%not-found", num(1), "not-found"},
		{u8opt, "123", with(1, num(123)), "some(123)"},
		{u8opt, "some(123)", with(1, num(123)), ""},
		{u8opt, "none", num(0), ""},
		{must(wit.NewOption(u8opt)), "some(none)", with(1, num(0)), ""},
		{must(wit.NewOption(status)), "%ok", with(1, num(0)), "some(%ok)"},
		{res, "ok(1)", with(0, num(1)), ""},
		{res, "1", with(0, num(1)), "ok(1)"},
		{res, `err("oops")`, with(1, str("oops")), ""},
		{must(wit.NewResult(nil, wit.String)), "ok", num(0), ""},
		{must(wit.NewResult(nil, nil)), "err", num(1), ""},
		{must(wit.NewResult(must(wit.NewOption(wit.U8)), nil)), "ok(5)", with(0, with(1, num(5))), "ok(some(5))"},
		{perms, "{write, %read,}", num(3), "{read, write}"},
		{perms, "{}", num(0), ""},
	} {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			v, err := wave.Parse(tt.typ, tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.want, v)
			want := tt.print
			if want == "" {
				want = tt.text
			}
			require.Equal(t, want, wave.Format(tt.typ, v))
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  *wit.Type
		text string
		want string
	}{
		{wit.U64, `"visits"`, `line 1, column 1: expected u64, found string "visits"`},
		{wit.U64, "", `line 1, column 1: expected u64, found the end`},
		{wit.U8, "256", `line 1, column 1: expected u8 (0 to 255), found 256`},
		{wit.S8, "-129", `line 1, column 1: expected s8 (-128 to 127), found -129`},
		{wit.U64, "-1", `expected u64 (0 to 18446744073709551615), found -1`},
		{wit.S64, "9223372036854775808", `expected s64 (-9223372036854775808 to 9223372036854775807), found 9223372036854775808`},
		{wit.U8, "1.5", `expected u8, found 1.5`},
		{wit.U8, "007", `a number that is none: "007"`},
		{wit.U8, "0x10", `a number that is none: "0x10"`},
		{wit.U8, "1 2", `line 1, column 3: expected the end after the value, found 2`},
		{wit.F32, "1e60", `expected f32, found 1e60, which is out of its range`},
		{wit.F64, ".5", `line 1, column 1: character '.'`},
		{wit.Bool, "yes", `expected bool, found "yes"`},
		{wit.Bool, "Yes", `a name that is no kebab-case label: "Yes"`},
		{wit.String, "abc", `expected string, found "abc"`},
		{wit.String, "\"abc\n\"", `line 1, column 1: a string without its closing " on the same line`},
		{wit.String, `"a\x"`, `line 1, column 3: escape that is none of`},
		{wit.String, `"é\u{d800}"`, `line 1, column 3: escape of what is no Unicode scalar value`},
		{wit.String, `"\u{1234567}"`, `escape that is none of`},
		{wit.String, "\"\xff\"", `text that is not UTF-8`},
		{wit.String, `"""a"""`, `text after the opening """`},
		{wit.String, "\"\"\"\na\"\"\"", `line 2, column 2: closing """ that is not on a line of its own`},
		{wit.String, "\"\"\"\n a\n  \"\"\"", `line 2, column 1: line with fewer spaces`},
		{wit.String, "\"\"\"\nab\\q\n\"\"\"", `line 2, column 3: escape that is none of`},
		{wit.String, "\"\"\"\n", `without its closing """`},
		{wit.Char, "''", `character literal of none or more than one character`},
		{wit.Char, "'ab'", `character literal of none or more than one character`},
		{wit.Char, "'a", `a character literal without its closing '`},
		{must(wit.NewList(wit.U8)), "[1, 2", `line 1, column 6: expected "," or "]", found the end`},
		{must(wit.NewList(wit.U8)), "[1\n,\n  x]", `line 3, column 3: expected u8, found "x"`},
		{must(wit.NewList(wit.U8)), "[1 2]", `line 1, column 4: expected "," or "]", found 2`},
		{must(wit.NewFixedList(wit.U8, 2)), "[1]", `expected list<u8, 2>, found 1 elements`},
		{must(wit.NewTuple(wit.U8, wit.U8)), "(1)", `expected tuple<u8, u8>, found 1 of 2 values`},
		{must(wit.NewTuple(wit.U8)), "(1, 2)", `line 1, column 5: expected the 1 values of tuple<u8>, found another one`},
		{example, "{optional: 1}", `expected example, a record { must-have: u8, optional: option<u8> }, found no field must-have`},
		{example, "{must-hav: 1}", `line 1, column 2: expected a field of example, a record`},
		{example, "{must-have: 1, must-have: 2}", `line 1, column 16: field "must-have" twice`},
		{example, "{must-have: true}", `line 1, column 13: field "must-have": expected u8, found "true"`},
		{example, "{must-have 1}", `line 1, column 12: expected ":", found 1`},
		{example, "{:}", `found no field must-have`},
		{allOpt, "{}", `an empty record is "{:}"`},
		{allOpt, "{: optional: 1}", `expected "}" after "{:", found "optional"`},
		{resp, "body", `expected body(list<u8>), found the end`},
		{resp, "empty(1)", `a payload of empty, which has none`},
		{resp, "full", `expected response, a variant { empty, body(list<u8>), err(string) }, found "full"`},
		{resp, `err("x")`, `keyword "err": write the case as %err`},
		{status, "ok", `keyword "ok": write the case as %ok`},
		{perms, "{read, read}", `line 1, column 8: label "read" twice`},
		{perms, "{delete}", `expected a label of perms, a flags { read, write, exec }, found "delete"`},
		{must(wit.NewOption(u8opt)), "5", `expected option<option<u8>>, found 5`},
		{res, "ok", `expected ok(u8), found the end`},
		{must(wit.NewResult(nil, nil)), "1", `expected result, found 1`},
		{wit.NewOwn(&wit.Resource{Name: "bucket"}), "1", `type bucket, whose values have no text`},
		{wit.NewBorrow(&wit.Resource{Name: "bucket"}), "1", `type borrow<bucket>, whose values have no text`},
		{must(wit.NewFuture(wit.U8)), "1", `type future<u8>, whose values have no text`},
		{must(wit.NewStream(nil)), "[]", `a stream without a type`},
		{wit.String, strings.Repeat(" ", wave.MaxText+1), `expected at most 4194304 bytes of text`},
		{must(wit.NewList(wit.U8)), "[" + strings.Repeat("1,", wave.MaxValues) + "]", `expected at most 1048576 values, found more`},
	} {
		t.Run(clip(tt.text), func(t *testing.T) {
			t.Parallel()
			_, err := wave.Parse(tt.typ, tt.text)
			var we *wave.Error
			require.ErrorAs(t, err, &we)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func clip(s string) string { return s[:min(len(s), 40)] }

func TestFormatNeverCrashesOnWhatIsNoValue(t *testing.T) {
	t.Parallel()
	require.Equal(t, "<case 9>", wave.Format(resp, num(9)))
	require.Equal(t, "{must-have: 0}", wave.Format(example, wit.Value{}))
	require.Equal(t, `body([])`, wave.Format(resp, num(1)))
	require.Equal(t, "<own bucket>", wave.Format(wit.NewOwn(&wit.Resource{Name: "bucket"}), str("x")))
	require.Equal(t, "<future>", wave.Format(must(wit.NewFuture(nil)), num(1)))
	require.Equal(t, `'�'`, wave.Format(wit.Char, num(-1)))
}

func TestTerminalsAreSafe(t *testing.T) {
	t.Parallel()
	require.Equal(t, `"\u{1b}[2J\u{202e}\u{7}"`, wave.Format(wit.String, str("\x1b[2J\u202e\a")))
}

// What is printed reads back as the same value, whatever the type.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		typ := wittest.Type(rt, wittest.Shape{Streams: true}, 4)
		v := wittest.Value(rt, typ)
		s := wave.Format(typ, v)
		got, err := wave.Parse(typ, s)
		require.NoError(rt, err, s)
		require.Equal(rt, v, got, s)
		j, err := wave.ToJSON(typ, v)
		require.NoError(rt, err)
		require.True(rt, json.Valid(j), "%s", j)
	})
}

func TestToJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  *wit.Type
		text string
		want string
	}{
		{wit.Bool, "true", "true"},
		{wit.U64, "18446744073709551615", "18446744073709551615"},
		{wit.F64, "nan", `"nan"`},
		{wit.F64, "-inf", `"-inf"`},
		{wit.F32, "0.1", "0.1"},
		{wit.F64, "1e300", "1e+300"},
		{wit.Char, `'"'`, `"\""`},
		{wit.String, `"<a>\u{1}"`, `"<a>\u0001"`},
		{must(wit.NewList(wit.U8)), "[1, 2]", "[1, 2]"},
		{must(wit.NewTuple(wit.U8, wit.String)), `(1, "x")`, `[1, "x"]`},
		{must(wit.NewMap(wit.String, wit.U8)), `[("a", 1)]`, `[["a", 1]]`},
		{example, "{must-have: 1}", `{"must-have": 1, "optional": null}`},
		{example, "{must-have: 1, optional: 2}", `{"must-have": 1, "optional": 2}`},
		{resp, "empty", `{"empty": null}`},
		{resp, `%err("x")`, `{"err": "x"}`},
		{status, "%ok", `"ok"`},
		{perms, "{exec, read}", `["read", "exec"]`},
		{res, "1", `{"ok": 1}`},
		{res, `err("x")`, `{"err": "x"}`},
		{must(wit.NewResult(nil, nil)), "ok", `{"ok": null}`},
		{must(wit.NewOption(u8opt)), "none", "null"},
		{must(wit.NewOption(u8opt)), "some(none)", `{"some": null}`},
		{must(wit.NewOption(u8opt)), "some(1)", `{"some": 1}`},
		{must(wit.NewStream(wit.U8)), "[1]", "[1]"},
	} {
		v, err := wave.Parse(tt.typ, tt.text)
		require.NoError(t, err, tt.text)
		got, err := wave.ToJSON(tt.typ, v)
		require.NoError(t, err, tt.text)
		require.Equal(t, tt.want, string(got))
	}
	_, err := wave.ToJSON(must(wit.NewList(wit.NewOwn(&wit.Resource{Name: "r"}))), elems(num(1)))
	require.ErrorIs(t, err, wave.ErrNoText)
}
