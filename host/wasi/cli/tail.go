package cli

import (
	"strings"
	"sync"
)

// Limits of a [tail].
const (
	tailLines = 20
	tailBytes = 4 << 10
	tailLine  = 1 << 10 // bytes of one line
)

// tail keeps the last lines of a stream. It is safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	lines [tailLines]string // a ring
	next  int               // all lines so far
}

func (t *tail) add(line string) {
	if len(line) > tailLine {
		line = strings.ToValidUTF8(line[:tailLine], "") + "..."
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines[t.next%tailLines] = line
	t.next++
}

// list returns the lines, oldest first.
func (t *tail) list() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, size := t.next, 0
	for ; first > 0 && first > t.next-tailLines; first-- {
		if size += len(t.lines[(first-1)%tailLines]); size > tailBytes {
			break
		}
	}
	var list []string
	for ; first < t.next; first++ {
		list = append(list, t.lines[first%tailLines])
	}
	return list
}
