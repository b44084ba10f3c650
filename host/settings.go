package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/state"
)

// maxLabels bounds the labels of a host, which every heartbeat carries.
const maxLabels = 1024

// labels are a host's labels as they are now.
type labels struct {
	mu  sync.Mutex
	now map[string]string
}

func (l *labels) all() map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.now)
}

// match reports whether all constraints hold.
func (l *labels) match(constraints map[string]string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, want := range constraints {
		if have, ok := l.now[key]; !ok || have != want {
			return false
		}
	}
	return true
}

func (l *labels) put(key, value string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.now[key]; !known && len(l.now) >= maxLabels {
		return fmt.Errorf("label %.80q: %w: the host has %d labels, the most it may have", key, lattice.ErrInvalid, len(l.now))
	}
	l.now[key] = value
	return nil
}

func (l *labels) delete(key string) (known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, known = l.now[key]
	delete(l.now, key)
	return known
}

// PutLabel implements ctl.LabelHandler.
func (c *control) PutLabel(_ context.Context, req *ctl.PutLabel) error {
	if err := c.labels.put(req.Key, req.Value); err != nil {
		return err
	}
	(*Host)(c).publish(event.LabelsChanged{HostID: c.cfg.Identity.ID, Labels: c.labels.all()})
	return nil
}

// DeleteLabel implements ctl.LabelHandler.
func (c *control) DeleteLabel(_ context.Context, req *ctl.DeleteLabel) (bool, error) {
	known := c.labels.delete(req.Key)
	(*Host)(c).publish(event.LabelsChanged{HostID: c.cfg.Identity.ID, Labels: c.labels.all()})
	return known, nil
}

// BidForComponent implements ctl.ComponentHandler.
func (c *control) BidForComponent(_ context.Context, req *ctl.ComponentAuction) bool {
	return c.labels.match(req.Constraints) && (*Host)(c).component(req.ComponentID) == nil
}

// BidForProvider implements ctl.ProviderHandler.
func (c *control) BidForProvider(_ context.Context, req *ctl.ProviderAuction) bool {
	return c.labels.match(req.Constraints) && (*Host)(c).provider(req.ProviderID) == nil
}

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

// Claims implements ctl.Handler.
func (c *control) Claims(ctx context.Context) ([]map[string]string, error) {
	list, err := c.store.Claims(ctx)
	if err != nil {
		return nil, err
	}
	flat := make([]map[string]string, len(list))
	for i, claims := range list {
		flat[i] = claims.Flat()
	}
	return flat, nil
}

// PutRegistries implements ctl.Handler.
func (c *control) PutRegistries(_ context.Context, auths map[string]ctl.RegistryAuth) error {
	by := map[string]oci.Credential{}
	for addr, a := range auths {
		switch {
		case a.Type != "" && a.Type != "oci":
			return fmt.Errorf("registry %.80q: %w: its type is %.40q, and only \"oci\" is known", addr, lattice.ErrUnsupported, a.Type)
		case a.Username != "" && a.Password == "" && a.Token != "":
			by[addr] = oci.Credential{Username: a.Username, Password: a.Token}
		case a.Username != "" || a.Password != "":
			by[addr] = oci.Credential{Username: a.Username, Password: a.Password}
		case a.Token != "":
			by[addr] = oci.Credential{Password: a.Token}
		}
	}
	c.cfg.Images.AddCredentials(by)
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
		switch _, err := s.store.LoadConfig(ctx, name); {
		case state.IsSecret(name):
			return fmt.Errorf("secret %s: %w: secrets are not read yet", name, lattice.ErrUnsupported)
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
