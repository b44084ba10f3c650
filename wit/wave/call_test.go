package wave_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
)

func TestParseCall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, instance, fn string
		args               []string
	}{
		{`example:counter/counter.increment("visits")`, "example:counter/counter", "increment", []string{`"visits"`}},
		{`increment("visits", 2)`, "", "increment", []string{`"visits"`, "2"}},
		{`run()`, "", "run", nil},
		{" run ( ) // go", "", "run", nil},
		{`ns:pkg/iface@0.1.0.func-a(1)`, "ns:pkg/iface@0.1.0", "func-a", []string{"1"}},
		{`ns:pkg/iface@0.1.0.bucket.get(1)`, "ns:pkg/iface@0.1.0", "bucket.get", []string{"1"}},
		{`wasi:keyvalue/store@0.2.0-draft.open("x")`, "wasi:keyvalue/store@0.2.0-draft", "open", []string{`"x"`}},
		{`wasi:keyvalue/store@0.2.0-rc.1.open("x")`, "wasi:keyvalue/store@0.2.0-rc.1", "open", []string{`"x"`}},
		{`wasi:keyvalue/store@0.2.0-rc.1.[method]bucket.get("x")`, "wasi:keyvalue/store@0.2.0-rc.1", "[method]bucket.get", []string{`"x"`}},
		{`a:b/c@1.2.3+b.4.f()`, "a:b/c@1.2.3+b.4", "f", nil},
		{`a:b/c.[constructor]bucket()`, "a:b/c", "[constructor]bucket", nil},
		{`[static]bucket.open()`, "", "[static]bucket.open", nil},
		{`f({a: [1, (2, 3)], b: "),("}, '(', some(1), // ,
		  """
		  , )
		  """,)`, "", "f", []string{`{a: [1, (2, 3)], b: "),("}`, `'('`, `some(1)`, "\"\"\"\n\t\t  , )\n\t\t  \"\"\""}},
	} {
		t.Run(clip(tt.text), func(t *testing.T) {
			t.Parallel()
			c, err := wave.ParseCall(tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.instance, c.Instance)
			require.Equal(t, tt.fn, c.Func)
			var args []string
			for _, a := range c.Args {
				args = append(args, a.Text)
				require.Equal(t, a.Text, tt.text[a.Offset:a.Offset+len(a.Text)])
			}
			require.Equal(t, tt.args, args)
		})
	}
}

func TestParseCallErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", `line 1, column 1: expected a call like function(arguments), found no "("`},
		{"run", `line 1, column 4: expected a call like`},
		{"(1)", `line 1, column 1: expected the name of a function, found ""`},
		{"Run(1)", `expected the name of a function, found "Run"`},
		{"a b(1)", `expected the name of a function, found "a b"`},
		{"[dtor]a(1)", `expected the name of a function, found "[dtor]a"`},
		{"a:b/c(1)", `line 1, column 6: expected "." and the name of a function after the interface, found the end of "a:b/c"`},
		{"a:b/c@0.2.f(1)", `expected "." and the name of a function after the interface`},
		{"A:b/c.f(1)", `line 1, column 1: expected an interface name like namespace:package/interface[@version], found "A:b/c"`},
		{"a:b/c@1.2.x.f(1)", `found "a:b/c@1.2.x"`},
		{"f(1", `line 1, column 4: expected ")", found the end`},
		{"f([1)", `line 1, column 5: expected "]", found ")"`},
		{"f(1))", `line 1, column 5: expected the end after ")", found ")"`},
		{"f(,)", `line 1, column 3: expected an argument, found ","`},
		{"f(1,,2)", `line 1, column 5: expected an argument, found ","`},
		{"f(\n  \"a)", `line 2, column 3: a string without its closing`},
	} {
		_, err := wave.ParseCall(tt.text)
		var we *wave.Error
		require.ErrorAs(t, err, &we, tt.text)
		require.ErrorContains(t, err, tt.want, tt.text)
	}
}

func TestParseArgs(t *testing.T) {
	t.Parallel()
	params := []wit.Param{{Name: "key", Type: wit.String}, {Name: "delta", Type: wit.U64}, {Name: "ttl", Type: u8opt}, {Name: "tag", Type: u8opt}}
	for _, tt := range []struct {
		text string
		want []wit.Value
		err  string
	}{
		{`f("a", 1)`, []wit.Value{str("a"), num(1), num(0), num(0)}, ""},
		{`f("a", 1, 2,)`, []wit.Value{str("a"), num(1), with(1, num(2)), num(0)}, ""},
		{`f("a")`, nil, `line 1, column 6: argument "delta": expected u64, found no more arguments`},
		{`f(1, "a")`, nil, `line 1, column 3: argument "key": expected string, found 1`},
		{"f(\"a\",\n  -1)", nil, `line 2, column 3: argument "delta": expected u64 (0 to 18446744073709551615), found -1`},
		{`f("a", 1 2)`, nil, `line 1, column 10: argument "delta": expected the end after the value, found 2`},
		{`f("a", 1, none, none, 5)`, nil, `line 1, column 23: expected 4 arguments for f(key: string, delta: u64, ttl: option<u8>, tag: option<u8>), found 5`},
		{`f("\q", 1)`, nil, `line 1, column 4: argument "key": escape that is none of`},
	} {
		c, err := wave.ParseCall(tt.text)
		require.NoError(t, err)
		got, err := wave.ParseArgs(params, c)
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tt.want, got)
	}
	c, err := wave.ParseCall("f(1)")
	require.NoError(t, err)
	_, err = wave.ParseArgs(nil, c)
	require.ErrorContains(t, err, "line 1, column 3: expected no arguments for f(), found 1")
}
