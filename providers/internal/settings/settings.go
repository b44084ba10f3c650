package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Set is what a provider's configuration may name: each setting with what takes
// its value. A take that refuses says what it wants.
type Set map[string]func(value string) error

// Read gives each of values to its setting; of is what they configure, for errors.
// A name that is none is an error: a
// limit that was misspelt would not hold. Names are compared without regard to
// case, as v1's providers do.
func (s Set) Read(of string, values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		take, ok := s[strings.ToLower(name)]
		if !ok {
			return fmt.Errorf("%s configuration: no setting %q: there are %s", of, name, strings.Join(slices.Sorted(maps.Keys(s)), ", "))
		}
		if err := take(values[name]); err != nil {
			return fmt.Errorf("%s configuration: %s is %q: %w", of, name, values[name], err)
		}
	}
	return nil
}

// Positive takes a decimal number greater than 0.
func Positive(to *int64) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n <= 0 {
			return fmt.Errorf("want a positive number")
		}
		*to = n
		return nil
	}
}

// Life takes a duration of a second or more, such as "90s" or "24h".
func Life(to *time.Duration) func(string) error {
	return func(value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < time.Second {
			return fmt.Errorf("want a time of a second or more, such as 90s or 24h")
		}
		*to = d
		return nil
	}
}

// Flag takes "true" or "false".
func Flag(to *bool) func(string) error {
	return func(value string) error {
		switch strings.ToLower(value) {
		case "true":
			*to = true
		case "false":
			*to = false
		default:
			return fmt.Errorf("want true or false")
		}
		return nil
	}
}

// Text takes anything.
func Text(to *string) func(string) error {
	return func(value string) error {
		*to = value
		return nil
	}
}

// Milliseconds takes a positive number of them.
func Milliseconds(to *time.Duration) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n <= 0 || n > int64(maxTime/time.Millisecond) {
			return fmt.Errorf("want a positive number of milliseconds, at most %d", maxTime/time.Millisecond)
		}
		*to = time.Duration(n) * time.Millisecond
		return nil
	}
}

// maxTime is more than anything here lasts.
const maxTime = 100 * 365 * 24 * time.Hour

// Within takes a decimal number between two.
func Within(to *int64, least, most int64) func(string) error {
	return func(value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < least || n > most {
			return fmt.Errorf("want a number from %d to %d", least, most)
		}
		*to = n
		return nil
	}
}

// Names lists words for a message.
func Names[T any](words map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(words)), ", ")
}
