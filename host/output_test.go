package host

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestOutputIsBoundedBySecond(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	o := newOutput(zap.New(core), 100)
	now := o.filled
	o.now = func() time.Time { return now }

	o.line("stdout", strings.Repeat("a", 98))
	o.line("stderr", strings.Repeat("b", 500)) // begins in what room there is
	for range 3 {
		o.line("stdout", strings.Repeat("c", 9))
	}
	require.Equal(t, 2, logs.Len())
	require.Equal(t, "stderr", logs.All()[1].ContextMap()["stream"])

	now = now.Add(5 * time.Second) // the long line is paid, just
	o.line("stdout", "d")
	require.Equal(t, 2, logs.Len(), "nothing passes on credit twice")
	now = now.Add(10 * time.Millisecond)
	o.line("stdout", "e")
	entries := logs.TakeAll()
	require.Len(t, entries, 4)
	require.Equal(t, map[string]any{"lines": int64(4), "bytes": int64(28), "bytes a second": 100.0}, entries[2].ContextMap())
	require.Equal(t, "e", entries[3].Message)

	now = now.Add(time.Hour) // no more room than for a second
	o.line("stdout", strings.Repeat("f", 99))
	o.line("stdout", "g")
	require.Len(t, logs.TakeAll(), 1)
}
