package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
)

// control is the host as the control interface drives it.
type control Host

var _ ctl.Handler = (*control)(nil)

// PingHost implements ctl.HostHandler.
func (c *control) PingHost(context.Context) (*ctl.Host, error) {
	up := time.Since(c.started)
	return &ctl.Host{ID: c.cfg.Identity.ID, FriendlyName: c.cfg.Identity.Name, Labels: c.labels.all(), Lattice: c.cfg.Lattice,
		UptimeSeconds: uint64(up / time.Second), UptimeHuman: lattice.HumanDuration(up), Version: c.cfg.Version,
		RPCHost: c.cfg.RPCConn.ConnectedUrlRedacted(), CtlHost: c.cfg.Conn.ConnectedUrlRedacted(), JSDomain: c.cfg.JSDomain}, nil
}

// Inventory implements ctl.HostHandler.
func (c *control) Inventory(context.Context) (*lattice.Inventory, error) {
	return (*Host)(c).inventory(), nil
}

// StopHost implements ctl.HostHandler.
func (c *control) StopHost(_ context.Context, req *ctl.StopHost, ended ctl.Outcome) error {
	if req.HostID != "" && req.HostID != c.cfg.Identity.ID {
		return fmt.Errorf("invalid host_id [%s]", req.HostID)
	}
	d := c.cfg.Drain
	if req.Timeout > 0 {
		d = time.Duration(min(req.Timeout, uint64(time.Hour.Milliseconds()))) * time.Millisecond
	}
	c.mu.Lock()
	c.leaving = append(c.leaving, ended)
	c.mu.Unlock()
	select {
	case c.stop <- d:
	default: // it is stopping already
	}
	return nil
}

// left tells who asked the host to stop that it has.
func (h *Host) left(err error) {
	h.mu.Lock()
	leaving := h.leaving
	h.mu.Unlock()
	for _, ended := range leaving {
		ended(err)
	}
}

// ScaleComponent implements ctl.ComponentHandler: it accepts the command, and
// an event tells the outcome.
func (c *control) ScaleComponent(_ context.Context, req *ctl.ScaleComponent, ended ctl.Outcome) (string, error) {
	h := (*Host)(c)
	message := ""
	if w := h.component(req.ComponentID); w != nil && w.Image() != req.ComponentRef && req.MaxInstances > 0 {
		message = fmt.Sprintf("Requested to scale existing component to a different image reference: %s != %s. ", w.Image(), req.ComponentRef)
		if req.AllowUpdate {
			message += "The component will be updated to the new image reference."
		} else {
			message += "The component will be scaled but the image reference will not be updated. " +
				"If you meant to update this component to a new image ref, use the update command."
		}
	}
	r, image := *req, req.ComponentRef
	if r.MaxInstances == 0 {
		image = ""
	}
	return message, h.inTurn(r.ComponentID, image, ended, func(ctx context.Context) error { return h.scale(ctx, &r) })
}

// UpdateComponent implements ctl.ComponentHandler: it accepts the command, and an
// event tells the outcome. New calls run the new image once it is ready; those that
// run finish on the old.
func (c *control) UpdateComponent(_ context.Context, req *ctl.UpdateComponent, ended ctl.Outcome) (string, error) {
	h := (*Host)(c)
	now := h.component(req.ComponentID)
	if now == nil {
		return "", fmt.Errorf("component %s not found", req.ComponentID)
	}
	message := fmt.Sprintf("component %s updating from %s to %s", req.ComponentID, now.Image(), req.NewComponentRef)
	if now.Image() == req.NewComponentRef {
		message = fmt.Sprintf("component %s already updated to %s", req.ComponentID, req.NewComponentRef)
		if h.settled(req.ComponentID, req.NewComponentRef) { // else it is another one when this command's turn comes
			ended(nil)
			return message, nil
		}
	}
	r := *req
	return message, h.inTurn(r.ComponentID, r.NewComponentRef, ended, func(ctx context.Context) error { return h.update(ctx, &r) })
}

// StartProvider implements ctl.ProviderHandler.
func (c *control) StartProvider(_ context.Context, req *ctl.StartProvider, ended ctl.Outcome) error {
	h := (*Host)(c)
	if !h.claimProvider(req.ProviderID) {
		return errors.New("provider with that ID is already running")
	}
	r := *req
	return h.startClaimed(&r, ended)
}

// stopAnswer is how long the answer to a command that stops something waits for
// its end: v1's clients give up after 2 s.
const stopAnswer = 1500 * time.Millisecond

// StopProvider implements ctl.ProviderHandler. A provider that is not there is not
// wanted any more either.
func (c *control) StopProvider(ctx context.Context, req *ctl.StopProvider, ended ctl.Outcome) error {
	h, id := (*Host)(c), req.ProviderID
	if err := h.claimRunning(id); err != nil {
		return err
	}
	unwant := func(ctx context.Context) { h.want(ctx, func(w *wanted) { delete(w.providers, id) }) }
	if h.provider(id) == nil {
		unwant(ctx)
		h.unclaimProvider(id)
		return errNotRunning
	}
	stopped := make(chan struct{})
	unclaim := sync.OnceFunc(func() { h.unclaimProvider(id) })
	err := h.background(nil, ended, func(ctx context.Context) error {
		// Until then the id is taken: what asks this provider to end would end
		// another of that id as well.
		defer close(stopped)
		defer unclaim()
		ctx, cancel := context.WithTimeout(ctx, h.cfg.Drain)
		defer cancel()
		return h.stopProvider(ctx, id, func() {
			unwant(ctx)
			unclaim() // who hears that it has ended may start another
		})
	})
	if err != nil {
		h.unclaimProvider(id)
		return err
	}
	select {
	case <-stopped:
	case <-time.After(stopAnswer):
	}
	return nil
}

// Links implements ctl.LinkHandler.
func (c *control) Links(context.Context) ([]lattice.Link, error) { return c.store.Links(), nil }

// PutLink implements ctl.LinkHandler. A link whose ends are both known and do
// not fit is refused; one whose end is not there yet is stored.
func (c *control) PutLink(ctx context.Context, l lattice.Link) error {
	h := (*Host)(c)
	err := h.checkLink(ctx, l)
	if err == nil {
		err = h.store.PutLink(ctx, l)
	}
	if err != nil {
		h.publish(event.LinkSetFailed{Link: l, Error: err.Error()})
		return err
	}
	h.refreshLinks(l.SourceID)
	h.announceLink(l)
	h.publish(event.LinkSet{Link: l})
	return nil
}

// DeleteLink implements ctl.LinkHandler.
func (c *control) DeleteLink(ctx context.Context, key lattice.LinkKey) (bool, error) {
	h := (*Host)(c)
	removed, known, err := h.store.DeleteLink(ctx, key)
	if err != nil {
		return known, err
	}
	h.refreshLinks(key.SourceID)
	e := event.LinkDeleted{SourceID: key.SourceID, Name: key.Name, WITNamespace: key.WITNamespace, WITPackage: key.WITPackage}
	for _, l := range removed {
		h.announceLinkGone(l)
		e.Target, e.Interfaces = l.Target, append(e.Interfaces, l.Interfaces...)
	}
	h.publish(e)
	return known, nil
}

// PutRegistries implements ctl.Handler.
func (c *control) PutRegistries(_ context.Context, auths map[string]ctl.RegistryAuth) error {
	by := map[string]oci.Credential{}
	for addr, a := range auths {
		if a.Type != "" && a.Type != "oci" {
			return fmt.Errorf("registry %.80q: %w: its type is %.40q, and only \"oci\" is known", addr, lattice.ErrUnsupported, a.Type)
		}
		if known := (oci.Credential{Username: a.Username, Password: cmp.Or(a.Password, a.Token)}); known != (oci.Credential{}) {
			by[addr] = known
		}
	}
	c.cfg.Images.AddCredentials(by)
	return nil
}

// commandTimeout bounds the work of one command: a pull and a compile.
const commandTimeout = 10 * time.Minute

// background carries out a command after its answer, and after an earlier one
// has ended, if after is not nil, and tells ended what became of it.
func (h *Host) background(after <-chan struct{}, ended ctl.Outcome, f func(ctx context.Context) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return errStopping
	}
	h.tasks.Go(func() {
		if after != nil {
			<-after
		}
		ctx, cancel := context.WithTimeout(h.base, commandTimeout)
		defer cancel()
		ended(h.guarded(func() error { return f(ctx) }))
	})
	return nil
}

// untold is the outcome of work that nobody has asked for by a command.
func untold(error) {}
