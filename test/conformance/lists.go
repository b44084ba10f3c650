package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// skipText lists the forms that cannot be played, differText those that are
// known to fail.
var (
	//go:embed skips.txt
	skipText string
	//go:embed differs.txt
	differText string
)

// place is a form: the script's path and the form's line.
type place struct {
	script string
	line   int
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.script, p.line) }

// list has a reason for each of its forms.
type list []listed

type listed struct {
	script   string
	from, to int
	reason   string
}

// reason returns why a form is in the list.
func (l list) reason(p place) (string, bool) {
	for _, x := range l {
		if x.script == p.script && x.from <= p.line && p.line <= x.to {
			return x.reason, true
		}
	}
	return "", false
}

// parseList reads lines of "path:line reason" or "path:from-to reason".
func parseList(text string) (list, error) {
	var l list
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		where, reason, _ := strings.Cut(line, " ")
		script, numbers, _ := strings.Cut(where, ":")
		first, last, ranged := strings.Cut(numbers, "-")
		if !ranged {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil || reason == "" {
			return nil, fmt.Errorf("%q: want path:line reason", line)
		}
		to, err := strconv.Atoi(last)
		if err != nil || to < from {
			return nil, fmt.Errorf("%q: want path:from-to reason", line)
		}
		l = append(l, listed{script, from, to, strings.TrimSpace(reason)})
	}
	return l, lines.Err()
}
