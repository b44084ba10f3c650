package wave

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lathhost/lath/wit"
)

// Bounds on what is read.
const (
	// MaxText is the most bytes of text.
	MaxText = 4 << 20
	// MaxValues is the most values in one text, counting those within values.
	MaxValues = 1 << 20
)

// Error says where a text is wrong.
type Error struct {
	// Line and Column count from 1; columns are characters. They count from
	// the start of the whole text, for an argument from the start of the call.
	Line, Column int
	// Context names the innermost part that has a name, such as `argument
	// "delta"`; it may be empty.
	Context string
	Want    string // what was expected: a type as WIT, or punctuation; may be empty
	Got     string // what was found
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	if e.Context != "" {
		b.WriteString(e.Context + ": ")
	}
	if e.Want != "" {
		b.WriteString("expected " + e.Want + ", found ")
	}
	b.WriteString(e.Got)
	return b.String()
}

func errorAt(src string, pos int, context, want, got string) *Error {
	before := src[:min(pos, len(src))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &Error{Line: line, Column: column, Context: context, Want: want, Got: got}
}

// describe is a type as an error shows it: its name, and its structure where
// the name says nothing about it.
func describe(t *wit.Type) string {
	s := t.String()
	if full := t.Structure(); full != s {
		s += ", " + article(full)
	}
	return clip(s, 160)
}

func article(s string) string {
	if strings.HasPrefix(s, "enum") || strings.HasPrefix(s, "option") {
		return "an " + s
	}
	return "a " + s
}

// clip shortens s to at most n characters.
func clip(s string, n int) string {
	i := 0
	for at := range s {
		if i == n {
			return s[:at] + "…"
		}
		i++
	}
	return s
}
