package typestest

// Call is one call of example:types/values that any implementation answers
// alike. Arguments and result are WAVE; a result of "" means that the function
// has none.
type Call struct{ Func, Args, Result string }

// Calls returns calls that between them have every value type, at its edges.
func Calls() []Call {
	calls := []Call{
		{"spread", spreadArgs, many},
		{"sum-sixteen", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16", "136"},
		{"sum", "[1, 2, 18446744073709551615]", "2"},
		{"fill", "5, 7", "[7, 7, 7, 7, 7]"},
		{"fill", "0, 9", "[]"},
		{"nothing", "", ""},
	}
	for _, e := range echoes {
		calls = append(calls, Call{e[0], e[1], e[1]})
	}
	return calls
}

const (
	spreadArgs = `1, 2, 3, 4, -5, -6, -7, -8, 9.5, 10.5, 'k', true, "m", [1, 2], green, {write}`
	many       = `{a: 1, b: 2, c: 3, d: 4, e: -5, f: -6, g: -7, h: -8, i: 9.5, j: 10.5, k: 'k', l: true, m: "m", n: [1, 2], o: green, p: {write}}`
)

var echoes = [][2]string{
	{"echo-bool", "true"},
	{"echo-bool", "false"},
	{"echo-u8", "255"},
	{"echo-u16", "65535"},
	{"echo-u32", "4294967295"},
	{"echo-u64", "18446744073709551615"},
	{"echo-s8", "-128"},
	{"echo-s16", "-32768"},
	{"echo-s32", "-2147483648"},
	{"echo-s64", "-9223372036854775808"},
	{"echo-f32", "1.5"},
	{"echo-f32", "-inf"},
	{"echo-f64", "-2.25"},
	{"echo-f64", "nan"},
	{"echo-char", "'é'"},
	{"echo-char", "'😀'"},
	{"echo-wrapper", "{value: 0.1}"},
	{"echo-color", "blue"},
	{"echo-access", "{read, execute}"},
	{"echo-access", "{}"},
	{"echo-wide", "{b0, b7, b8, b31}"},
	{"echo-outcome", "ok"},
	{"echo-outcome", "err"},
	{"echo-string", `""`},
	{"echo-string", `"naïve Ωmega 漢字 😀"`},
	{"echo-string", `"latin ÿ"`},
	{"echo-bytes", "[]"},
	{"echo-bytes", "[0, 1, 255]"},
	{"echo-bools", "[true, false, true]"},
	{"echo-u16s", "[1, 65535]"},
	{"echo-s64s", "[-1, 9223372036854775807]"},
	{"echo-f64s", "[0, -1.5, inf]"},
	{"echo-chars", "['a', 'ß', '漢']"},
	{"echo-strings", `["", "a", "ünï", "😀"]`},
	{"echo-people", `[{name: "Ada", at: {x: -1, y: 2}, tags: ["a", "b"], born: some(1815), mood: green}, {name: "", at: {x: 0, y: 0}, tags: [], mood: red}]`},
	{"echo-shapes", `[nothing, circle(1.5), box((1, 2)), label("x"), area(2.5), id(18446744073709551615)]`},
	{"echo-nested", "[[some(1), none], [], [some(65535)]]"},
	{"echo-point", "{x: -5, y: 7}"},
	{"echo-person", `{name: "Bo", at: {x: 1, y: -1}, tags: ["t"], mood: blue}`},
	{"echo-tuple", `(1, "two", 3.5)`},
	{"echo-shape", "nothing"},
	{"echo-shape", "circle(-0.5)"},
	{"echo-shape", "box((3, 4))"},
	{"echo-shape", `label("ring")`},
	{"echo-shape", "area(1e+300)"},
	{"echo-shape", "id(7)"},
	{"echo-option", `some("x")`},
	{"echo-option", "none"},
	{"echo-option-option", "none"},
	{"echo-option-option", "some(none)"},
	{"echo-option-option", "some(some(3))"},
	{"echo-result", "ok(1)"},
	{"echo-result", `err("bad")`},
	{"echo-result-err", "ok"},
	{"echo-result-err", "err(blue)"},
	{"echo-result-floats", "ok(1.5)"},
	{"echo-result-floats", "err(2.5)"},
	{"echo-many", many},
}
