package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRowAndFloorTakeTurns: each round measures a row next to its floor, and
// who is first changes.
func TestRowAndFloorTakeTurns(t *testing.T) {
	t.Parallel()
	var order string
	note := func(s string) func(context.Context, int) error {
		return func(context.Context, int) error { order += s; return nil }
	}
	floor := &row{name: "floor", run: note("f"), n: 1}
	in, out := &row{name: "in", floor: floor, run: note("i"), n: 1}, &row{name: "out", floor: floor, run: note("o"), n: 1}
	step := &row{name: "step", floor: floor, of: out, less: in}
	for round := range 2 {
		for _, r := range []*row{in, step} {
			require.NoError(t, r.measureBesideFloor(t.Context(), round == 1))
		}
	}
	require.Equal(t, "fi"+"fio"+"if"+"oif", order)
	require.Len(t, in.samples, 2)
	require.Len(t, step.samples, 2)
	require.Len(t, floor.samples, 4, "a floor has every round of every row")
	require.Equal(t, floor.samples[1], step.floors[0])
}

func TestWrongAnswerEndsTheRun(t *testing.T) {
	t.Parallel()
	floor := &row{name: "floor", run: func(context.Context, int) error { return nil }}
	bad := &row{group: "g", name: "bad", floor: floor, run: func(context.Context, int) error { return errWrong }}
	m := measurement{rounds: 1, slice: time.Microsecond}
	err := m.run(t.Context(), []*row{floor, bad})
	require.True(t, errors.Is(err, errWrong))
	require.ErrorContains(t, err, "g: bad")
}

func TestSpread(t *testing.T) {
	t.Parallel()
	require.Equal(t, spread{Median: 2, Min: 1, Max: 9}, spreadOf([]float64{9, 1, 2}))
	require.Equal(t, spread{Median: 2.5, Min: 1, Max: 4}, spreadOf([]float64{4, 3, 2, 1}))
	row := []sample{{Nanos: 10}, {Nanos: 90}}
	floor := []sample{{Nanos: 5}, {Nanos: 30}}
	require.Equal(t, []float64{2, 3}, ratios(row, floor, nanos), "round by round")
	require.Equal(t, sample{Nanos: -20, Allocs: 1}, sample{Nanos: 10, Allocs: 1}.minus(row[0]).minus(sample{Nanos: 20}))
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0", 4: "4", 1234: "1234", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 9.996: "10.0", 99.96: "100", -0.5: "-0.50"} {
		require.Equal(t, want, number(f))
	}
	require.Equal(t, "0", number(whole(-0.001)))
	require.Equal(t, 4.5, whole(4.5))
	for f, want := range map[float64]string{2.5: "2.50 ns", 999: "999 ns", 1500: "1.50 µs", 2.5e6: "2.50 ms"} {
		require.Equal(t, want, duration(f))
	}
}

// TestVerdict: what counts is the processor's time, unless a row waits for
// others; and allocations always.
func TestVerdict(t *testing.T) {
	t.Parallel()
	median := func(f float64) *spread { return &spread{Median: f} }
	slow := line{Nanos: *median(900), CPU: *median(90), Ratio: median(3), CPURatio: median(1)}
	for _, test := range []struct {
		line  line
		limit limit
		want  string
	}{
		{slow, limit{ratio: 2, nanos: 100}, holds},
		{slow, limit{ratio: 2, waits: true}, fallsShort},
		{slow, limit{ratio: 0.5}, fallsShort},
		{slow, limit{nanos: 80}, fallsShort},
		{line{Nanos: *median(900), Allocs: 1}, limit{nanos: 1000, noAllocs: true}, fallsShort},
		{line{Nanos: *median(900), Allocs: 0.01}, limit{nanos: 1000, noAllocs: true}, holds},
		{line{Nanos: *median(900), Missing: "no peer"}, limit{ratio: 2}, "not compared"},
	} {
		require.Equal(t, test.want, test.line.verdict(&test.limit), "%+v, %v", test.line, &test.limit)
	}
	require.False(t, bar{Value: 9, Bar: 10, Unit: unitPerSec}.holds(), "the least")
	require.False(t, bar{Value: 11, Bar: 10}.holds(), "the most")
}

// TestRowWithoutItsPeer is measured alone.
func TestRowWithoutItsPeer(t *testing.T) {
	t.Parallel()
	r := &row{name: "alone", missing: "no peer: op", limit: &limit{ratio: 2}, run: func(context.Context, int) error { return nil }}
	m := measurement{rounds: 3, slice: time.Microsecond}
	require.NoError(t, m.run(t.Context(), []*row{r}))
	require.Len(t, r.samples, 3)
	text := newReport(m, []*row{r}, nil).text()
	require.Contains(t, text, "SKIPPED: no peer: op")
	require.Contains(t, text, "not compared")
}
