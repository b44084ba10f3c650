package harness

import (
	"context"
	"fmt"

	"github.com/lathhost/lath/cmd/builtin"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
)

// Builtin is a built-in provider as the command has it; started, if not nil, is told
// of each that starts.
func Builtin(name string, started func(id string, caps *provider.Capabilities)) provider.Builtin {
	p, ok := builtin.Provider(name)
	if !ok {
		panic(fmt.Sprintf("there is no built-in provider %q", name))
	}
	if started == nil {
		return p
	}
	return provider.Builtin{Name: name, Start: func(ctx context.Context, cfg provider.Config) (*provider.Capabilities, error) {
		caps, err := p.Start(ctx, cfg)
		if err == nil {
			started(cfg.ID, caps)
		}
		return caps, err
	}}
}

// Offer adds built-in providers to those of a host.
func Offer(names ...string) func(c *host.Config) {
	return func(c *host.Config) {
		for _, name := range names {
			c.Builtins = append(c.Builtins, Builtin(name, nil))
		}
	}
}

// OfferStores adds the key-value providers to those of a host; files are in dir.
func OfferStores(dir string) func(c *host.Config) {
	return func(c *host.Config) {
		c.ProviderDir = dir
		Offer("keyvalue-memory", "keyvalue-file", "keyvalue-nats", "keyvalue-redis")(c)
	}
}
