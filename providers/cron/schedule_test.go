package cron

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02 15:04:05", text)
	require.NoError(t, err)
	return v
}

func TestNext(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for _, x := range []struct {
		text  string
		loc   *time.Location
		after string
		want  []string
	}{
		{"* * * * *", time.UTC, "2026-01-31 23:58:30", []string{"2026-01-31 23:59:00", "2026-02-01 00:00:00"}},
		{"*/20 9-17/4 * * *", time.UTC, "2026-01-01 09:40:00", []string{"2026-01-01 13:00:00", "2026-01-01 13:20:00"}},
		{"5,10 0 29 feb *", time.UTC, "2026-01-01 00:00:00", []string{"2028-02-29 00:05:00", "2028-02-29 00:10:00", "2032-02-29 00:05:00"}},
		{"0 0 13 * fri", time.UTC, "2026-02-01 00:00:00", []string{"2026-02-06 00:00:00", "2026-02-13 00:00:00", "2026-02-20 00:00:00"}},
		{"0 0 */2 * mon", time.UTC, "2026-02-01 00:00:00", []string{"2026-02-09 00:00:00"}},
		{"0 12 * * 7", time.UTC, "2026-02-01 12:00:00", []string{"2026-02-08 12:00:00"}},
		{"0 12 * JAN-Mar 1-5", time.UTC, "2026-03-31 12:00:00", []string{"2027-01-01 12:00:00"}},
		{"30/10 * * * *", time.UTC, "2026-01-01 00:00:00", []string{"2026-01-01 00:30:00", "2026-01-01 00:40:00"}},
		{"0 0 29 2 */7", time.UTC, "2089-01-01 00:00:00", []string{"2128-02-29 00:00:00", "2156-02-29 00:00:00"}}, // a star: on both days
		{"@daily", berlin, "2026-01-01 00:00:00", []string{"2026-01-01 23:00:00"}},
		{"30 2 * * *", berlin, "2026-03-28 12:00:00", []string{"2026-03-30 00:30:00"}},                        // the 29th has no 2:30
		{"30 2 * * *", berlin, "2026-10-24 12:00:00", []string{"2026-10-25 01:30:00", "2026-10-26 01:30:00"}}, // the 25th has two
		{"@every 10s", berlin, "2026-01-01 00:00:01", []string{"2026-01-01 00:00:10", "2026-01-01 00:00:20"}},
		{"@every 90s", time.UTC, "1969-12-31 23:59:00", []string{"1970-01-01 00:00:00"}},
		{"0 0 1 1 *", time.UTC, "9990-01-01 00:00:00", []string{"9991-01-01 00:00:00"}},
	} {
		s, err := Parse(x.text, x.loc)
		require.NoError(t, err, x.text)
		now := at(t, x.after)
		for _, want := range x.want {
			now = s.Next(now)
			require.Equal(t, want, now.Format("2006-01-02 15:04:05"), x.text)
		}
	}
}

// TestNextNever: clocks went forward on another day when it was written, and skip all
// that would be due since.
func TestNextNever(t *testing.T) {
	t.Parallel()
	newYork, err := time.LoadLocation("America/New_York")
	require.NoError(t, err)
	s, err := Parse("30 2 8 3 */7", newYork)
	require.NoError(t, err)
	now := at(t, "2026-01-01 00:00:00")
	require.Zero(t, s.Next(now))

	tick, again := decide(s, &record{Since: now}, now, 0, true)
	require.Zero(t, tick)
	require.Equal(t, 2067, again.Year(), "later, not at once")
	x := schedule{config: config{schedule: s}, next: again}
	require.False(t, x.due(now))
	require.False(t, x.due(now.AddDate(1, 0, 0)))
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, reason := range map[string]string{
		"":                        "0 fields",
		"* * * *":                 "4 fields",
		"* * * * * *":             "6 fields",
		"60 * * * *":              `minute "60"`,
		"* 24 * * *":              `hour "24"`,
		"* * 0 * *":               `day of the month "0"`,
		"* * * 13 *":              `month "13"`,
		"* * * * 8":               `day of the week "8"`,
		"*/0 * * * *":             "want a step",
		"5-1 * * * *":             "a range ends before it begins",
		"1- * * * *":              "want a number",
		", * * * *":               "want a number",
		"-1 * * * *":              "want a number",
		"* * * mon *":             "want a number",
		"0 0 30 2 *":              "there is no such day",
		"@every 0s":               "want whole seconds",
		"@every 1500ms":           "want whole seconds",
		"@every 99999h":           "at most a year",
		"@sometimes":              "want @every",
		strings.Repeat("*,", 200): "longer than",
	} {
		_, err := Parse(text, time.UTC)
		require.ErrorContains(t, err, reason, text)
	}
}

// TestLatest holds the search for the last tick against going through all of them.
func TestLatest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, err := Parse(rapid.SampledFrom([]string{"* * * * *", "*/7 3 * * *", "0 0 1 * *", "@every 61s", "0 4 * * mon"}).Draw(t, "schedule"), time.UTC)
		require.NoError(t, err)
		after := time.Unix(rapid.Int64Range(1.7e9, 1.8e9).Draw(t, "after"), 0)
		until := after.Add(time.Duration(rapid.Int64Range(0, 4*24*3600).Draw(t, "seconds")) * time.Second)
		var want time.Time
		for x := s.Next(after); !x.After(until); x = s.Next(x) {
			want = x
		}
		require.True(t, want.Equal(s.Latest(after, until)), "%v and %v", want, s.Latest(after, until))
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"* * * * *", "*/5 1-3,7 * jan-dec/2 mon", "@every 10s", "@hourly", "0 0 29 2 *", "0 0 29 2 */7", "0 0 31 4 *"} {
		f.Add(s, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := Parse(text, time.UTC)
		if err != nil {
			return
		}
		now := time.Unix(unix%(1<<36), 0)
		next := s.Next(now)
		require.True(t, next.After(now), "%q after %v: %v", text, now, next)
		require.Zero(t, next.Nanosecond())
	})
}

// TestDecide: what is fired, and what is not.
func TestDecide(t *testing.T) {
	t.Parallel()
	s, err := Parse("*/10 * * * *", time.UTC)
	require.NoError(t, err)
	day := func(clock string) time.Time { return at(t, "2026-01-01 "+clock) }
	ran := func(tick, state string) record {
		return record{Since: day("00:00:00"), Last: firing{Tick: day(tick), State: state}}
	}
	for _, x := range []struct {
		what  string
		r     record
		left  time.Duration
		now   string
		once  bool
		tick  string
		again string
	}{
		{"before the first", record{Since: day("00:05:00")}, 0, "00:07:00", true, "", "00:10:00"},
		{"the first", record{Since: day("00:05:00")}, 0, "00:10:00", false, "00:10:00", ""},
		{"a tick in time", ran("00:10:00", stateDone), 0, "00:20:03", false, "00:20:00", ""},
		{"a tick that is done", ran("00:20:00", stateDone), 0, "00:20:03", true, "", "00:30:00"},
		{"a tick that failed", ran("00:20:00", stateFailed), 0, "00:20:03", true, "", "00:30:00"},
		{"missed, and left out", ran("00:10:00", stateDone), 0, "00:59:00", false, "", "01:00:00"},
		{"missed, and made up by one", ran("00:10:00", stateDone), 0, "00:59:00", true, "00:50:00", ""},
		{"another has it", ran("00:20:00", stateRunning), 4 * time.Second, "00:20:05", true, "", "00:20:09"},
		{"another has it still at the next", ran("00:20:00", stateRunning), 9 * time.Second, "00:30:00", true, "", "00:30:09"},
		{"its holder died, and it is left out", ran("00:20:00", stateRunning), 0, "00:20:09", false, "", "00:30:00"},
		{"its holder died, and it is made up", ran("00:20:00", stateRunning), 0, "00:20:09", true, "00:20:00", ""},
		{"its holder died, and the next is due", ran("00:20:00", stateRunning), -591 * time.Second, "00:30:00", true, "00:30:00", ""},
		{"a clock that is behind", ran("00:20:00", stateDone), 0, "00:19:59", true, "", "00:20:00"},
	} {
		tick, again := decide(s, &x.r, day(x.now), x.left, x.once)
		clock := func(v time.Time) string {
			if v.IsZero() {
				return ""
			}
			return v.Format("15:04:05")
		}
		require.Equal(t, x.tick, clock(tick), x.what)
		require.Equal(t, x.again, clock(again), x.what)
	}
}

// TestRecordStaysSmall: the history is bounded, and tells what became of ticks.
func TestRecordStaysSmall(t *testing.T) {
	t.Parallel()
	r := record{Since: at(t, "2026-01-01 00:00:00")}
	for i := range 30 {
		now := r.Since.Add(time.Duration(i+1) * time.Minute)
		r = r.claim(now, "host", time.Minute, 5)
		if i != 28 {
			r = r.end(now, nil)
		}
	}
	require.Len(t, r.History, 5)
	require.Equal(t, stateLost, r.History[0].State)
	require.Equal(t, stateDone, r.History[1].State)
	again := r.claim(r.Last.Tick, "other", time.Minute, 5)
	require.Equal(t, 2, again.Last.Attempt)
}
