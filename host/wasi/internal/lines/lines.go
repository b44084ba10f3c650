// Package lines cuts what guests write into lines for a log. It knows no log:
// a line goes to a function.
package lines

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"
)

// Max is the longest line in bytes; what is longer is cut into several.
const Max = 8 << 10

// Writer hands each line that is written to it to a function, without its line
// end. It is safe for concurrent use; the function is called by one goroutine
// at a time and may not write to the writer.
type Writer struct {
	emit func(line string)

	mu   sync.Mutex
	part []byte // the line that has no end yet, at most Max bytes
}

// NewWriter makes a writer; a nil emit drops all lines.
func NewWriter(emit func(line string)) *Writer {
	if emit == nil {
		emit = func(string) {}
	}
	return &Writer{emit: emit}
}

// Write implements [io.Writer]. It never fails.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(b)
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, newline)
		w.add(line)
		if whole {
			w.end()
		}
		b = rest
	}
	return n, nil
}

var newline = []byte{'\n'}

// add appends to the line that has no end yet and cuts it where it is too long.
func (w *Writer) add(b []byte) {
	for len(w.part)+len(b) > Max {
		room := Max - len(w.part)
		w.part = append(w.part, b[:room]...)
		b = b[room:]
		at := cut(w.part)
		rest := w.part[at:]
		w.emit(Clean(string(w.part[:at])))
		w.part = w.part[:copy(w.part, rest)]
	}
	w.part = append(w.part, b...)
}

// cut returns where to cut a line that is full: before a character that is not
// whole, if it ends in one.
func cut(b []byte) int {
	for back := 1; back < utf8.UTFMax; back++ {
		if i := len(b) - back; utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

func (w *Writer) end() {
	w.emit(Clean(string(bytes.TrimSuffix(w.part, []byte{'\r'}))))
	w.part = w.part[:0]
}

// End hands out a last line that has no line end.
func (w *Writer) End() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 {
		w.end()
	}
}

// Clean makes text safe for a log: valid UTF-8 without control characters, which
// could forge lines or drive a terminal. Tabs stay.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, s)
}
