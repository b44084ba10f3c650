package bolt

import (
	"time"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
	"github.com/lathhost/lath/providers/keyvalue"
)

// Defaults of [Config].
const (
	DefaultMaxBytes   = 1 << 30
	DefaultMaxKeys    = 1 << 24
	DefaultMaxBuckets = 1 << 10
)

// openTimeout bounds the wait for a file that another process holds.
const openTimeout = 2 * time.Second

// Config are the limits of a [Store]. Zero fields mean the defaults.
type Config struct {
	keyvalue.Limits
	// MaxBytes bounds all keys and values together, counted by their lengths. The
	// file is larger, and does not become smaller when they go: their room is used
	// again.
	MaxBytes int64
	// MaxKeys bounds the keys of all buckets together, MaxBuckets the buckets that
	// hold one.
	MaxKeys, MaxBuckets int64
	// TTL is how long a value lives after it was last set or incremented, by the
	// machine's clock; default: until it is deleted.
	TTL time.Duration
}

// ParseConfig reads a provider's configuration: max_bytes, max_keys, max_buckets,
// ttl, and the limits of [keyvalue.Limits].
func ParseConfig(from provider.Settings) (Config, error) {
	var cfg Config
	s := cfg.Settings()
	s["max_bytes"], s["max_keys"], s["max_buckets"] = settings.Positive(&cfg.MaxBytes), settings.Positive(&cfg.MaxKeys), settings.Positive(&cfg.MaxBuckets)
	s["ttl"] = settings.Life(&cfg.TTL)
	return cfg, s.Read("key-value", from)
}

func (c *Config) setDefaults() {
	c.SetDefaults()
	for to, def := range map[*int64]int64{&c.MaxBytes: DefaultMaxBytes, &c.MaxKeys: DefaultMaxKeys, &c.MaxBuckets: DefaultMaxBuckets} {
		if *to <= 0 {
			*to = def
		}
	}
}
