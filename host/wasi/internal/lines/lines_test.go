package lines_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/internal/lines"
)

func collect(parts ...string) []string {
	var got []string
	w := lines.NewWriter(func(s string) { got = append(got, s) })
	for _, p := range parts {
		n, err := w.Write([]byte(p))
		if err != nil || n != len(p) {
			panic("a line writer failed")
		}
	}
	w.End()
	w.End()
	return got
}

func TestLinesAreWholeHoweverTheyAreWritten(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"one", "", "two", "three"}, collect("on", "e\n\ntw", "o\r\n", "th", "ree"))
	require.Empty(t, collect(""))
}

func TestLongLinesAreCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("a", lines.Max-1) + "€" + strings.Repeat("b", 2*lines.Max)
	got := collect(text+"\n", "next\n")
	require.Equal(t, text+"next", strings.Join(got, ""))
	for _, l := range got {
		require.LessOrEqual(t, len(l), lines.Max)
		require.True(t, utf8.ValidString(l))
	}
	require.Equal(t, "next", got[len(got)-1])
}

func TestLinesCannotDriveATerminal(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a\ufffd[31mb\tc\ufffd\ufffd"}, collect("a\x1b[31mb\tc\xff\u009b\n"))
}

func FuzzLines(f *testing.F) {
	f.Add("a\nb", "\r\nc")
	f.Add("€", "\xe2\x82")
	f.Fuzz(func(t *testing.T, a, b string) {
		var got []string
		w := lines.NewWriter(func(s string) { got = append(got, s) })
		_, _ = w.Write([]byte(a))
		_, _ = w.Write([]byte(b))
		w.End()
		for _, l := range got {
			require.True(t, utf8.ValidString(l))
			require.NotContains(t, l, "\n")
		}
	})
}
