package wit_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/internal/wittest"
)

const golden = `package root:component;

/// What it is.
world root {
  use wasi:io/streams@0.2.3.{output-stream as out};
  record point {
    x: s32,
    %list: option<out>,
  }
  import wasi:io/poll@0.2.3;
  import wasi:io/streams@0.2.3;
  import log: func(level: u8, %func: string);
  export example:counter/counter;
  export wasi:io/poll@0.2.3;
  export run: async func(p: point) -> result<_, string>;
  export custom: interface {
    enum color {
      red,
      HTTP-green,
    }
    paint: func(c: color);
  }
}

package wasi:io@0.2.3 {
  interface poll {
    resource pollable {
      ready: func() -> bool;
    }
    poll: func(in: list<borrow<pollable>>) -> list<u32>;
  }

  interface streams {
    use poll.{pollable};
    resource output-stream {
      constructor(fd: u32) -> result<output-stream, string>;
      subscribe: func() -> pollable;
      splice: static async func(a: borrow<output-stream>, b: output-stream) -> future<u8>;
    }
    resource bare;
    type alias = bare;
    variant stream-error {
      closed,
      failed(tuple<u8, list<char, 4>>),
    }
    flags modes {
      read,
      write,
    }
    type bytes = list<u8>;
    /// Checks.
    /// Twice.
    check: func(m: modes, b: bytes, e: stream-error, s: stream, t: stream<u8>, r: result) -> result<map<string, f64>>;
    take: func(a: bare, b: borrow<bare>);
  }
}

package example:counter {
  /// Counts.
  interface counter {
    increment: func(name: string) -> result<u64, string>;
  }
}
`

func TestPrintIsWhatParseWorldReads(t *testing.T) {
	t.Parallel()
	w, err := wit.ParseWorld(golden)
	require.NoError(t, err)
	got, err := wit.Print(w)
	require.NoError(t, err)
	require.Equal(t, golden, got)
}

func TestParseWorldModel(t *testing.T) {
	t.Parallel()
	w, err := wit.ParseWorld(golden)
	require.NoError(t, err)
	require.Equal(t, "root", w.Name)
	require.Equal(t, "What it is.", w.Docs)

	streams := w.Import("wasi:io/streams@0.2.3").Interface
	poll := w.Import("wasi:io/poll@0.2.3").Interface
	exported := w.Export("wasi:io/poll@0.2.3").Interface
	require.NotSame(t, poll.Types[0].Resource, exported.Types[0].Resource, "each side has its own resources")
	use := streams.Types[0]
	require.Same(t, poll.Types[0].Resource, use.Resource)
	require.Equal(t, "wasi:io/poll@0.2.3", use.Owner)
	require.Equal(t, "pollable", use.OwnerName)

	ready := poll.Func("[method]pollable.ready")
	require.Len(t, ready.Params, 1)
	require.True(t, wit.Equal(wit.NewBorrow(poll.Types[0].Resource), ready.Params[0].Type))
	ctor := streams.Func("[constructor]output-stream")
	require.Equal(t, wit.KindResult, ctor.Result.Kind)
	splice := streams.Func("[static]output-stream.splice")
	require.True(t, splice.Async)
	require.Equal(t, wit.KindFuture, splice.Result.Kind)
	check := streams.Func("check")
	require.Equal(t, "Checks.\nTwice.", check.Docs)
	require.Equal(t, "modes", check.Params[0].Type.Name)
	require.Same(t, streams.Func("take").Params[0].Type.Resource, streams.Func("take").Params[1].Type.Resource)

	require.Equal(t, "Counts.", w.Export("example:counter/counter").Interface.Docs)
	require.Equal(t, "increment: func(name: string) -> result<u64, string>", w.Export("example:counter/counter").Interface.Func("increment").String())
	require.Equal(t, []string{"red", "HTTP-green"}, []string{
		w.Export("custom").Interface.Types[0].Type.Cases[0].Name, w.Export("custom").Interface.Types[0].Type.Cases[1].Name})
	require.Equal(t, "func", w.Import("log").Func.Params[1].Name)
	run := w.Export("run").Func
	require.True(t, run.Async)
	require.Same(t, streams.Types[1].Resource, run.Params[0].Type.Fields[1].Type.Elem.Resource)
}

// What people write: other orders, gates, comments, the world's own package.
func TestParseWorldByHand(t *testing.T) {
	t.Parallel()
	w, err := wit.ParseWorld(`
		package a:b@1.0.0-rc.1;
		/* a /* nested */ comment */
		@since(version = 1.0.0)
		interface user {
			use types.{t as u,}; // comma
			@unstable(feature = x)
			f: func(a: u,) -> own<r>;
			use types.{r};
		}
		world w { export user; import a:b/other@1.0.0-rc.1; }
		interface other { type late = early; type early = u8; }
		interface types { record t { a: list<late>, } flags late { x } resource r; }
	`)
	require.NoError(t, err)
	require.Equal(t, "a:b/w@1.0.0-rc.1", w.Name)
	require.Equal(t, []string{"a:b/types@1.0.0-rc.1", "a:b/other@1.0.0-rc.1"}, []string{w.Imports[0].Name, w.Imports[1].Name})
	require.Same(t, w.Imports[0].Interface.Types[2].Resource, w.Exports[0].Interface.Func("f").Result.Resource)
	text, err := wit.Print(w)
	require.NoError(t, err)
	require.Equal(t, `package a:b@1.0.0-rc.1;

world w {
  import types;
  import other;
  export user;
}

interface types {
  record t {
    a: list<late>,
  }
  flags late {
    x,
  }
  resource r;
}

interface other {
  type late = u8;
  type early = u8;
}

interface user {
  use types.{t as u, r};
  f: func(a: u) -> r;
}
`, text)
}

func TestParseWorldErrors(t *testing.T) {
	t.Parallel()
	in := func(body string) string { return "package a:b;\ninterface i {\n" + body + "\n}\nworld w { export i; }" }
	deep := strings.Repeat("list<", 200) + "u8" + strings.Repeat(">", 200)
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "line 1, column 1: no world"},
		{"two worlds", "package a:b; world v {} world w {}", "line 1, column 25: a second world"},
		{"no package", "interface i {}", `interface "/i" twice, or in no package`},
		{"keyword", in("record: func();"), `line 3, column 7: expected the name of a type, found ":"`},
		{"unknown type", in("f: func(a: x);"), `line 3, column 12: type "x" is not defined`},
		{"unknown interface", "package a:b; world w { import c:d/e; }", `interface "c:d/e" is not in this text`},
		{"unknown use", in("use c:d/e.{t};"), `interface "c:d/e" is not in this text`},
		{"use of nothing", in("use i.{t};"), `interface "a:b/i" uses itself`},
		{"recursive", in("record r { a: list<r> }"), `line 3, column 20: type "r" contains itself`},
		{"alias of itself", in("type t = t;"), `type "t" contains itself`},
		{"twice", in("type t = u8; type t = u8;"), `line 3, column 14: type "t" twice`},
		{"func twice", in("f: func(); f: func();"), `"f" twice`},
		{"param twice", in("f: func(a: u8, a: u8);"), `parameter "a" twice`},
		{"field twice", in("record r { a: u8, a: u8 }"), `"a" twice`},
		{"empty record", in("record r { }"), "record: type has no parts"},
		{"deep", in("type t = " + deep + ";"), "type nests deeper than 100"},
		{"list of two", in("type t = list<u8, u8>;"), `"list" is no type with 2 types in it`},
		{"fixed 0", in("type t = list<u8, 0>;"), `length "0" of a list`},
		{"underscore", in("type t = option<_>;"), `"_" is no type`},
		{"map key", in("type t = map<f32, u8>;"), "may not be the key of a map: f32"},
		{"stream of borrow", in("resource r; type t = stream<borrow<r>>;"), "may not contain a borrow"},
		{"borrow of a record", in("record r { a: u8 } f: func(a: borrow<r>);"), `"r" is no resource`},
		{"no semicolon", in("f: func()"), `line 4, column 1: expected ";", found "}"`},
		{"no brace", "package a:b; world w { ", `expected`},
		{"comment", "/* /* */", "line 1, column 1: comment without its closing */"},
		{"letters", in("f: func(Foo: u8);"), `"Foo" is no kebab-case name`},
		{"character", in("f: func(a ? u8);"), `line 3, column 11: unexpected character '?'`},
		{"version", "package a:b@1.0; world w {}", `"1.0" is no version`},
		{"include", "package a:b; world w { include x; }", "include is not read here"},
		{"loose function", "package a:b; world w { f: func(); }", `function "f" in a world is neither imported nor exported`},
		{"import twice", "package a:b; world w { import f: func(); import f: func(); }", `"f" twice`},
		{"too large", strings.Repeat(" ", wit.MaxText+1), "WIT text is larger than 8388608 bytes"},
		{"chain of borrows", in(chain(100_000, "type a%d = borrow<a%d>;")), "nests deeper"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := wit.ParseWorld(tt.text)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func chain(n int, format string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Replace(strings.Replace(format, "%d", label(i), 1), "%d", label(i+1), 1))
	}
	return b.String()
}

func label(i int) string {
	s := ""
	for ; i > 0; i /= 10 {
		s += string(rune('a' + i%10))
	}
	return s
}

func TestPrintRefusesWhatWITCannotSay(t *testing.T) {
	t.Parallel()
	r := &wit.Resource{Name: "r"}
	for _, w := range []*wit.World{
		{Imports: []wit.Extern{{Name: "url=<https://x>", Func: &wit.Func{}}}},
		{Imports: []wit.Extern{{Name: "unlocked-dep=<a:b>", Interface: &wit.Interface{}}}},
		{Imports: []wit.Extern{{Name: "f"}}},
		{Imports: []wit.Extern{{Name: "f", Func: &wit.Func{Name: "f", Params: []wit.Param{{Name: "a", Type: wit.NewOwn(r)}}}}}},
		{Exports: []wit.Extern{{Name: "a:b/c", Interface: &wit.Interface{Funcs: []*wit.Func{{Name: "[method]r.f"}}}}}},
		{Exports: []wit.Extern{{Name: "a:b/c", Interface: &wit.Interface{Types: []wit.TypeDef{{Name: "r", Resource: r}}, Funcs: []*wit.Func{{Name: "[method]r.f"}}}}}},
		{Exports: []wit.Extern{{Name: "a:b/c", Interface: &wit.Interface{Funcs: []*wit.Func{{Name: "f", Params: []wit.Param{{Name: "No No", Type: wit.U8}}}}}}}},
		{
			Imports: []wit.Extern{{Name: "a:b/c", Interface: &wit.Interface{Funcs: []*wit.Func{{Name: "f", Result: wit.U8}}}}},
			Exports: []wit.Extern{{Name: "a:b/c", Interface: &wit.Interface{Funcs: []*wit.Func{{Name: "f"}}}}},
		},
	} {
		_, err := wit.Print(w)
		require.ErrorIs(t, err, wit.ErrNotWIT)
	}
}

// A binary may share parts of types, so that what it says is much larger as
// text than as bytes.
func TestPrintIsBounded(t *testing.T) {
	t.Parallel()
	big := must(wit.NewList(wit.String))
	for range 14 {
		big = must(wit.NewList(must(wit.NewTuple(big, big))))
	}
	f := &wit.Func{Name: "f"}
	for i := range 100 {
		f.Params = append(f.Params, wit.Param{Name: "p" + label(i+1), Type: big})
	}
	_, err := wit.Print(&wit.World{Imports: []wit.Extern{{Name: "f", Func: f}}})
	require.ErrorIs(t, err, wit.ErrTextTooLarge)
}

func TestPrintLeavesNoControlCharactersInDocs(t *testing.T) {
	t.Parallel()
	text, err := wit.Print(&wit.World{Docs: "a\x1b[2J\u202e\r\nb"})
	require.NoError(t, err)
	require.Contains(t, text, "/// a[2J\n/// b\n")
}

func TestPrintInterface(t *testing.T) {
	t.Parallel()
	w, err := wit.ParseWorld(golden)
	require.NoError(t, err)
	text, err := wit.PrintInterface(w.Export("example:counter/counter").Interface)
	require.NoError(t, err)
	require.Equal(t, "package example:counter;\n\n/// Counts.\ninterface counter {\n  increment: func(name: string) -> result<u64, string>;\n}\n", text)
	text, err = wit.PrintInterface(w.Import("wasi:io/streams@0.2.3").Interface)
	require.NoError(t, err)
	require.Contains(t, text, "interface streams {\n  resource pollable;\n  resource output-stream {")
}

// Random worlds, with types that have no names yet and resources that cross
// interfaces, come back the same.
func TestPrintRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := wittest.World(rt, false)
		text, err := wit.Print(w)
		require.NoError(rt, err)
		got, err := wit.ParseWorld(text)
		require.NoError(rt, err, text)
		again, err := wit.Print(got)
		require.NoError(rt, err)
		require.Equal(rt, text, again)
		sameExterns(rt, text, w.Imports, got.Imports)
		sameExterns(rt, text, w.Exports, got.Exports)
	})
}

func sameExterns(t require.TestingT, text string, want, got []wit.Extern) {
	require.Len(t, got, len(want), text)
	for i, e := range want {
		require.Equal(t, e.Name, got[i].Name)
		if e.Func != nil {
			require.True(t, sameFunc(e.Func, got[i].Func), "%s\n%s", e.Func, text)
			continue
		}
		require.Len(t, got[i].Interface.Funcs, len(e.Interface.Funcs))
		for _, f := range e.Interface.Funcs {
			require.True(t, sameFunc(f, got[i].Interface.Func(f.Name)), "%s: %s\n%s", e.Name, f, text)
		}
	}
}

// sameFunc compares resources by their names, which are unique in the worlds
// that are drawn.
func sameFunc(a, b *wit.Func) bool {
	if b == nil {
		return false
	}
	byName := map[string]*wit.Resource{}
	canon := func(r *wit.Resource) *wit.Resource {
		if byName[r.Name] == nil {
			byName[r.Name] = r
		}
		return byName[r.Name]
	}
	mapped := func(f *wit.Func) *wit.Func {
		out := &wit.Func{Async: f.Async, Result: wit.Map(f.Result, canon)}
		for _, p := range f.Params {
			out.Params = append(out.Params, wit.Param{Name: p.Name, Type: wit.Map(p.Type, canon)})
		}
		return out
	}
	return wit.EqualFunc(mapped(a), mapped(b))
}

func FuzzParseWorld(f *testing.F) {
	f.Add(golden)
	f.Add("package a:b; world w { import i: interface { use c.{d as e}; } }")
	f.Add("package a:b@1.0.0+x { interface i { type t = result<_, list<u8, 3>>; } } package r:c; world w { export a:b/i@1.0.0+x; }")
	f.Fuzz(func(t *testing.T, s string) {
		w, err := wit.ParseWorld(s)
		if err != nil {
			return
		}
		text, err := wit.Print(w)
		if err != nil {
			require.True(t, len(s) > 1000, "%v", err)
			return
		}
		again, err := wit.ParseWorld(text)
		require.NoError(t, err, text)
		text2, err := wit.Print(again)
		require.NoError(t, err)
		require.Equal(t, text, text2)
	})
}

func must(t *wit.Type, err error) *wit.Type {
	if err != nil {
		panic(err)
	}
	return t
}
