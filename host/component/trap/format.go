package trap

import (
	"strings"
)

// Format returns all that is known of an error for the eyes of the component's
// owner: for a trap its text, the backtrace, the last lines of standard error
// and the trace, in several lines without a line end after the last; for any
// other error its text. It is at most some 20 KiB longer than the text.
func Format(err error) string {
	t := As(err)
	if t == nil {
		return err.Error()
	}
	var b strings.Builder
	b.WriteString(err.Error())
	section := func(title, text string) {
		if text != "" {
			b.WriteString("\n" + title + ":\n    " + strings.ReplaceAll(text, "\n", "\n    "))
		}
	}
	section("backtrace, innermost first", t.Stack.String())
	section("last lines of stderr", strings.Join(t.Stderr, "\n"))
	section("the host was at", strings.TrimSpace(t.GoStack))
	if t.Trace != "" {
		b.WriteString("\ntrace: " + t.Trace)
	}
	return b.String()
}
