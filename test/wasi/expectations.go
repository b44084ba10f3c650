package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed expectations.txt
var expectationText string

// expectations are the tests that are not expected to pass, by name.
type expectations map[string]expectation

type expectation struct {
	skip   bool
	reason string
}

// parseExpectations reads lines of "skip NAME reason" or "fail NAME reason".
func parseExpectations(text string) (expectations, error) {
	all := expectations{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		name, reason, _ := strings.Cut(rest, " ")
		if verb != "skip" && verb != "fail" || reason == "" {
			return nil, fmt.Errorf("%q: want skip or fail, a test's name and a reason", line)
		}
		if _, twice := all[name]; twice {
			return nil, fmt.Errorf("%s is listed twice", name)
		}
		all[name] = expectation{verb == "skip", strings.TrimSpace(reason)}
	}
	return all, lines.Err()
}
