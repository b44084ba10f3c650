package nats

import (
	"context"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/messaging"
)

// CoreSenders are the senders of a [Core] broker's links.
func CoreSenders(cfg Config) (*messaging.Senders, error) {
	return messaging.NewSenders(cfg.Settings, func(s provider.Settings) (messaging.Opener, error) {
		if _, err := readCore(messaging.Rules{Lattice: cfg.Lattice}, s); err != nil {
			return nil, err
		}
		cfg := cfg
		cfg.Settings = s
		return func(context.Context) (messaging.Sender, error) { return NewCore(cfg) }, nil
	})
}

// DurableSenders are the senders of a [Durable] broker's links.
func DurableSenders(cfg Config) (*messaging.Senders, error) {
	return messaging.NewSenders(cfg.Settings, func(s provider.Settings) (messaging.Opener, error) {
		if _, err := readDurable(messaging.Rules{Lattice: cfg.Lattice}, s); err != nil {
			return nil, err
		}
		cfg := cfg
		cfg.Settings = s
		return func(ctx context.Context) (messaging.Sender, error) { return NewDurable(ctx, cfg) }, nil
	})
}
