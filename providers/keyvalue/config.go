package keyvalue

import (
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
)

// ParseMemoryConfig reads a provider's configuration: the limits of [Limits],
// and max_bytes, max_keys, max_buckets and ttl. Those that are not there get
// their defaults.
func ParseMemoryConfig(from provider.Settings) (MemoryConfig, error) {
	var cfg MemoryConfig
	s := cfg.Settings()
	s["max_bytes"], s["max_keys"], s["max_buckets"] = settings.Positive(&cfg.MaxBytes), settings.Positive(&cfg.MaxKeys), settings.Positive(&cfg.MaxBuckets)
	s["ttl"] = settings.Life(&cfg.TTL)
	if err := s.Read("key-value", from); err != nil {
		return MemoryConfig{}, err
	}
	cfg.setDefaults()
	return cfg, nil
}
