package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"
)

// skipText lists the forms that cannot be played.
//
//go:embed skips.txt
var skipText string

// parseSkips reads "path:line reason" lines.
func parseSkips(text string) (map[string]string, error) {
	skips := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		place, reason, ok := strings.Cut(line, " ")
		if !ok || !strings.Contains(place, ":") {
			return nil, fmt.Errorf("skips.txt: %q: want path:line reason", line)
		}
		skips[place] = strings.TrimSpace(reason)
	}
	return skips, lines.Err()
}
