package trap

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxGoStack bounds what is shown of a stack of the host.
const maxGoStack = 16 << 10

// Format returns all that is known of an error for the eyes of the component's
// owner: for a trap its text, the backtrace, the last lines of standard error
// and the trace, in several lines without a line end after the last; for any
// other error its text. Characters that could drive a terminal are replaced.
func Format(err error) string {
	var b strings.Builder
	b.WriteString(err.Error())
	if t := As(err); t != nil {
		goStack := strings.TrimSpace(t.GoStack)
		if len(goStack) > maxGoStack {
			goStack = goStack[:maxGoStack]
		}
		section(&b, "backtrace, innermost first", t.Stack.Lines())
		section(&b, "last lines of stderr", t.Stderr)
		if goStack != "" {
			section(&b, "the host was at", strings.Split(goStack, "\n"))
		}
		if t.Trace != "" {
			b.WriteString("\ntrace: " + t.Trace)
		}
	}
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
			return utf8.RuneError
		}
		return r
	}, b.String())
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	b.WriteString("\n" + title + ":")
	for _, line := range lines {
		b.WriteString("\n    " + line)
	}
}
