package cron

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Schedule says when something is due. Use [Parse]; it is immutable.
type Schedule struct {
	every time.Duration // not 0: at all times that are a multiple of it after 1970
	loc   *time.Location

	minutes, hours, days, months, weekdays uint64 // one bit for each
	// anyDay and anyWeekday say that the field begins with a star; where neither
	// does, one of them is enough.
	anyDay, anyWeekday bool
}

// Bounds of @every.
const (
	minEvery = time.Second
	maxEvery = 366 * 24 * time.Hour
)

// maxText bounds a schedule.
const maxText = 200

// words are the schedules that have a name.
var words = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// names of months and weekdays, by their numbers.
var (
	monthNames = []string{"", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	dayNames   = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// Parse reads a schedule: five fields (minute, hour, day of the month, month, day
// of the week) with lists, ranges, steps and English names; @hourly, @daily,
// @weekly, @monthly or @yearly; or @every and a time of a second or more. loc is
// where the clock hangs.
//
// Where both days are given, one of them is enough. A time of day that is left out
// when clocks go forward is left out; one that comes twice counts once.
func Parse(text string, loc *time.Location) (*Schedule, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("schedule %.40q…: longer than %d bytes", text, maxText)
	}
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, "@every "); ok {
		d, err := time.ParseDuration(strings.TrimSpace(rest))
		if err != nil || d < minEvery || d > maxEvery || d%time.Second != 0 {
			return nil, fmt.Errorf("schedule %q: want whole seconds, such as @every 90s, and at most a year", text)
		}
		return &Schedule{every: d, loc: loc}, nil
	}
	fields := text
	if strings.HasPrefix(text, "@") {
		if fields = words[strings.ToLower(text)]; fields == "" {
			return nil, fmt.Errorf("schedule %q: want @every, @hourly, @daily, @weekly, @monthly or @yearly", text)
		}
	}
	s, err := parseFields(strings.Fields(fields), loc)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", text, err)
	}
	if s.Next(time.Unix(0, 0)).IsZero() {
		return nil, fmt.Errorf("schedule %q: there is no such day", text)
	}
	return s, nil
}

func parseFields(f []string, loc *time.Location) (*Schedule, error) {
	if len(f) != 5 {
		return nil, fmt.Errorf("%d fields: want minute, hour, day of the month, month and day of the week, such as \"*/5 * * * *\"", len(f))
	}
	s := &Schedule{loc: loc, anyDay: strings.HasPrefix(f[2], "*"), anyWeekday: strings.HasPrefix(f[4], "*")}
	for i, x := range []struct {
		what        string
		to          *uint64
		least, most int
		names       []string
	}{
		{"minute", &s.minutes, 0, 59, nil}, {"hour", &s.hours, 0, 23, nil}, {"day of the month", &s.days, 1, 31, nil},
		{"month", &s.months, 1, 12, monthNames}, {"day of the week", &s.weekdays, 0, 7, dayNames},
	} {
		var err error
		if *x.to, err = parseField(f[i], x.least, x.most, x.names); err != nil {
			return nil, fmt.Errorf("%s %q: %w", x.what, f[i], err)
		}
	}
	s.weekdays |= s.weekdays >> 7 & 1 // 7 is Sunday, too
	return s, nil
}

// parseField reads a list of ranges with steps.
func parseField(text string, least, most int, names []string) (set uint64, err error) {
	for item := range strings.SplitSeq(text, ",") {
		span, stepText, hasStep := strings.Cut(item, "/")
		step := 1
		if hasStep {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 || step > most {
				return 0, fmt.Errorf("want a step from 1 to %d", most)
			}
		}
		first, last := least, most
		if span != "*" {
			from, to, isRange := strings.Cut(span, "-")
			if first, err = parseValue(from, least, most, names); err != nil {
				return 0, err
			}
			switch {
			case isRange:
				if last, err = parseValue(to, least, most, names); err != nil {
					return 0, err
				}
			case !hasStep:
				last = first
			}
		}
		if first > last {
			return 0, errors.New("a range ends before it begins")
		}
		for v := first; v <= last; v += step {
			set |= 1 << v
		}
	}
	return set, nil
}

func parseValue(text string, least, most int, names []string) (int, error) {
	for n, name := range names {
		if name != "" && strings.EqualFold(text, name) {
			return n, nil
		}
	}
	if len(text) == 0 || len(text) > 2 || strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Errorf("want a number from %d to %d", least, most)
	}
	n, _ := strconv.Atoi(text) // one or two digits
	if n < least || n > most {
		return 0, fmt.Errorf("want a number from %d to %d", least, most)
	}
	return n, nil
}

// maxYears is how far the next tick may be: a 29 February that is a Sunday, too, may
// take 40, over the turn of a century.
const maxYears = 41

// Next returns the first tick after a time. It is zero where there is none: where
// all that would be is left out when clocks go forward.
func (s *Schedule) Next(after time.Time) time.Time {
	if s.every > 0 {
		sec := int64(s.every / time.Second)
		return time.Unix((floorDiv(after.Unix(), sec)+1)*sec, 0).UTC()
	}
	local := after.In(s.loc)
	y, m, d := local.Date()
	for end := y + maxYears; y <= end; {
		if s.months>>int(m)&1 == 0 {
			y, m, d = time.Date(y, m+1, 1, 12, 0, 0, 0, time.UTC).Date()
			continue
		}
		day := time.Date(y, m, d, 12, 0, 0, 0, time.UTC) // the date, without any clock
		if s.onDay(day) {
			if t := s.onClock(day, after); !t.IsZero() {
				return t
			}
		}
		y, m, d = day.AddDate(0, 0, 1).Date()
	}
	return time.Time{}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (s *Schedule) onDay(day time.Time) bool {
	byDay, byWeekday := s.days>>day.Day()&1 == 1, s.weekdays>>int(day.Weekday())&1 == 1
	if s.anyDay || s.anyWeekday {
		return byDay && byWeekday
	}
	return byDay || byWeekday
}

// onClock returns the first tick of a day after a time.
func (s *Schedule) onClock(day, after time.Time) time.Time {
	y, m, d := day.Date()
	for hours := s.hours; hours != 0; hours &= hours - 1 {
		h := bits.TrailingZeros64(hours)
		for minutes := s.minutes; minutes != 0; minutes &= minutes - 1 {
			mi := bits.TrailingZeros64(minutes)
			t := time.Date(y, m, d, h, mi, 0, 0, s.loc)
			if t.Hour() == h && t.Minute() == mi && t.After(after) {
				return t.UTC()
			}
		}
	}
	return time.Time{}
}

// Latest returns the last tick of those after a time and not after another; zero:
// there is none.
func (s *Schedule) Latest(after, until time.Time) time.Time {
	due := func(from time.Time) time.Time {
		if t := s.Next(from); !t.IsZero() && !t.After(until) {
			return t
		}
		return time.Time{}
	}
	last := due(after)
	if last.IsZero() {
		return last
	}
	lo, hi := last.Unix(), until.Unix() // one after lo is not known
	for lo < hi {
		mid := lo + (hi-lo)/2
		t := due(time.Unix(mid, 0))
		if t.IsZero() {
			hi = mid
			continue
		}
		last, lo = t, t.Unix()
	}
	return last
}
