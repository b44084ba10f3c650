package host

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestOutputIsBoundedBySecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		o := newOutput(zap.New(core), 1000)
		defer o.close()

		o.line("stdout", strings.Repeat("a", 999-lineCost))
		o.line("stderr", strings.Repeat("b", 5001-lineCost)) // begins in what room there is
		for range 3 {
			o.line("stdout", strings.Repeat("c", 9))
		}
		require.Equal(t, 2, logs.Len())
		require.Equal(t, "stderr", logs.All()[1].ContextMap()["stream"])

		time.Sleep(tellAfter + time.Millisecond)
		entries := logs.TakeAll()
		require.Len(t, entries, 3, "it is told though nothing more comes")
		require.Equal(t, map[string]any{"lines": int64(3), "bytes": int64(27), "bytes a second": 1000.0}, entries[2].ContextMap())

		time.Sleep(5*time.Second - tellAfter - 2*time.Millisecond)
		o.line("stdout", "d")
		require.Zero(t, logs.Len(), "the long line is not paid yet")
		time.Sleep(2 * time.Millisecond)
		o.line("stdout", "e")
		require.Equal(t, "e", logs.TakeAll()[0].Message)

		time.Sleep(time.Hour) // no more room than for a second
		require.Len(t, logs.TakeAll(), 1)
		for range 1000 {
			o.line("stdout", "")
		}
		require.Equal(t, 1000/lineCost+1, logs.Len(), "empty lines cost too")
		o.close()
		require.Equal(t, int64(1000-1000/lineCost-1), logs.All()[logs.Len()-1].ContextMap()["lines"], "the end tells the rest")
		told := logs.Len()
		o.line("stdout", "late")
		o.close()
		require.Equal(t, told, logs.Len())
	})
}
