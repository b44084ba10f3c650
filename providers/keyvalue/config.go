package keyvalue

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// ParseMemoryConfig reads the limits from a provider's configuration, in which
// each is a positive decimal number: max_bytes, max_value_bytes, max_key_bytes,
// max_keys, max_buckets, max_batch_keys, max_batch_bytes, page_keys. Those that
// are not there get their defaults. A name that is none of these is an error: a
// limit that was misspelt would not hold.
func ParseMemoryConfig(values map[string]string) (MemoryConfig, error) {
	var cfg MemoryConfig
	fields := map[string]*int64{
		"max_bytes":       &cfg.MaxBytes,
		"max_value_bytes": &cfg.MaxValueBytes,
		"max_key_bytes":   &cfg.MaxKeyBytes,
		"max_keys":        &cfg.MaxKeys,
		"max_buckets":     &cfg.MaxBuckets,
		"max_batch_keys":  &cfg.MaxBatchKeys,
		"max_batch_bytes": &cfg.MaxBatchBytes,
		"page_keys":       &cfg.PageKeys,
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		field, ok := fields[name]
		if !ok {
			return MemoryConfig{}, fmt.Errorf("key-value configuration: no setting %q: there are %s",
				name, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		n, err := strconv.ParseInt(values[name], 10, 64)
		if err != nil || n <= 0 {
			return MemoryConfig{}, fmt.Errorf("key-value configuration: %s is %q: want a positive number", name, values[name])
		}
		*field = n
	}
	cfg.setDefaults()
	return cfg, nil
}
