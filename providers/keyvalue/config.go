package keyvalue

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Settings are what a provider's configuration may name, each with what takes
// its value. A take that refuses says what it wants.
type Settings map[string]func(value string) error

// Read gives each of values to its setting. A name that is none is an error: a
// limit that was misspelt would not hold. Names are compared without regard to
// case, as v1's providers do.
func (s Settings) Read(values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		take, ok := s[strings.ToLower(name)]
		if !ok {
			return fmt.Errorf("key-value configuration: no setting %q: there are %s", name, strings.Join(slices.Sorted(maps.Keys(s)), ", "))
		}
		if err := take(values[name]); err != nil {
			return fmt.Errorf("key-value configuration: %s is %q: %w", name, values[name], err)
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

// ParseMemoryConfig reads a provider's configuration: the limits of [Limits],
// and max_bytes, max_keys, max_buckets and ttl. Those that are not there get
// their defaults.
func ParseMemoryConfig(values map[string]string) (MemoryConfig, error) {
	var cfg MemoryConfig
	s := cfg.Settings()
	s["max_bytes"], s["max_keys"], s["max_buckets"] = Positive(&cfg.MaxBytes), Positive(&cfg.MaxKeys), Positive(&cfg.MaxBuckets)
	s["ttl"] = Life(&cfg.TTL)
	if err := s.Read(values); err != nil {
		return MemoryConfig{}, err
	}
	cfg.setDefaults()
	return cfg, nil
}
