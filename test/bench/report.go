package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// report is the table, for people and for machines.
type report struct {
	// Command is how the rig was called.
	Command string    `json:"command"`
	Machine machine   `json:"machine"`
	When    time.Time `json:"when"`
	Rounds  int       `json:"rounds"`
	Slice   string    `json:"slice"`
	Took    string    `json:"took"`
	Rows    []line    `json:"rows"`
	Bars    []bar     `json:"bars"`
	Crowd   *crowd    `json:"crowd,omitempty"`
	// Skipped is what could not be measured, and why.
	Skipped []string `json:"skipped,omitempty"`
}

// line is one row of the report.
type line struct {
	Group  string  `json:"group"`
	Name   string  `json:"name"`
	Nanos  spread  `json:"ns"`
	CPU    spread  `json:"cpu"`
	Allocs float64 `json:"allocs"` // median per operation
	Bytes  float64 `json:"bytes"`  // median per operation
	Floor  string  `json:"floor,omitempty"`
	// Missing is why there is no floor.
	Missing string  `json:"missing,omitempty"`
	Ratio   *spread `json:"ratio,omitempty"` // to the floor of the same round
	// CPURatio is that of processor time.
	CPURatio *spread `json:"cpu_ratio,omitempty"`
	// Limit is what the row must reach, and Verdict whether it did.
	Limit   string `json:"limit,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	limit   *limit

	Samples []sample `json:"samples"`
	Floors  []sample `json:"floor_samples,omitempty"`
}

func newReport(m measurement, rows []*row, bars []bar) *report {
	r := &report{Machine: thisMachine(), When: time.Now().UTC().Truncate(time.Second), Rounds: m.rounds,
		Slice: m.slice.String(), Took: m.took.Round(100 * time.Millisecond).String(), Bars: bars}
	for _, row := range rows {
		if len(row.samples) == 0 {
			continue // a floor of nothing that was chosen
		}
		l := line{Group: row.group, Name: row.name, Samples: row.samples, Floors: row.floors,
			Nanos: spreadOf(figures(row.samples, nanos)), CPU: spreadOf(figures(row.samples, cpu)),
			Allocs: spreadOf(figures(row.samples, allocs)).Median, Bytes: spreadOf(figures(row.samples, bytesOf)).Median}
		if row.floor != nil {
			ratio := spreadOf(ratios(row.samples, row.floors, nanos))
			if l.Floor, l.Ratio = row.floor.name, &ratio; told(row.samples, cpu) && told(row.floors, cpu) {
				ratio := spreadOf(ratios(row.samples, row.floors, cpu))
				l.CPURatio = &ratio
			}
		}
		if l.Missing = row.missing; row.limit != nil {
			l.limit, l.Limit, l.Verdict = row.limit, row.limit.String(), l.verdict(row.limit)
		}
		r.Rows = append(r.Rows, l)
	}
	return r
}

// Verdicts.
const (
	holds      = "holds"
	fallsShort = "falls short"
)

// time is what a limit of time is about.
func (l *line) time() float64 {
	if l.CPU.Median > 0 {
		return l.CPU.Median
	}
	return l.Nanos.Median
}

// share is what of a limit of its ratio the row takes.
func (l *line) share(to *limit) float64 {
	if l.CPURatio != nil && !to.waits {
		return l.CPURatio.Median / to.ratio
	}
	return l.Ratio.Median / to.ratio
}

// verdict tells whether the medians are within a limit; nothing where there is
// nothing to compare to.
func (l *line) verdict(to *limit) string {
	switch {
	case to.nanos > 0 && l.time() > to.nanos, to.noAllocs && whole(l.Allocs) > 0, l.Ratio != nil && to.ratio > 0 && l.share(to) > 1:
		return fallsShort
	case l.Ratio == nil && to.ratio > 0:
		return "not compared"
	}
	return holds
}

func (r *report) text() string {
	head := fmt.Sprintf("%s\n%d rounds of %s for each row and its floor, %s in all; medians, spreads from least to most\n", r.Machine, r.Rounds, r.Slice, r.Took)
	return head + r.rowsText() + r.skippedText() + r.barsText() + r.crowdText()
}

// rowsText prints what has a floor.
func (r *report) rowsText() string {
	if len(r.Rows) == 0 {
		return ""
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"", "median", "spread", "CPU", "allocs/op", "B/op", "× floor", "spread", "× CPU", "bar", ""})
	configs := []table.ColumnConfig{}
	for n := 2; n <= 10; n++ {
		configs = append(configs, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	group := ""
	for _, l := range r.Rows {
		if l.Group != group {
			if group = l.Group; t.Length() > 0 {
				t.AppendSeparator()
			}
			t.AppendRow(table.Row{strings.ToUpper(group)})
		}
		ratio, ratioSpread, cpuRatio := "floor", "", ""
		if l.CPURatio != nil {
			cpuRatio = number(l.CPURatio.Median)
		}
		if l.Missing != "" {
			ratio = "SKIPPED"
		}
		if l.Ratio != nil {
			ratio, ratioSpread = number(l.Ratio.Median), number(l.Ratio.Min)+" – "+number(l.Ratio.Max)
		}
		t.AppendRow(table.Row{"  " + l.Name, duration(l.Nanos.Median), duration(l.Nanos.Min) + " – " + duration(l.Nanos.Max), processor(l.CPU.Median),
			number(whole(l.Allocs)), number(whole(l.Bytes)), ratio, ratioSpread, cpuRatio, l.Limit, l.Verdict})
	}
	return "\n" + t.Render() + "\n"
}

// skippedText tells what could not be compared on this machine.
func (r *report) skippedText() string {
	var out strings.Builder
	told := map[string]bool{}
	tell := func(line string) {
		if !told[line] {
			told[line] = true
			out.WriteString("SKIPPED: " + line + "\n")
		}
	}
	for _, l := range r.Rows {
		if l.Missing != "" {
			tell(l.Missing)
		}
	}
	for _, s := range r.Skipped {
		tell(s)
	}
	if out.Len() == 0 {
		return ""
	}
	return "\n" + out.String()
}

// barsText prints the figures that have a bar, the worst of all rounds.
func (r *report) barsText() string {
	if len(r.Bars) == 0 {
		return ""
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"the worst", "", "", "bar", ""})
	right := []table.ColumnConfig{}
	for n := 2; n <= 4; n++ {
		right = append(right, table.ColumnConfig{Number: n, Align: text.AlignRight})
	}
	t.SetColumnConfigs(right)
	group := ""
	for _, b := range r.Bars {
		if b.Group != group {
			if group = b.Group; t.Length() > 0 {
				t.AppendSeparator()
			}
			t.AppendRow(table.Row{strings.ToUpper(group)})
		}
		value, of, limit, verdict := b.texts()
		t.AppendRow(table.Row{"  " + b.Name, value, of, limit, verdict})
	}
	return "\n" + t.Render() + "\n"
}

// whole takes away what the runtime allocates beside the measured calls.
func whole(f float64) float64 {
	if n := math.Round(f); math.Abs(f-n) < 0.1 {
		return n
	}
	return f
}

// number prints three digits that count, or all of a whole number.
func number(f float64) string {
	abs := math.Abs(f)
	switch {
	case abs == 0:
		return "0"
	case f == math.Trunc(f) || abs >= 99.95:
		return fmt.Sprintf("%.0f", f)
	case abs >= 9.995:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

// texts are a bar's figure, what there is to say of it, its bound and whether
// that holds.
func (b bar) texts() (value, of, limit, verdict string) {
	value, of, limit, verdict = duration(b.Value), "", "≤ "+duration(b.Bar), fallsShort
	if len(b.All) > 0 {
		of = "median " + duration(spreadOf(b.All).Median)
	}
	if b.Note != "" {
		of = b.Note
	}
	if b.Floor > 0 {
		of += "; a loop in Go: " + duration(b.Floor)
	}
	if b.Alone > 0 {
		value, limit = number(b.Value)+" ×", "≤ "+number(b.Bar)+" ×"
		of = duration(b.Beside) + " / " + duration(b.Alone)
	}
	switch b.Unit {
	case unitBytes:
		value, limit = size(b.Value), "≤ "+size(b.Bar)
	case unitCalls:
		value, limit = number(b.Value), "≤ "+number(b.Bar)
	case unitPerSec:
		value, limit = number(b.Value)+" /s", "≥ "+number(b.Bar)+" /s"
	}
	if b.holds() {
		verdict = holds
	}
	return value, of, limit, verdict
}

// crowdText prints what many callers do at once, and what they wait for.
func (r *report) crowdText() string {
	if r.Crowd == nil {
		return ""
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{fmt.Sprintf("%s (%d)", crowdGroup, r.Crowd.Components), "calls/s", "spread"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}, {Number: 3, Align: text.AlignRight}})
	for _, c := range r.Crowd.Callers {
		t.AppendRow(table.Row{fmt.Sprintf("  %d callers", c.Callers), number(math.Trunc(c.PerSecond.Median)),
			number(math.Trunc(c.PerSecond.Min)) + " – " + number(math.Trunc(c.PerSecond.Max))})
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s\n\nlocks were waited for %s s in each second, with the most callers; the mutex profile:\n", t.Render(), number(r.Crowd.Waited))
	for _, w := range r.Crowd.Waits {
		fmt.Fprintf(&out, "  %4.1f %%  %s\n", w.Percent, w.Where)
	}
	return out.String()
}

// processor prints processor time, where there is any.
func processor(nanos float64) string {
	if nanos == 0 {
		return ""
	}
	return duration(nanos)
}

// size prints bytes, as many as there are in decimal prefixes.
func size(bytes float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"MB", 1e6}, {"kB", 1e3}} {
		if math.Abs(bytes) >= u.size {
			return number(bytes/u.size) + " " + u.name
		}
	}
	return number(bytes) + " B"
}

func duration(nanos float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if math.Abs(nanos) >= u.size {
			return number(nanos/u.size) + " " + u.name
		}
	}
	return number(nanos) + " ns"
}
