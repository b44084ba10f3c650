package wasi

import (
	"strings"

	"github.com/lathhost/lath/host/wasi/internal/lines"
	contractlogging "github.com/lathhost/lath/wit/wasi/logging"
)

// logLines makes lines of messages: "warn: context: text", the first part on
// each line.
func logLines(line func(stream, line string)) func(contractlogging.Level, string, string) {
	return func(level contractlogging.Level, context, message string) {
		head := level.String() + ": "
		if context != "" {
			head += context + ": "
		}
		w := lines.NewWriter(func(s string) { line(Log, s) })
		for text := range strings.SplitSeq(message, "\n") {
			_, _ = w.Write([]byte(head + text + "\n")) // never fails
		}
	}
}
