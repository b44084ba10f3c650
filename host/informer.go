package host

import (
	"context"
	"slices"
	"sync"

	"github.com/lathhost/lath/lattice/state"
)

// informer tells one built-in provider of changes of its settings and its links, one
// at a time, and fetches their secrets.
type informer struct {
	wake    chan struct{} // holds one token while something may have changed
	cancel  context.CancelFunc
	telling sync.WaitGroup
}

// newInformer tells a provider its links, if it wants them, and goes on with what
// changes. Nil: it wants nothing.
func (h *Host) newInformer(p *runningProvider) *informer {
	if p.caps.Relink == nil && p.caps.Caller == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	i := &informer{wake: make(chan struct{}, 1), cancel: cancel}
	i.telling.Go(func() {
		for {
			h.fetchAll(ctx, p)
			h.tellLinks(p)
			select {
			case <-ctx.Done():
				return
			case <-i.wake:
			}
		}
	})
	return i
}

// fetchAll fetches the secrets of a provider and of its links. It is told first what
// it can do without them.
func (h *Host) fetchAll(ctx context.Context, p *runningProvider) {
	ends := append(h.linkEnds(p.id), secretEnd{configs: *p.settings.names.Load()})
	ends = slices.DeleteFunc(ends, func(e secretEnd) bool { return !slices.ContainsFunc(e.configs, state.IsSecret) })
	if len(ends) > 0 {
		h.tellLinks(p)
	}
	h.fetchOpen(ctx, p, ends)
}

func (i *informer) changed() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// close ends the telling and waits for what is being told.
func (i *informer) close() {
	i.cancel()
	i.telling.Wait()
}

// changed says that a provider's links or configuration may have changed. It
// never waits.
func (p *runningProvider) changed() {
	if p.process != nil {
		p.process.Changed()
	}
	if p.inform != nil {
		p.inform.changed()
	}
}

// informProviders has all providers look for changes.
func (h *Host) informProviders() {
	for _, p := range h.listProviders() {
		p.changed()
	}
}

// watchConfigs tells providers and links of changes of named configs until ctx ends.
func (h *Host) watchConfigs(ctx context.Context) {
	for {
		next := h.store.ConfigChanged()
		h.informProviders()
		h.router.ConfigsChanged()
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
	}
}
