package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/wit"
)

// contractTimeout bounds the question what a component on another host is.
const contractTimeout = 2 * time.Second

// serveContract tells the lattice what an id can be called for and imports.
func (h *Host) serveContract(id, digest string, w *wit.World) (*ctl.ContractServer, error) {
	text, err := wit.Print(w)
	if err != nil {
		return nil, fmt.Errorf("contract of %q: %w", id, err)
	}
	exports := make([]string, len(w.Exports))
	for i, x := range w.Exports {
		exports[i] = x.Name
	}
	return ctl.ServeContract(h.cfg.Conn, h.cfg.Lattice, id, ctl.Contract{Digest: digest, WIT: text, Exports: exports})
}

// world returns what an id imports and exports, asking the lattice for what
// does not run here; nil where nobody tells.
func (h *Host) world(ctx context.Context, id string) *wit.World {
	if d := h.component(id); d != nil {
		return d.World()
	}
	if p := h.provider(id); p != nil {
		return p.caps.World()
	}
	c, err := h.control.Contract(ctx, id)
	if err != nil {
		if !errors.Is(err, lattice.ErrNotFound) {
			h.log.Debug("no contract", zap.String("id", id), zap.Error(err))
		}
		return nil
	}
	w, err := wit.ParseWorld(c.WIT)
	if err != nil {
		h.log.Warn("contract is not readable", zap.String("id", id), zap.Error(err))
		return nil
	}
	return w
}

// checkLink refuses a link whose ends are known and do not fit.
func (h *Host) checkLink(ctx context.Context, l lattice.Link) error {
	if s := link.Check(l, h.world(ctx, l.SourceID), h.world(ctx, l.Target)); s.State == lattice.LinkRefused {
		return fmt.Errorf("link refused: %s", s.Reason)
	}
	return nil
}

// linkStatuses returns every link with what is known of its ends now.
func (h *Host) linkStatuses(ctx context.Context) ([]lattice.LinkStatus, error) {
	worlds := map[string]*wit.World{}
	world := func(id string) *wit.World {
		w, ok := worlds[id]
		if !ok {
			w = h.world(ctx, id)
			worlds[id] = w
		}
		return w
	}
	links := h.store.Links()
	list := make([]lattice.LinkStatus, len(links))
	for i, l := range links {
		list[i] = link.Check(l, world(l.SourceID), world(l.Target))
	}
	return list, nil
}

// reportLinks logs the links of a component that just started and cannot be
// satisfied, or has none for an import.
func (h *Host) reportLinks(id string, log *zap.Logger) {
	err := h.background(func(ctx context.Context) {
		for _, l := range append(h.store.LinksFrom(id), h.store.LinksTo(id)...) {
			s := link.Check(l, h.world(ctx, l.SourceID), h.world(ctx, l.Target))
			if s.State == lattice.LinkRefused {
				log.Error("a link does not fit", zap.Stringer("link", l), zap.String("reason", s.Reason))
			}
		}
	})
	if err != nil {
		log.Debug("links not checked", zap.Error(err))
	}
}
