package process

import (
	"bytes"
	"fmt"
	"strings"
)

// MaxLine bounds a line of output, in bytes; what is more of it is left out.
const MaxLine = 8 << 10

// lines tells what is written to it line by line. It has one writer.
type lines struct {
	stream string
	tell   func(stream, line string)
	line   []byte
	over   int // bytes of the line that were left out
}

func newLines(stream string, tell func(stream, line string)) *lines {
	if tell == nil {
		tell = func(string, string) {}
	}
	return &lines{stream: stream, tell: tell}
}

// Write never fails: a process whose output nobody takes would stop.
func (l *lines) Write(b []byte) (int, error) {
	n := len(b)
	for {
		part, rest, whole := bytes.Cut(b, []byte{'\n'})
		room := min(len(part), MaxLine-len(l.line))
		l.line = append(l.line, part[:room]...)
		l.over += len(part) - room
		if !whole {
			return n, nil
		}
		l.end()
		b = rest
	}
}

// flush tells a last line that does not end.
func (l *lines) flush() {
	if len(l.line) > 0 {
		l.end()
	}
}

func (l *lines) end() {
	text := strings.ToValidUTF8(string(bytes.TrimSuffix(l.line, []byte{'\r'})), "\uFFFD")
	if l.over > 0 {
		text += fmt.Sprintf(" … (%d bytes left out)", l.over)
	}
	l.line, l.over = l.line[:0], 0
	l.tell(l.stream, text)
}
