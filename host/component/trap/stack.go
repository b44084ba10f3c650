package trap

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a backtrace.
const (
	MaxFrames = 64
	// MaxStackText is the most bytes of [Stack.String].
	MaxStackText = 8 << 10
	// maxName is the most bytes of a name in a [Frame]; C++ names are long.
	maxName = 256
)

// Frame is one function of a guest's stack. What it names comes from the guest:
// see [Name].
type Frame struct {
	// Module is the core module: its name, or "module" and its index in the
	// component.
	Module string
	// Func is the function's name as the toolchain wrote it, or empty.
	Func string
	// Index is the function's index in the core module.
	Index uint32
	// Inlined: the function is part of the one of the next frame, which has the
	// same Index.
	Inlined bool
	// Offset is where in the module's code section the guest was, and File,
	// Line and Column where in the source; zero where that is not known.
	Offset       uint32
	File         string
	Line, Column int
}

// String returns "func (file:line:column)", with the module for want of a file.
func (f Frame) String() string {
	var b strings.Builder
	if f.Func != "" {
		b.WriteString(f.Func)
	} else {
		b.WriteString("function " + strconv.FormatUint(uint64(f.Index), 10))
	}
	b.WriteString(" (")
	switch {
	case f.File != "":
		b.WriteString(f.File)
		for _, n := range [...]int{f.Line, f.Column} {
			if n <= 0 {
				break
			}
			b.WriteString(":" + strconv.Itoa(n))
		}
	case f.Offset != 0:
		b.WriteString(f.Module + " at code offset 0x" + strconv.FormatUint(uint64(f.Offset), 16))
	default:
		b.WriteString(f.Module)
	}
	b.WriteByte(')')
	if f.Inlined {
		b.WriteString(" inlined")
	}
	return b.String()
}

// Stack is a backtrace, innermost frame first.
type Stack []Frame

// Lines returns a line per frame, and of three or more that are equal, as those
// of a recursion, one that says how many. What would make them longer than
// [MaxStackText] together is left out, and the last line says so.
func (s Stack) Lines() []string {
	const more = "..."
	lines, size := make([]string, 0, len(s)), 0
	for len(s) > 0 {
		line, n := s[0].String(), 1
		for n < len(s) && s[n].String() == line {
			n++
		}
		if n < 3 {
			n = 1
		} else {
			line += ", " + strconv.Itoa(n) + " times"
		}
		s = s[n:]
		if size += len(line) + len("\n"); size+len(more) > MaxStackText {
			return append(lines, more)
		}
		lines = append(lines, line)
	}
	return lines
}

// String returns Lines, joined by line ends.
func (s Stack) String() string { return strings.Join(s.Lines(), "\n") }

// Join returns the frames of inner, which were called by those of outer.
func Join(inner, outer Stack) Stack {
	n := min(len(outer), max(0, MaxFrames-len(inner)))
	return append(slices.Clip(inner), outer[:n]...)
}

// Name makes a name that a guest chose safe to show: one line of valid UTF-8,
// without control characters and those that change the direction of text, cut
// in the middle at 256 bytes.
func Name(s string) string {
	const dots = "..."
	if len(s) > maxName {
		half := (maxName - len(dots)) / 2
		s = strings.ToValidUTF8(s[:half], "") + dots + strings.ToValidUTF8(s[len(s)-half:], "")
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}
