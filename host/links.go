package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/wit"
)

// contractTimeout bounds the question what a component on another host is.
const contractTimeout = 2 * time.Second

// serveContract tells the lattice what an id can be called for and imports.
func (h *Host) serveContract(id, digest string, w *wit.World) (*ctl.ContractServer, error) {
	c, err := contractOf(id, digest, w)
	if err != nil {
		return nil, err
	}
	return ctl.ServeContract(h.cfg.Conn, h.cfg.Lattice, id, c)
}

func contractOf(id, digest string, w *wit.World) (ctl.Contract, error) {
	text, err := wit.Print(w)
	if err != nil {
		return ctl.Contract{}, fmt.Errorf("contract of %q: %w", id, err)
	}
	exports := make([]string, len(w.Exports))
	for i, x := range w.Exports {
		exports[i] = x.Name
	}
	return ctl.Contract{Digest: digest, WIT: text, Exports: exports}, nil
}

// end is what is known of an end of a link.
type end struct {
	world  *wit.World        // nil: nobody tells
	failed map[linkID]string // from there, and to there
}

// world returns what an id imports and exports, asking the lattice for what
// does not run here; nil where nobody tells.
func (h *Host) world(ctx context.Context, id string) *wit.World { return h.end(ctx, id).world }

// end is world, with the links from and to there that do not work.
func (h *Host) end(ctx context.Context, id string) end {
	if d := h.component(id); d != nil {
		return end{world: d.World()}
	}
	if p := h.provider(id); p != nil && p.caps != nil {
		return end{world: p.caps.World(), failed: p.follows.reasons()}
	}
	c, err := h.control.Contract(ctx, id)
	if err != nil {
		if !errors.Is(err, lattice.ErrNotFound) {
			h.log.Debug("no contract", zap.String("id", id), zap.Error(err))
		}
		return end{}
	}
	w, err := wit.ParseWorld(c.WIT)
	if err != nil {
		h.log.Warn("contract is not readable", zap.String("id", id), zap.Error(err))
		return end{}
	}
	failed := make(map[linkID]string, len(c.Failures))
	for _, f := range c.Failures {
		key := lattice.LinkKey{SourceID: cmp.Or(f.SourceID, id), Name: f.Name, WITNamespace: f.WITNamespace, WITPackage: f.WITPackage}
		failed[linkID{key, f.Target}] = f.Reason
	}
	return end{world: w, failed: failed}
}

// checkLink refuses a link whose ends are known and do not fit.
func (h *Host) checkLink(ctx context.Context, l lattice.Link) error {
	worlds := h.worlds(ctx, []string{l.SourceID, l.Target})
	if s := h.checkEnds(l, worlds[l.SourceID], worlds[l.Target]); s.State == lattice.LinkRefused {
		return fmt.Errorf("link refused: %s", s.Reason)
	}
	return nil
}

// checkEnds is [link.Check] with what is known of where the ends run.
func (h *Host) checkEnds(l lattice.Link, source, target *wit.World) lattice.LinkStatus {
	s := link.Check(l, source, target)
	if s.State != lattice.LinkReady {
		return s
	}
	if i := link.Bound(l, source); i != nil && h.apart(l.SourceID, l.Target) {
		s.State, s.Reason = lattice.LinkRefused, link.Apart(l.Target, i).Error()
	}
	return s
}

// apart says whether two components run, but nowhere on one host, as far as this
// host hears of the others.
func (h *Host) apart(a, b string) bool {
	runsA, runsB := h.component(a) != nil, h.component(b) != nil
	if runsA && runsB {
		return false
	}
	for _, p := range h.peers.Peers() {
		ids := p.IDs()
		hasA, hasB := slices.Contains(ids, a), slices.Contains(ids, b)
		if hasA && hasB {
			return false
		}
		runsA, runsB = runsA || hasA, runsB || hasB
	}
	return runsA && runsB
}

// readLinks makes the router's links equal to the stored ones.
func (h *Host) readLinks() {
	h.linksTurn.Lock()
	defer h.linksTurn.Unlock()
	all := h.store.Links()
	h.links = map[string][]lattice.Link{}
	for _, l := range all {
		h.links[l.SourceID] = append(h.links[l.SourceID], l)
	}
	h.router.SetLinks(all)
	h.linksRead()
}

// refreshLinks does so for some sources. Whoever comes last has read them last, so
// that no older links overwrite newer ones.
func (h *Host) refreshLinks(sources ...string) {
	h.linksTurn.Lock()
	defer h.linksTurn.Unlock()
	changed := make(map[string][]lattice.Link, len(sources))
	for _, id := range sources {
		changed[id] = h.store.LinksFrom(id)
		if h.links[id] = changed[id]; len(changed[id]) == 0 {
			delete(h.links, id)
		}
	}
	h.router.ChangeLinks(changed)
	h.linksRead()
}

// linksRead tells who follows links that some have changed.
func (h *Host) linksRead() {
	h.unsure.add(h.router.Targets(false)...)
	h.tellProviders()
}

// Links returns the links that calls on this host follow now, ordered by source. A
// link that was put through another host gets here a moment later.
func (h *Host) Links() []lattice.Link {
	h.linksTurn.Lock()
	defer h.linksTurn.Unlock()
	var all []lattice.Link
	for _, id := range slices.Sorted(maps.Keys(h.links)) {
		all = append(all, h.links[id]...)
	}
	return all
}

// reportLinks logs the links of a component or provider that just started and
// that cannot be satisfied.
func (h *Host) reportLinks(id string) {
	h.unsure.add(h.router.Targets(false)...)
	log := h.log.With(zap.String("id", id))
	err := h.background(nil, untold, func(ctx context.Context) error {
		for _, l := range append(h.store.LinksFrom(id), h.store.LinksTo(id)...) {
			s := h.checkEnds(l, h.world(ctx, l.SourceID), h.world(ctx, l.Target))
			if s.State == lattice.LinkRefused {
				log.Error("a link does not fit", zap.Stringer("link", l), zap.String("reason", s.Reason))
			}
		}
		return nil
	})
	if err != nil {
		log.Debug("links not checked", zap.Error(err))
	}
}

// announceLink tells a link to both its ends in the way of providers that were
// built before v1 hosts sent them their links one by one. A link with secrets
// is not told: they would read the names of secrets as configuration.
func (h *Host) announceLink(l lattice.Link) {
	if hasSecrets(l) {
		return
	}
	h.tellEnds(l, h.definition(l), lattice.ProviderLinkPut)
}

// announceLinkGone tells both ends of a link that it is gone.
func (h *Host) announceLinkGone(l lattice.Link) {
	h.tellEnds(l, wire.NewLinkDefinition(l), lattice.ProviderLinkDelete)
}

func (h *Host) tellEnds(l lattice.Link, d wire.LinkDefinition, subject func(lattice, id string) string) {
	data, err := lattice.EncodeJSON(d)
	if err == nil {
		err = errors.Join(
			h.cfg.RPCConn.Publish(subject(h.cfg.Lattice, l.SourceID), data),
			h.cfg.RPCConn.Publish(subject(h.cfg.Lattice, l.Target), data))
	}
	if err != nil {
		h.log.Warn("link not told to its ends", zap.Stringer("link", l), zap.Error(err))
	}
}
