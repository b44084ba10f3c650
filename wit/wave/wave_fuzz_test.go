package wave_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
)

// FuzzWave: what parses prints as a text that parses to the same value, and
// what prints once prints the same again. No text makes a call crash.
func FuzzWave(f *testing.F) {
	types := []*wit.Type{
		wit.Bool, wit.S32, wit.U64, wit.F32, wit.F64, wit.Char, wit.String, example, allOpt, resp, status, perms, res,
		must(wit.NewOption(must(wit.NewResult(nil, must(wit.NewOption(wit.String)))))),
		must(wit.NewList(must(wit.NewTuple(wit.String, wit.F32)))), must(wit.NewStream(example)),
	}
	for i, s := range []string{
		"true", "-7", "18446744073709551615", "1e-7", "-inf", `'\u{7f}'`, "\"\"\"\n  a\\n\n  \"\"\"", "{must-have: 1, optional: 2}",
		"{:}", `%err("\"")`, "%ok", "{read,write}", `err("x")`, `some(err(some("")))`, `[("a", nan)]`, "[{must-have: 0}] // x",
		`a:b/c@0.1.0-x.f(1, "(", [{}])`,
	} {
		f.Add(uint8(i), s)
	}
	f.Fuzz(func(t *testing.T, which uint8, s string) {
		typ := types[int(which)%len(types)]
		if v, err := wave.Parse(typ, s); err == nil {
			printed := wave.Format(typ, v)
			again, err := wave.Parse(typ, printed)
			require.NoError(t, err, printed)
			require.Equal(t, v, again)
			require.Equal(t, printed, wave.Format(typ, again))
		}
		c, err := wave.ParseCall(s)
		if err != nil {
			return
		}
		params := make([]wit.Param, len(c.Args))
		for i := range params {
			params[i] = wit.Param{Name: "p", Type: typ}
		}
		vs, err := wave.ParseArgs(params, c)
		if err == nil {
			require.Len(t, vs, len(c.Args))
		}
	})
}
