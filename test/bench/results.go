package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files of a run that is kept.
const (
	resultsFile = "RESULTS.md"
	plotFile    = "results.png"
)

// figure is what has a bar.
type figure struct {
	name, measured, bar, verdict string
	// share is what of the bar was taken: at most 1 holds.
	share float64
}

// ownGroups are the bars that are about this program; the others are about what
// hostile guests do to their neighbours.
var ownGroups = []string{lateGroup, collectGroup, throughputGroup, coldGroup, densityGroup, thousandGroup}

// figures lists what has a bar.
func (r *report) figures() (all []figure) {
	for _, l := range r.Rows {
		if l.limit == nil {
			continue
		}
		f := figure{name: l.Group + ": " + l.Name, measured: duration(l.Nanos.Median), bar: l.Limit, verdict: l.Verdict}
		if l.Ratio != nil && l.limit.ratio > 0 {
			f.measured += ", " + number(l.Ratio.Median) + " ×"
			if f.share = l.share(l.limit); l.CPURatio != nil && !l.limit.waits {
				f.measured += ", " + number(l.CPURatio.Median) + " × of CPU"
			}
		}
		if l.limit.nanos > 0 {
			f.measured += ", " + duration(l.time()) + " of CPU"
			f.share = max(f.share, l.time()/l.limit.nanos)
		}
		if l.limit.noAllocs {
			f.measured += fmt.Sprintf(", %s allocs", number(whole(l.Allocs)))
		}
		all = append(all, f)
	}
	for _, b := range r.Bars {
		if !slices.Contains(ownGroups, b.Group) {
			continue
		}
		measured, of, bound, verdict := b.texts()
		if of != "" {
			measured += " (" + of + ")"
		}
		f := figure{name: b.Group + ": " + b.Name, measured: measured, bar: bound, verdict: verdict, share: b.Value / b.Bar}
		if b.Unit == unitPerSec {
			f.share = b.Bar / b.Value
		}
		all = append(all, f)
	}
	return all
}

// keep writes the run to a folder.
func (r *report) keep(dir string) error {
	figures := r.figures()
	var out strings.Builder
	fmt.Fprintf(&out, "# Results\n\nOne run of `go run ./test/bench %s`. What the rows are, what they need, and why some fall\nshort, is in [README.md](README.md).\n\n", r.Command)
	fmt.Fprintf(&out, "%s, %s.\n\n## What has a bar\n\n", r.When.Format("2006-01-02"), r.Machine)
	fmt.Fprintf(&out, "![What each figure takes of its bar](%s)\n\nThe plot shows what of its bar each figure takes, on a logarithmic scale: green holds, red falls short.\n\n", plotFile)
	out.WriteString("| | figure | measured | bar | |\n| --- | --- | --- | --- | --- |\n")
	for k, f := range figures {
		fmt.Fprintf(&out, "| %d | %s | %s | %s | %s |\n", k+1, f.name, f.measured, f.bar, f.verdict)
	}
	fmt.Fprintf(&out, "\n## All\n\n```text\n%s```\n", unindented(r.text()))
	return errors.Join(os.WriteFile(filepath.Join(dir, resultsFile), []byte(out.String()), 0o644),
		writePlot(filepath.Join(dir, plotFile), figures))
}

// unindented takes away what a table leaves at the end of lines.
func unindented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}
