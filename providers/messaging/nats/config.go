package nats

import (
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
	"github.com/lathhost/lath/providers/messaging"
)

// Config says what a broker is.
type Config struct {
	// ID is the provider's, and Lattice the name of its lattice.
	ID, Lattice string
	// Settings are the provider's settings, which hold for its links where those do
	// not say otherwise.
	Settings provider.Settings
	// Conn is the lattice's connection, which stays the caller's, and JSDomain the
	// JetStream domain of that. It may be nil where a server is named.
	Conn     *lattice.Conn
	JSDomain string
	// Forget is how long after its link is gone a consumer is deleted; default
	// [DefaultForget].
	Forget time.Duration
	// Log is required.
	Log *zap.Logger
}

// linkConfig is what the settings of a link say, with the provider's for what they
// do not.
type linkConfig struct {
	messaging.Handling
	messaging.Limits
	Server
}

func (c *linkConfig) settings(rules messaging.Rules) settings.Set {
	s := c.Handling.Settings(rules)
	maps.Copy(s, c.Limits.Settings())
	maps.Copy(s, c.Server.settings())
	return s
}

// readCore reads settings of [Core].
func readCore(rules messaging.Rules, from provider.Settings) (linkConfig, error) {
	var c linkConfig
	s := c.settings(rules)
	s["consumers"] = func(value string) error { return refuseConsumers(value) }
	err := s.Read("messaging", from)
	if err == nil {
		err = c.Auth.Validate()
	}
	if err == nil {
		err = lattice.ValidInboxPrefix(c.Inbox)
	}
	return c, err
}
