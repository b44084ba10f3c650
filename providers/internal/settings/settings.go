package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	wire "github.com/lathhost/lath/lattice/provider"
)

// Set is what a provider's configuration may name: each setting with what takes
// its value. A take that refuses says what it wants.
type Set map[string]func(value string) error

// Read gives each setting its value; of is what they configure, for errors, which show
// nothing of a secret. A name that is none is an error: a limit that was misspelt
// would not hold. Names are compared without regard to case, as v1's providers do, and
// a secret counts before a config of its name.
func (s Set) Read(of string, from wire.Settings) error {
	for _, name := range slices.Sorted(maps.Keys(from.Config)) {
		take, err := s.named(of, name, "")
		if err != nil {
			return err
		}
		if err := take(from.Config[name]); err != nil {
			return fmt.Errorf("%s configuration: %s is %q: %w", of, name, from.Config[name], err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from.Secrets)) {
		take, err := s.named(of, name, ", as a secret is named")
		if err != nil {
			return err
		}
		if take(string(from.Secrets[name].Bytes())) != nil { // what it says may repeat the value
			return fmt.Errorf("%s configuration: the value of secret %s is none that %s can have", of, name, strings.ToLower(name))
		}
	}
	return nil
}

func (s Set) named(of, name, as string) (take func(string) error, err error) {
	take, ok := s[strings.ToLower(name)]
	if !ok {
		return nil, fmt.Errorf("%s configuration: no setting %q%s: there are %s", of, name, as, strings.Join(slices.Sorted(maps.Keys(s)), ", "))
	}
	return take, nil
}

// OrDefault returns v, or def where v is zero or negative.
func OrDefault[T ~int64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
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

// Secret takes anything, and does not show it any more.
func Secret(to *wire.Secret) func(string) error {
	return func(value string) error {
		*to = wire.TextSecret(value)
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
