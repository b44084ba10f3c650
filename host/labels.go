package host

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
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
	return lattice.HasLabels(l.now, constraints)
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
