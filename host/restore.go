package host

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/state"
)

// wanted is what the host is to run, as it is stored. What fails to start again
// stays wanted, and is tried again: only a command takes it away.
type wanted struct {
	mu         sync.Mutex // held while storing, so that what is stored last is last
	components map[string]state.WantedComponent
	providers  map[string]state.WantedProvider
	unstored   bool          // the last attempt to store it failed
	wake       chan struct{} // holds one token once unstored is set
}

// What is not as wanted is tried again after a pause that doubles from the first
// to the second.
const (
	minWantPause = 250 * time.Millisecond
	maxWantPause = 30 * time.Second
)

func (w *wanted) list() *state.Want {
	out := &state.Want{Components: []state.WantedComponent{}, Providers: []state.WantedProvider{}}
	for _, id := range slices.Sorted(maps.Keys(w.components)) {
		out.Components = append(out.Components, w.components[id])
	}
	for _, id := range slices.Sorted(maps.Keys(w.providers)) {
		out.Providers = append(out.Providers, w.providers[id])
	}
	return out
}

// component returns what is wanted of a component.
func (w *wanted) component(id string) (c state.WantedComponent, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, ok = w.components[id]
	return c, ok
}

// provider returns what is wanted of a provider.
func (w *wanted) provider(id string) (p state.WantedProvider, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok = w.providers[id]
	return p, ok
}

// want changes what the host is to run, and stores it. Where that fails the command
// has been carried out all the same, and keepWanted stores it later.
func (h *Host) want(ctx context.Context, change func(*wanted)) {
	w := &h.wanted
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
	h.storeWant(ctx)
}

// storeWant stores what the host is to run, its mu held.
func (h *Host) storeWant(ctx context.Context) {
	w := &h.wanted
	err := h.store.PutWant(ctx, h.cfg.Identity.ID, w.list())
	if w.unstored = err != nil; !w.unstored {
		return
	}
	h.log.Warn("what the host runs is not stored yet: it would not find it after a restart", zap.Error(err))
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// storeWantLast stores, before the host leaves, what could not be stored yet: a command
// that was cut short by the end of the host may have had its effect all the same.
func (h *Host) storeWantLast(ctx context.Context) {
	h.wanted.mu.Lock()
	defer h.wanted.mu.Unlock()
	if h.wanted.unstored {
		h.storeWant(ctx)
	}
}

// wantComponent notes how a command has left a component.
func (h *Host) wantComponent(ctx context.Context, id string) {
	h.want(ctx, func(w *wanted) {
		d := h.component(id)
		if d == nil {
			delete(w.components, id)
			return
		}
		is := d.Describe()
		w.components[id] = state.WantedComponent{ID: id, Image: is.ImageRef, MaxInstances: is.MaxInstances, Config: *d.settings.names.Load(),
			Annotations: is.Annotations, Limits: is.Limits}
	})
}

// loadWant reads what the host is to run.
func (h *Host) loadWant(ctx context.Context) error {
	w := &h.wanted
	w.components, w.providers = map[string]state.WantedComponent{}, map[string]state.WantedProvider{}
	w.wake = make(chan struct{}, 1)
	if !h.cfg.Restore {
		return nil
	}
	stored, err := h.store.Want(ctx, h.cfg.Identity.ID)
	if err != nil {
		return err
	}
	for _, c := range stored.Components {
		w.components[c.ID] = c
	}
	for _, p := range stored.Providers {
		w.providers[p.ID] = p
	}
	return nil
}

// keepWanted starts again what is wanted and does not run, since it failed to at the
// start of the host, and stores what could not be stored, until ctx ends.
func (h *Host) keepWanted(ctx context.Context) {
	pause := minWantPause
	for {
		var again <-chan time.Time
		if h.lacking() {
			again = time.After(pause)
			pause = min(2*pause, maxWantPause)
		} else {
			pause = minWantPause
		}
		select {
		case <-ctx.Done():
			return
		case <-h.wanted.wake:
			continue // after a pause
		case <-again:
		}
		h.wanted.mu.Lock()
		if h.wanted.unstored {
			h.storeWant(ctx)
		}
		h.wanted.mu.Unlock()
		h.startWanted()
	}
}

// lacking reports whether something is not as wanted, or not stored.
func (h *Host) lacking() bool {
	h.wanted.mu.Lock()
	want, unstored := h.wanted.list(), h.wanted.unstored
	h.wanted.mu.Unlock()
	return unstored ||
		slices.ContainsFunc(want.Components, func(c state.WantedComponent) bool { return h.component(c.ID) == nil }) ||
		slices.ContainsFunc(want.Providers, func(p state.WantedProvider) bool { return h.provider(p.ID) == nil })
}

// restore starts what the host is to run. An id that a command has named since the
// host answers is the command's.
func (h *Host) restore() {
	h.wanted.mu.Lock()
	want := h.wanted.list()
	h.wanted.mu.Unlock()
	if len(want.Components)+len(want.Providers) > 0 {
		h.log.Info("starting again what ran here", zap.Int("components", len(want.Components)), zap.Int("providers", len(want.Providers)))
		h.startWanted()
	}
}

// startWanted begins to start what is wanted, does not run, and no command is about
// to change.
func (h *Host) startWanted() {
	h.wanted.mu.Lock()
	want := h.wanted.list()
	h.wanted.mu.Unlock()
	for _, p := range want.Providers {
		if err := h.startWantedProvider(p.ID); err != nil {
			h.log.Warn("provider not started again", zap.String("provider", p.ID), zap.Error(err))
		}
	}
	for _, c := range want.Components {
		if h.named(c.ID) {
			continue
		}
		err := h.inTurn(c.ID, c.Image, untold, func(ctx context.Context) error { return h.startWantedComponent(ctx, c.ID) })
		if err != nil {
			h.log.Warn("component not started again", zap.String("component", c.ID), zap.Error(err))
		}
	}
}

// startWantedComponent starts a component whose turn it is, unless a command came
// first.
func (h *Host) startWantedComponent(ctx context.Context, id string) error {
	c, ok := h.wanted.component(id)
	if !ok || h.component(id) != nil {
		return nil
	}
	return h.scale(ctx, &ctl.ScaleComponent{ComponentID: c.ID, ComponentRef: c.Image, HostID: h.cfg.Identity.ID, MaxInstances: c.MaxInstances,
		Config: c.Config, Annotations: c.Annotations, Limits: c.Limits})
}

// startWantedProvider begins to start a provider, unless a command came first.
func (h *Host) startWantedProvider(id string) error {
	if !h.claimProvider(id) {
		return nil
	}
	p, ok := h.wanted.provider(id)
	if !ok {
		h.unclaimProvider(id)
		return nil
	}
	return h.startClaimed(&ctl.StartProvider{ProviderID: p.ID, ProviderRef: p.Reference, HostID: h.cfg.Identity.ID, Config: p.Config,
		Annotations: p.Annotations}, untold)
}

// named reports whether a component runs under an id, or a command for it waits.
func (h *Host) named(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.components[id] != nil
}
