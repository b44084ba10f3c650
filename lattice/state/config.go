package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// secretPrefix starts the name of a reference to a secret.
const secretPrefix = "SECRET_"

// IsSecret says whether a name in a link's or component's list of configs is
// that of a reference to a secret.
func IsSecret(name string) bool { return strings.HasPrefix(name, secretPrefix) }

// configs is the cache of all named configs.
type configs struct {
	*cache[map[string]string]
	version atomic.Uint64

	turn sync.Mutex    // guards next
	next chan struct{} // closed by the next change
}

func newConfigs() *configs {
	c := &configs{next: make(chan struct{})}
	c.cache = newCache(func(string, *map[string]string, *map[string]string) { c.changed() })
	return c
}

func (c *configs) changed() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.version.Add(1)
	close(c.next)
	c.next = make(chan struct{})
}

// configName returns the name of a config's key; empty for another key.
func configName(key string) string {
	if lattice.ValidConfigName(key) != nil {
		return ""
	}
	return key
}

func (s *Store) decodeConfig(_ string, data []byte) (*map[string]string, error) {
	var values map[string]string
	if err := lattice.DecodeJSON(data, s.opts.MaxSpecSize, &values); err != nil {
		return nil, err
	}
	if values == nil {
		return nil, fmt.Errorf("%w: no map of strings", lattice.ErrInvalid)
	}
	return &values, nil
}

// ConfigVersion is another number after each change of any config.
func (s *Store) ConfigVersion() uint64 { return s.configs.version.Load() }

// ConfigChanged returns a channel that is closed when any config has changed
// after this call. Ask for it before reading what may change.
func (s *Store) ConfigChanged() <-chan struct{} {
	s.configs.turn.Lock()
	defer s.configs.turn.Unlock()
	return s.configs.next
}

// Config returns a config as this store knows it, which may be a moment behind a
// change by others; ok is false if there is none. Do not write to the map.
func (s *Store) Config(name string) (values map[string]string, ok bool) {
	if v, _ := s.configs.get(name); v != nil {
		return *v, true
	}
	return nil, false
}

// ConfigInfo is what is known of a config without its settings.
type ConfigInfo struct {
	Name     string
	Settings int
	// Version is the revision of the bucket at which it was last put: another
	// number after each change.
	Version uint64
}

// Configs returns all configs as this store knows them, in no order. References to
// secrets are among them.
func (s *Store) Configs() []ConfigInfo {
	var all []ConfigInfo
	s.configs.each(func(name string, settings *map[string]string, rev uint64) {
		all = append(all, ConfigInfo{name, len(*settings), rev})
	})
	return all
}

// MergedConfig merges configs as this store knows them; a later one wins over an
// earlier one. A name without a config, such as one that was deleted, adds
// nothing, as in v1. References to secrets are left out.
func (s *Store) MergedConfig(names []string) map[string]string {
	merged := map[string]string{}
	for _, name := range names {
		if !IsSecret(name) {
			values, _ := s.Config(name)
			maps.Copy(merged, values)
		}
	}
	return merged
}

// LoadConfig reads a config from the bucket itself. Afterwards [Store.Config] is
// not behind it. A name that has no config is lattice.ErrNotFound; other errors
// are PutLink's.
func (s *Store) LoadConfig(ctx context.Context, name string) (map[string]string, error) {
	if err := lattice.ValidConfigName(name); err != nil {
		return nil, err
	}
	ctx, cancel := s.request(ctx)
	defer cancel()
	bucket := lattice.ConfigBucket(s.lattice)
	is, err := s.last(ctx, bucket, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, fmt.Errorf("config %s: %w", name, lattice.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read config %s: %w", name, s.explain(ctx, err))
	}
	values, err := s.decodeConfig(name, is.value)
	if err != nil {
		return nil, fmt.Errorf("key %s in bucket %s (repair or delete it there): %w", name, bucket, err)
	}
	s.configs.apply(name, values, is.rev)
	return *values, nil
}

// PutConfig stores a config, in the place of what was there. When it returns nil
// it is stored, and this store's reads show it. Errors are PutLink's.
func (s *Store) PutConfig(ctx context.Context, name string, values map[string]string) error {
	if err := lattice.ValidConfigName(name); err != nil {
		return fmt.Errorf("put config: %w", err)
	}
	values = maps.Clone(lattice.StringMap(values))
	data, err := lattice.EncodeJSON(values)
	if err != nil {
		return fmt.Errorf("put config %s: %w", name, err)
	}
	if limit := s.maxValue(); len(data) > limit {
		return fmt.Errorf("put config %s: %w: it would have %d bytes, the limit is %d", name, lattice.ErrInvalid, len(data), limit)
	}
	ctx, cancel := s.request(ctx)
	defer cancel()
	// It depends on nothing that was read: whoever is last wins.
	rev, err := s.configBucket.Put(ctx, name, data)
	if err != nil {
		return fmt.Errorf("put config %s: %w", name, s.explain(ctx, err))
	}
	s.configs.apply(name, &values, rev)
	return nil
}

// DeleteConfig removes a config; it is no error if there is none. Errors are
// PutLink's.
func (s *Store) DeleteConfig(ctx context.Context, name string) error {
	if err := lattice.ValidConfigName(name); err != nil {
		return fmt.Errorf("delete config: %w", err)
	}
	ctx, cancel := s.request(ctx)
	defer cancel()
	_, rev := s.configs.get(name)
	if err := s.purgeConfig(ctx, name); err != nil {
		return fmt.Errorf("delete config %s: %w", name, err)
	}
	s.configs.forget(name, rev)
	return nil
}

// maxValue bounds what is stored under one key. It leaves room for the headers
// that NATS counts too.
func (s *Store) maxValue() int { return min(s.opts.MaxSpecSize, int(s.conn.MaxPayload())-1024) }
