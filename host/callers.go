package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/capability"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// follows is what a built-in provider that calls others makes of its links.
type follows struct {
	turn   sync.Mutex // held while it is told its links
	values map[string]string
	links  []toldLink

	mu     sync.Mutex
	failed map[linkID]error
}

// toldLink is a link as a provider was told it.
type toldLink struct {
	lattice.Link
	config map[string]string
}

func (l toldLink) equal(o toldLink) bool {
	return l.Link.Equal(o.Link) && maps.Equal(l.config, o.config)
}

// linkID tells apart the links of one source.
type linkID struct {
	lattice.LinkKey
	target string
}

func idOf(l lattice.Link) linkID { return linkID{l.Key(), l.Target} }

// tellCallers tells the built-in providers of this host their links.
func (h *Host) tellCallers() {
	for _, p := range h.listProviders() {
		h.tellCaller(p)
	}
}

// tellCaller tells a provider its links as they are now, if they are not what it
// was told, or some of them did not work.
func (h *Host) tellCaller(p *runningProvider) {
	if p.caps == nil || p.caps.Caller == nil {
		return
	}
	f := &p.follows
	f.turn.Lock()
	defer f.turn.Unlock()
	values, stored := p.settings.values(), h.store.LinksFrom(p.id)
	links, told := make([]toldLink, len(stored)), make([]provider.Link, len(stored))
	for i, l := range stored {
		links[i] = toldLink{l, h.store.MergedConfig(l.SourceConfig)}
		told[i] = h.callersLink(p, links[i])
	}
	if len(f.failures()) == 0 && f.values != nil && maps.Equal(values, f.values) && slices.EqualFunc(links, f.links, toldLink.equal) {
		return
	}
	failed := map[linkID]error{}
	for i, err := range p.caps.Caller.SetLinks(values, told) {
		if err != nil {
			failed[idOf(stored[i])] = err
		}
	}
	f.values, f.links = values, links
	f.note(failed, func(l linkID, err error) {
		h.log.Warn("a link does not work", zap.String("provider", p.id), zap.String("link", l.Name), zap.String("target", l.target), zap.Error(err))
	})
	h.tellFailures(p)
}

// tellFailures tells the lattice which links of a provider do not work.
func (h *Host) tellFailures(p *runningProvider) {
	var list []ctl.LinkFailure
	for l, err := range p.follows.failures() {
		list = append(list, ctl.LinkFailure{Name: l.Name, Target: l.target, WITNamespace: l.WITNamespace, WITPackage: l.WITPackage, Reason: err.Error()})
	}
	slices.SortFunc(list, func(a, b ctl.LinkFailure) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Target, b.Target))
	})
	if err := p.contract.SetFailures(list); err != nil {
		h.log.Warn("failures of links not told", zap.String("provider", p.id), zap.Error(err))
	}
}

// reasons are the failures in words.
func (f *follows) reasons() map[linkID]string {
	list := map[linkID]string{}
	for l, err := range f.failures() {
		list[l] = err.Error()
	}
	return list
}

func (f *follows) failures() map[linkID]error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// note replaces the failures, and tells of new ones.
func (f *follows) note(failed map[linkID]error, tell func(linkID, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for l, err := range failed {
		if before := f.failed[l]; before == nil || before.Error() != err.Error() {
			tell(l, err)
		}
	}
	f.failed = failed
}

// drainCallers has no more work come in by the built-in providers of this host.
func (h *Host) drainCallers(ctx context.Context) error {
	var draining sync.WaitGroup
	list := h.listProviders()
	errs := make([]error, len(list))
	for i, p := range list {
		if p.caps != nil && p.caps.Caller != nil {
			draining.Go(func() { errs[i] = p.caps.Caller.Drain(ctx) })
		}
	}
	draining.Wait()
	return errors.Join(errs...)
}

// callersLink is a link as its provider is told it.
func (h *Host) callersLink(p *runningProvider, l toldLink) provider.Link {
	out := provider.Link{Name: l.Name, Target: l.Target, Config: l.config, Invoker: &capability.Target{
		Source: l.SourceID, Name: l.Name, Target: l.Target, Imports: p.caps.Caller.Imports(),
		Local: h.invokable, Caller: h.caller, MaxTime: h.cfg.MaxTime,
	}}
	for _, name := range l.Interfaces {
		out.Interfaces = append(out.Interfaces, l.Interface(name))
	}
	if slices.Contains(out.Interfaces, capability.HTTPHandler) {
		out.HTTP = &capability.HTTP{
			Lattice: h.cfg.Lattice, Source: l.SourceID, Name: l.Name, Target: l.Target, Client: h.client,
			Local: h.httpComponent, MaxTime: h.cfg.MaxTime, Log: h.log.With(zap.String("provider", l.SourceID)),
		}
	}
	return out
}

// httpComponent finds a component of this host.
func (h *Host) httpComponent(id string) capability.HTTPComponent {
	if d := h.component(id); d != nil {
		return d.Workload
	}
	return nil
}

// invokable finds a component of this host, for a provider of this host.
func (h *Host) invokable(id string) capability.Component {
	if d := h.component(id); d != nil {
		return d.Workload
	}
	return nil
}

// readGranted reads a file that the operator of this host grants to an id.
func (h *Host) readGranted(id string) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		data, err := h.cfg.Grants.For(id).ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%w; the operator of host %s grants files in its --grants file: components: {%s: {dirs: [\"HOST::GUEST:ro\"]}}",
				err, h.cfg.Identity.Name, id)
		}
		return data, nil
	}
}
