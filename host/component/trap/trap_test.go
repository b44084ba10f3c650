package trap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/trap"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]trap.Frame{
		"f (module 1)":              {Module: "module 1", Func: "f"},
		"function 7 (module 1)":     {Module: "module 1", Index: 7},
		"f (m at code offset 0x1f)": {Module: "m", Func: "f", Offset: 31},
		"f (a.c)":                   {Module: "m", Func: "f", Offset: 31, File: "a.c"},
		"f (a.c:3)":                 {Func: "f", File: "a.c", Line: 3},
		"f (a.c:3:9) inlined":       {Func: "f", File: "a.c", Line: 3, Column: 9, Inlined: true},
		"f (a.c) inlined":           {Func: "f", File: "a.c", Column: 9, Inlined: true},
	} {
		require.Equal(t, want, f.String())
	}
}

func TestStacksAreBounded(t *testing.T) {
	t.Parallel()
	require.Empty(t, trap.Stack(nil).String())
	long := make(trap.Stack, 40)
	for i := range long {
		long[i] = trap.Frame{Func: strings.Repeat("f", 255) + string(rune('a'+i%2)), Module: strings.Repeat("m", 256)}
	}
	text := long.String()
	require.LessOrEqual(t, len(text), trap.MaxStackText)
	require.Greater(t, len(text), trap.MaxStackText-1000)
	require.True(t, strings.HasSuffix(text, "\n..."))

	inner := trap.Stack{{Func: "inner"}}
	joined := trap.Join(inner, append(long, long...))
	require.Len(t, joined, trap.MaxFrames)
	require.Equal(t, "inner", joined[0].Func)
	require.Len(t, trap.Join(long, nil), len(long))
}

func TestRecursionsAreCounted(t *testing.T) {
	t.Parallel()
	a, b, c := trap.Frame{Func: "a", Module: "m"}, trap.Frame{Func: "b", Module: "m"}, trap.Frame{Func: "a", Module: "m", Inlined: true}
	require.Equal(t, "a (m), 3 times\nb (m)\nb (m)\na (m) inlined\na (m)\na (m)\nb (m), 4 times",
		trap.Stack{a, a, a, b, b, c, a, a, b, b, b, b}.String())
}

func TestNamesAreSafeToShow(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"main":                      "main",
		"_ZN4core9panicking":        "_ZN4core9panicking",
		"a\nb\x1b[2J":               "a\ufffdb\ufffd[2J",
		"\u202egnp.exe \u2028 \xff": "\ufffdgnp.exe \ufffd \ufffd",
	} {
		require.Equal(t, want, trap.Name(name))
	}
	long := trap.Name(strings.Repeat("\u00e9", 1000))
	require.LessOrEqual(t, len(long), 256)
	require.True(t, utf8.ValidString(long))
	require.NotContains(t, long, "\ufffd")
}

func TestFormatShowsAll(t *testing.T) {
	t.Parallel()
	require.Equal(t, "plain\ufffd", trap.Format(errors.New("plain\x1b")))
	e := trap.New(trap.Import, "store: %w", errors.New("gone"))
	e.Component, e.Func, e.Trace = "c", "f", "4bf9"
	e.Stack = trap.Stack{{Func: "g", Module: "m"}, {Func: "f", Module: "m"}}
	e.Stderr = []string{"first", "second\x1b"}
	require.Equal(t, `call: c: f: import failed: store: gone
backtrace, innermost first:
    g (m)
    f (m)
last lines of stderr:
    first
    second`+"\ufffd"+`
trace: 4bf9`, trap.Format(fmt.Errorf("call: %w", e)))
	for _, secret := range []string{"g (m)", "first", "4bf9"} {
		require.NotContains(t, e.Error(), secret)
	}

	bug := &trap.Error{Code: trap.Host, Msg: "nil", GoStack: strings.Repeat("goroutine\n", 10_000)}
	require.Contains(t, trap.Format(bug), "the host was at:\n    goroutine\n")
	require.Less(t, len(trap.Format(bug)), 40<<10)
}
