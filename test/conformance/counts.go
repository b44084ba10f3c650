package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
)

//go:embed convert.mjs
var converterText []byte

func converter() io.Reader { return bytes.NewReader(converterText) }

// outcome is what became of a form.
type outcome int

const (
	passed outcome = iota
	failed
	skipped
)

// tally counts outcomes.
type tally struct{ passed, failed, skipped int }

func (t tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

// counts are tallies by kind of form.
type counts map[string]tally

func (c counts) count(kind string, o outcome) {
	t := c[kind]
	switch o {
	case passed:
		t.passed++
	case failed:
		t.failed++
	case skipped:
		t.skipped++
	}
	c[kind] = t
}

func (c counts) add(other counts) {
	for kind, t := range other {
		s := c[kind]
		c[kind] = tally{s.passed + t.passed, s.failed + t.failed, s.skipped + t.skipped}
	}
}

func (c counts) sum() tally {
	var s tally
	for _, t := range c {
		s = tally{s.passed + t.passed, s.failed + t.failed, s.skipped + t.skipped}
	}
	return s
}

// table prints a line per kind.
func (c counts) table(w io.Writer) {
	for _, kind := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(w, "%-60s %s\n", kind, c[kind])
	}
}
