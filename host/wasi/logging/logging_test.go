package logging_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/logging"
	contract "github.com/lathhost/lath/wit/wasi/logging"
)

func TestMessagesAreBoundedAndClean(t *testing.T) {
	t.Parallel()
	var where, text string
	l := logging.New(func(_ contract.Level, c, m string) { where, text = c, m })
	require.NoError(t, l.Log(t.Context(), contract.LevelInfo, "a\nb", "one\r\n\ttwo\x1b\n"))
	require.Equal(t, "a\ufffdb", where)
	require.Equal(t, "one\n\ttwo\ufffd", text)

	require.NoError(t, l.Log(t.Context(), contract.LevelInfo, strings.Repeat("€", 1000), strings.Repeat("€", 1<<20)))
	require.LessOrEqual(t, len(where), 256)
	require.LessOrEqual(t, len(text), 64<<10)
	require.True(t, utf8.ValidString(where) && utf8.ValidString(text))
	require.True(t, strings.HasSuffix(text, "€…"))
	require.NoError(t, logging.New(nil).Log(t.Context(), contract.LevelInfo, "", ""))
}
