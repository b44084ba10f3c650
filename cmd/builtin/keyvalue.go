package builtin

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/provider"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/bolt"
	"github.com/lathhost/lath/providers/keyvalue/nats"
	"github.com/lathhost/lath/providers/keyvalue/redis"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// keyvalueStore is what every key-value backend is.
type keyvalueStore interface {
	contract.Store
	contract.Atomics
	contract.Batch
}

// keyvalueCapabilities are those of a store, whose changes links watch as watch opens
// it; end, if not nil, closes it.
func keyvalueCapabilities(cfg provider.Config, s keyvalueStore, watch keyvalue.WatchOpener, end func() error) *provider.Capabilities {
	w := keyvalue.NewWatching(cmp.Or(cfg.Log, zap.NewNop()), watch)
	return &provider.Capabilities{KeyvalueStore: s, KeyvalueAtomics: s, KeyvalueBatch: s, Caller: watchCaller{w}, Close: func() error {
		w.Close()
		if end == nil {
			return nil
		}
		return end()
	}}
}

// watchCaller tells what watches a store of its changes, as a host drives it.
type watchCaller struct{ *keyvalue.Watching }

// Imports implements provider.Caller.
func (watchCaller) Imports() []*wit.Interface { return []*wit.Interface{contract.WatcherInterface} }

// SetLinks implements provider.Caller.
func (c watchCaller) SetLinks(own wire.Settings, links []provider.Link) []error {
	list := make([]keyvalue.WatchLink, len(links))
	for i, l := range links {
		list[i] = keyvalue.WatchLink{Name: l.Name, Target: l.Target, Settings: l.Settings, Handler: bind.NewWatcherClient(l.Invoker)}
	}
	return c.Watching.SetLinks(own, list)
}

// startKeyvalueMemory keeps values in memory: they end with the provider.
func startKeyvalueMemory(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	settings, err := keyvalue.ParseMemoryConfig(cfg.Settings)
	if err != nil {
		return nil, err
	}
	m := keyvalue.NewMemory(settings)
	return keyvalueCapabilities(cfg, m, keyvalue.WatchStore(m), nil), nil
}

// startKeyvalueFile keeps values in a file of this host.
func startKeyvalueFile(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	settings, err := bolt.ParseConfig(cfg.Settings)
	if err != nil {
		return nil, err
	}
	if cfg.Dir == "" {
		return nil, errors.New("this host has no place for files of providers")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	s, err := bolt.Open(filepath.Join(cfg.Dir, "keyvalue.db"), settings)
	if err != nil {
		return nil, err
	}
	return keyvalueCapabilities(cfg, s, keyvalue.WatchStore(s), s.Close), nil
}

// linkedKeyvalue serves each link by a backend of its own.
func linkedKeyvalue(cfg provider.Config, parse keyvalue.Parser) (*provider.Capabilities, error) {
	s, err := keyvalue.NewLinked(cfg.Settings, parse)
	if err != nil {
		return nil, err
	}
	caps := keyvalueCapabilities(cfg, s, parse.WatchOpener(), s.Close)
	caps.Relink = s.Relink
	return caps, nil
}

// startKeyvalueNATS keeps values in NATS, the lattice's own unless another is
// named.
func startKeyvalueNATS(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	return linkedKeyvalue(cfg, func(s wire.Settings) (keyvalue.Opener, error) {
		settings, err := nats.ParseConfig(s)
		if err != nil {
			return nil, err
		}
		if settings.URL == "" {
			settings.JSDomain = cmp.Or(settings.JSDomain, cfg.JSDomain)
		}
		return func(ctx context.Context) (keyvalue.Backend, error) { return nats.New(ctx, cfg.Conn, settings) }, nil
	})
}

// startKeyvalueRedis keeps values in Redis servers.
func startKeyvalueRedis(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	return linkedKeyvalue(cfg, func(s wire.Settings) (keyvalue.Opener, error) {
		settings, err := redis.ParseConfig(s)
		if err != nil {
			return nil, err
		}
		return func(context.Context) (keyvalue.Backend, error) { return redis.New(settings) }, nil
	})
}
