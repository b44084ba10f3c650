package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is one thing that is measured.
type row struct {
	group string
	name  string
	// floor is what the row is compared to; nil for a floor itself.
	floor *row
	// missing is why there is no floor: the row is then measured alone.
	missing string
	// limit is what the row must reach; nil for those that only tell.
	limit *limit
	// prepare, if any, is called once before the row is first measured.
	prepare func(ctx context.Context) error
	// run does the thing n times and checks each answer.
	run func(ctx context.Context, n int) error
	// elsewhere takes the place of run for what another process measures.
	elsewhere func(ctx context.Context, n int) (sample, error)

	// A row with these is the difference of two others, which are measured
	// once more for it, so that they are neighbours in time.
	of, less *row

	n       int // per round, found by calibrate
	samples []sample
	floors  []sample // the floor's, measured beside samples
}

// limit is what a row must reach, in the median of its rounds. Zero fields are
// none.
type limit struct {
	ratio    float64 // to its floor; of processor time, as nanos is, unless waits
	nanos    float64
	waits    bool // for others: what counts is time
	noAllocs bool
}

func (l *limit) String() string {
	var parts []string
	if l.ratio > 0 {
		parts = append(parts, "≤ "+number(l.ratio)+" ×")
	}
	if l.nanos > 0 {
		parts = append(parts, "≤ "+duration(l.nanos)+" of CPU")
	}
	if l.noAllocs {
		parts = append(parts, "0 allocs")
	}
	return strings.Join(parts, ", ")
}

// sample is one round's mean.
type sample struct {
	Nanos float64 `json:"ns"`
	// CPU is how long the process ran for it, in nanoseconds, which other
	// programs on the machine add little to; 0 where nobody tells.
	CPU    float64 `json:"cpu,omitempty"`
	Allocs float64 `json:"allocs"`
	Bytes  float64 `json:"bytes"`
}

func (s sample) minus(o sample) sample {
	return sample{Nanos: s.Nanos - o.Nanos, CPU: s.CPU - o.CPU, Allocs: s.Allocs - o.Allocs, Bytes: s.Bytes - o.Bytes}
}

// choose returns the rows that match and all that they are compared to, in
// their order.
func choose(rows []*row, match *regexp.Regexp) []*row {
	if match == nil {
		return rows
	}
	want := map[*row]bool{}
	var add func(r *row)
	add = func(r *row) {
		if r != nil && !want[r] {
			want[r] = true
			add(r.floor)
			add(r.of)
			add(r.less)
		}
	}
	for _, r := range rows {
		if match.MatchString(r.group + ": " + r.name) {
			add(r)
		}
	}
	return slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return !want[r] })
}

// measurement is how rows are measured.
type measurement struct {
	rounds int
	slice  time.Duration
	took   time.Duration
}

// run measures all rows, round by round, each beside its floor.
func (m *measurement) run(ctx context.Context, rows []*row) error {
	began := time.Now()
	for _, r := range rows {
		if err := m.calibrate(ctx, r); err != nil {
			return err
		}
	}
	for round := range m.rounds {
		for _, r := range rows {
			if r.floor == nil && r.missing == "" {
				continue
			}
			if err := r.measureBesideFloor(ctx, round%2 == 1); err != nil {
				return err
			}
		}
	}
	m.took = time.Since(began)
	return nil
}

// maxTimes is how often a thing is done in one slice at most: guests count in
// 32 bits.
const maxTimes = 1 << 30

// calibrate finds how often a row must run to fill a slice. It warms up what
// the row needs, too.
func (m *measurement) calibrate(ctx context.Context, r *row) error {
	if r.of != nil {
		return nil
	}
	if r.prepare != nil {
		if err := r.prepare(ctx); err != nil {
			return fmt.Errorf("%s: %s: %w", r.group, r.name, err)
		}
	}
	if _, err := r.measure(ctx, 1); err != nil { // what is made when first needed
		return err
	}
	for n := 1; ; n *= 2 {
		took, err := r.quicker(ctx, n)
		if err != nil {
			return err
		}
		if took >= float64(m.slice)/4 || n >= maxTimes {
			r.n = min(max(1, int(float64(n)*float64(m.slice)/max(took, 1))), maxTimes)
			return nil
		}
	}
}

// quicker measures twice and returns the less time, in nanoseconds: the machine
// may have been busy with something else.
func (r *row) quicker(ctx context.Context, n int) (float64, error) {
	took := math.Inf(1)
	for range 2 {
		s, err := r.measure(ctx, n)
		if err != nil {
			return 0, err
		}
		took = min(took, s.Nanos*float64(n))
	}
	return took, nil
}

// measureBesideFloor measures a row and its floor, one right after the other.
func (r *row) measureBesideFloor(ctx context.Context, backwards bool) error {
	turns := []*row{r.floor, r}
	switch {
	case r.of != nil:
		turns = []*row{r.floor, r.less, r.of}
	case r.floor == nil:
		turns = []*row{r}
	}
	if backwards {
		slices.Reverse(turns)
	}
	got := map[*row]sample{}
	for _, t := range turns {
		s, err := t.measure(ctx, t.n)
		if err != nil {
			return err
		}
		got[t] = s
	}
	here := got[r]
	if r.of != nil {
		here = got[r.of].minus(got[r.less])
	}
	r.samples = append(r.samples, here)
	if r.floor == nil {
		return nil
	}
	floor := got[r.floor]
	r.floors = append(r.floors, floor)
	r.floor.samples = append(r.floor.samples, floor)
	return nil
}

// patience bounds one slice. It is the deadline of the calls in it: in the
// product, too, a call has one.
const patience = 20 * time.Second

func (r *row) measure(ctx context.Context, n int) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if r.elsewhere != nil {
		s, err := r.elsewhere(ctx, n)
		if err != nil {
			err = fmt.Errorf("%s: %s: %w", r.group, r.name, err)
		}
		return s, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ran, began := processorTime(), time.Now()
	err := r.run(ctx, n)
	took, cpu := time.Since(began), processorTime()-ran
	runtime.ReadMemStats(&after)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %s: %w", r.group, r.name, err)
	}
	each := float64(n)
	return sample{Nanos: float64(took.Nanoseconds()) / each, CPU: float64(cpu.Nanoseconds()) / each, Allocs: float64(after.Mallocs-before.Mallocs) / each,
		Bytes: float64(after.TotalAlloc-before.TotalAlloc) / each}, nil
}

// errWrong is an answer that is not the one expected.
var errWrong = errors.New("wrong answer")
