package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
	"github.com/lathhost/lath/lattice/state"
)

// Config implements ctl.ConfigHandler.
func (c *control) Config(ctx context.Context, name string) (map[string]string, error) {
	return c.store.LoadConfig(ctx, name)
}

// PutConfig implements ctl.ConfigHandler.
func (c *control) PutConfig(ctx context.Context, name string, values map[string]string) error {
	if err := c.store.PutConfig(ctx, name, values); err != nil {
		return err
	}
	(*Host)(c).publish(event.ConfigSet{ConfigName: name})
	return nil
}

// DeleteConfig implements ctl.ConfigHandler.
func (c *control) DeleteConfig(ctx context.Context, name string) error {
	if err := c.store.DeleteConfig(ctx, name); err != nil {
		return err
	}
	(*Host)(c).publish(event.ConfigDeleted{ConfigName: name})
	return nil
}

// settings are the named configs of one component or provider, merged as they are
// now, and its secrets.
type settings struct {
	store  *state.Store
	names  atomic.Pointer[[]string]
	merged atomic.Pointer[mergedSettings]

	finder *secrets.Finder
	entity secret.Entity // with an id: its secrets are fetched when names are used
	held   atomic.Pointer[map[string]heldSecret]
	turn   chan struct{} // holds a token while a secret is fetched again
}

// mergedSettings are what names came to at some version of all configs.
type mergedSettings struct {
	version uint64
	names   *[]string
	values  map[string]string
}

// heldSecret is a secret as it was fetched by a reference.
type heldSecret struct {
	reference map[string]string
	value     wire.Secret
}

// newSettings returns the settings of names, all of which must be stored. Secrets
// are fetched for the entity; for one without an id, by settings.fetch alone.
func (h *Host) newSettings(ctx context.Context, entity secret.Entity, names []string) (*settings, error) {
	s := &settings{store: h.store, finder: h.secrets, entity: entity, turn: make(chan struct{}, 1)}
	return s, s.use(ctx, names)
}

// use has other names from now on.
func (s *settings) use(ctx context.Context, names []string) error {
	for _, name := range names {
		switch values, err := s.store.LoadConfig(ctx, name); {
		case errors.Is(err, lattice.ErrNotFound) && state.IsSecret(name):
			return fmt.Errorf("secret reference %w: put it first, by: lath secret put %s", err, strings.TrimPrefix(name, secret.Prefix))
		case errors.Is(err, lattice.ErrNotFound):
			return fmt.Errorf("%w: put it first, by: lath config put %s KEY=VALUE", err, name)
		case err != nil:
			return err
		case state.IsSecret(name):
			if _, err := secret.ParseReference(name, values); err != nil {
				return err
			}
		}
	}
	held := map[string]heldSecret{}
	if s.entity.ID != "" {
		for _, name := range names {
			if !state.IsSecret(name) {
				continue
			}
			var err error
			if held[name], err = s.fetchOne(ctx, name, s.entity); err != nil {
				return err
			}
		}
	}
	s.held.Store(&held)
	s.names.Store(&names)
	return nil
}

// values returns the settings as they are now. Do not write to the map.
func (s *settings) values() map[string]string {
	names, version := s.names.Load(), s.store.ConfigVersion()
	if m := s.merged.Load(); m != nil && m.version == version && m.names == names {
		return m.values
	}
	m := &mergedSettings{version: version, names: names, values: s.store.MergedConfig(*names)}
	s.merged.Store(m)
	return m.values
}
