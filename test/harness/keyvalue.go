package harness

import (
	"context"
	"path/filepath"

	"github.com/lathhost/lath/host"
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

// OfferRedis adds the built-in provider "keyvalue-redis" to those of a host, joined to
// it as the command joins it.
func OfferRedis(c *host.Config) {
	offerLinked(c, "keyvalue-redis", func(provider.Config) keyvalue.Parser {
		return func(s wire.Settings) (keyvalue.Opener, error) {
			settings, err := redis.ParseConfig(s)
			if err != nil {
				return nil, err
			}
			return func(context.Context) (keyvalue.Backend, error) { return redis.New(settings) }, nil
		}
	})
}

// OfferStores adds all built-in key-value providers to those of a host, joined to it as
// the command joins them; files are in dir.
func OfferStores(dir string) func(c *host.Config) {
	return func(c *host.Config) {
		OfferRedis(c)
		offerLinked(c, "keyvalue-nats", func(cfg provider.Config) keyvalue.Parser {
			return func(s wire.Settings) (keyvalue.Opener, error) {
				settings, err := nats.ParseConfig(s)
				if err != nil {
					return nil, err
				}
				return func(ctx context.Context) (keyvalue.Backend, error) { return nats.New(ctx, cfg.Conn, settings) }, nil
			}
		})
		c.Builtins = append(c.Builtins, provider.Builtin{Name: "keyvalue-memory", Start: func(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
			m := keyvalue.NewMemory(keyvalue.MemoryConfig{})
			return storeCapabilities(cfg, m, keyvalue.WatchStore(m), func() error { return nil }), nil
		}}, provider.Builtin{Name: "keyvalue-file", Start: func(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
			s, err := bolt.Open(filepath.Join(dir, cfg.ID+".db"), bolt.Config{})
			if err != nil {
				return nil, err
			}
			return storeCapabilities(cfg, s, keyvalue.WatchStore(s), s.Close), nil
		}})
	}
}

func offerLinked(c *host.Config, name string, parser func(provider.Config) keyvalue.Parser) {
	c.Builtins = append(c.Builtins, provider.Builtin{Name: name, Start: func(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
		parse := parser(cfg)
		s, err := keyvalue.NewLinked(cfg.Settings, parse)
		if err != nil {
			return nil, err
		}
		caps := storeCapabilities(cfg, s, parse.WatchOpener(), s.Close)
		caps.Relink = s.Relink
		return caps, nil
	}})
}

type store interface {
	contract.Store
	contract.Atomics
	contract.Batch
}

func storeCapabilities(cfg provider.Config, s store, watch keyvalue.WatchOpener, end func() error) *provider.Capabilities {
	w := keyvalue.NewWatching(cfg.Log, watch)
	return &provider.Capabilities{KeyvalueStore: s, KeyvalueAtomics: s, KeyvalueBatch: s, Caller: watchCaller{w}, Close: func() error { w.Close(); return end() }}
}

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
