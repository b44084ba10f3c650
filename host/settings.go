package host

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
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

// settings are the named configs of one component, merged as they are now.
type settings struct {
	store  *state.Store
	names  atomic.Pointer[[]string]
	merged atomic.Pointer[mergedSettings]
}

// mergedSettings are what names came to at some version of all configs.
type mergedSettings struct {
	version uint64
	names   *[]string
	values  map[string]string
}

// newSettings returns the settings of names, all of which must be stored.
func (h *Host) newSettings(ctx context.Context, names []string) (*settings, error) {
	s := &settings{store: h.store}
	return s, s.use(ctx, names)
}

// use has other names from now on.
func (s *settings) use(ctx context.Context, names []string) error {
	for _, name := range names {
		if state.IsSecret(name) {
			return fmt.Errorf("secret %s: %w: secrets are not read yet", name, lattice.ErrUnsupported)
		}
		switch _, err := s.store.LoadConfig(ctx, name); {
		case errors.Is(err, lattice.ErrNotFound):
			return fmt.Errorf("%w: put it first, by: lath config put %s KEY=VALUE", err, name)
		case err != nil:
			return err
		}
	}
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
