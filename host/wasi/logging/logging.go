// Package logging carries out wasi:logging by a function of the host's. It
// knows no log.
//
// Source: package wasi:logging, 0.1.0-draft.
package logging

import (
	"context"
	"strings"

	"github.com/lathhost/lath/host/wasi/internal/lines"
	contract "github.com/lathhost/lath/wit/wasi/logging"
)

const (
	maxContext = 256
	maxMessage = 64 << 10
)

// Logger carries out wasi:logging/logging.
type Logger struct {
	log func(level contract.Level, context, message string)
}

var _ contract.Logging = Logger{}

// New makes a logger of a function that takes one message, which may have
// several lines. The text is valid UTF-8 without control characters other than
// tab and newline, the context at most 256 bytes and the message 64 KiB: more
// is cut off. The function must be safe for concurrent use and must not block;
// nil drops all messages.
func New(log func(level contract.Level, context, message string)) Logger { return Logger{log} }

// Log implements the contract.
func (l Logger) Log(_ context.Context, level contract.Level, contextArg, message string) error {
	if l.log != nil {
		l.log(level, lines.Clean(cut(contextArg, maxContext)), clean(cut(message, maxMessage)))
	}
	return nil
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const mark = "…"
	return strings.ToValidUTF8(s[:limit-len(mark)], "") + mark
}

// clean keeps the line ends of a message.
func clean(s string) string {
	parts := strings.Split(strings.TrimRight(s, "\r\n"), "\n")
	for i, p := range parts {
		parts[i] = lines.Clean(strings.TrimSuffix(p, "\r"))
	}
	return strings.Join(parts, "\n")
}
