package host

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/lathhost/lath/host/provider"
	wire "github.com/lathhost/lath/lattice/provider"
)

// informer tells one built-in provider of changes of its configuration and its
// links, one at a time.
type informer struct {
	caps    *provider.Capabilities
	wake    chan struct{} // holds one token while something may have changed
	cancel  context.CancelFunc
	telling sync.WaitGroup
}

// newInformer tells a provider its links, if it wants them, and goes on with what
// changes; values are what it was started with. Nil: it wants nothing.
func (h *Host) newInformer(p *runningProvider, values map[string]string) *informer {
	if p.caps.Configure == nil && p.caps.Relink == nil && p.caps.Caller == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	i := &informer{caps: p.caps, wake: make(chan struct{}, 1), cancel: cancel}
	i.telling.Go(func() {
		links := h.definitions(p.id)
		if p.caps.Relink != nil {
			p.caps.Relink(ctx, links)
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-i.wake:
			}
			h.tellCaller(p)
			if now := p.settings.values(); p.caps.Configure != nil && !maps.Equal(now, values) {
				values = now
				p.caps.Configure(ctx, maps.Clone(now))
			}
			if now := h.definitions(p.id); p.caps.Relink != nil && !slices.EqualFunc(now, links, wire.LinkDefinition.Equal) {
				links = now
				p.caps.Relink(ctx, now)
			}
		}
	})
	return i
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
