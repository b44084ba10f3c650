package harness

import (
	"context"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/redis"
)

// OfferRedis adds the built-in provider "keyvalue-redis" to those of a host, joined to
// it as the command joins it.
func OfferRedis(c *host.Config) {
	c.Builtins = append(c.Builtins, provider.Builtin{Name: "keyvalue-redis", Start: func(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
		s, err := keyvalue.NewLinked(cfg.Settings, func(s wire.Settings) (keyvalue.Opener, error) {
			settings, err := redis.ParseConfig(s)
			if err != nil {
				return nil, err
			}
			return func(context.Context) (keyvalue.Backend, error) { return redis.New(settings) }, nil
		})
		if err != nil {
			return nil, err
		}
		return &provider.Capabilities{KeyvalueStore: s, KeyvalueAtomics: s, KeyvalueBatch: s, Relink: s.Relink, Close: s.Close}, nil
	}})
}
