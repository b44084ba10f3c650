package host

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/state"
)

// wanted is what the host is to run, as it is stored. What fails to start again
// stays wanted: only a command takes it away.
type wanted struct {
	mu         sync.Mutex // held while storing, so that what is stored last is last
	components map[string]state.WantedComponent
	providers  map[string]state.WantedProvider
}

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

// want changes what the host is to run, and stores it. A failure is logged: the
// command has been carried out all the same, and the next one stores all.
func (h *Host) want(ctx context.Context, change func(*wanted)) {
	w := &h.wanted
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
	if err := h.store.PutWant(ctx, h.cfg.Identity.ID, w.list()); err != nil {
		h.log.Warn("what the host runs is not stored: it will not find it after a restart", zap.Error(err))
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

// restore starts what the host is to run. An id that a command has named since the
// host answers is the command's.
func (h *Host) restore(ctx context.Context) {
	h.wanted.mu.Lock()
	want := h.wanted.list()
	h.wanted.mu.Unlock()
	if len(want.Components)+len(want.Providers) == 0 {
		return
	}
	h.log.Info("starting again what ran here", zap.Int("components", len(want.Components)), zap.Int("providers", len(want.Providers)))
	for _, p := range want.Providers {
		req := &ctl.StartProvider{ProviderID: p.ID, ProviderRef: p.Reference, HostID: h.cfg.Identity.ID, Config: p.Config, Annotations: p.Annotations}
		if err := (*control)(h).StartProvider(ctx, req, untold); err != nil {
			h.log.Warn("provider not started again", zap.String("provider", p.ID), zap.Error(err))
		}
	}
	for _, c := range want.Components {
		if h.named(c.ID) {
			continue
		}
		req := &ctl.ScaleComponent{ComponentID: c.ID, ComponentRef: c.Image, HostID: h.cfg.Identity.ID, MaxInstances: c.MaxInstances,
			Config: c.Config, Annotations: c.Annotations, Limits: c.Limits}
		if _, err := (*control)(h).ScaleComponent(ctx, req, untold); err != nil {
			h.log.Warn("component not started again", zap.String("component", c.ID), zap.Error(err))
		}
	}
}

// named reports whether a component runs under an id, or a command for it waits.
func (h *Host) named(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.components[id] != nil
}
