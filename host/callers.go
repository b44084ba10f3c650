package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/capability"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	wire "github.com/lathhost/lath/lattice/provider"
)

// follows is what a built-in provider makes of its links.
type follows struct {
	turn  sync.Mutex // held while it is told its links
	told  bool
	ended bool // it is told nothing more
	own   wire.Settings
	links []wire.Link

	mu     sync.Mutex
	failed map[linkID]error
}

// end has the provider be told nothing more.
func (f *follows) end() {
	f.turn.Lock()
	defer f.turn.Unlock()
	f.ended = true
}

// linkID tells apart the links of one source.
type linkID struct {
	lattice.LinkKey
	target string
}

func idOf(l lattice.Link) linkID { return linkID{l.Key(), l.Target} }

// tellProviders tells the built-in providers of this host their links.
func (h *Host) tellProviders() {
	for _, p := range h.listProviders() {
		h.tellLinks(p)
	}
}

// tellLinks tells a provider its settings and links as they are now, if they are not
// what it was told, or some of them did not work. It does no I/O: of secrets, those
// count that were fetched last.
func (h *Host) tellLinks(p *runningProvider) {
	if p.caps == nil || p.caps.Caller == nil && p.caps.Relink == nil {
		return
	}
	f := &p.follows
	f.turn.Lock()
	defer f.turn.Unlock()
	own, _ := h.endSettings(p, linkEnd{}, *p.settings.names.Load()) // as they were before, if they are not to be had
	links := h.openLinks(p)
	if f.ended || len(f.failures()) == 0 && f.told && own.Equal(f.own) && slices.EqualFunc(links, f.links, wire.Link.Equal) {
		return
	}
	f.told, f.own, f.links = true, own, links
	failed := map[linkID]error{}
	if p.caps.Caller != nil {
		h.tellSource(p, own, links, failed)
	}
	if p.caps.Relink != nil {
		note(failed, links, p.caps.Relink(own, links))
	}
	f.note(failed, func(l linkID, err error) {
		h.log.Warn("a link does not work", zap.String("provider", p.id), zap.String("link", l.Name),
			zap.String("source", l.SourceID), zap.String("target", l.target), zap.Error(err))
	})
	h.tellFailures(p)
}

// tellSource tells a provider the links that start at it.
func (h *Host) tellSource(p *runningProvider, own wire.Settings, links []wire.Link, failed map[linkID]error) {
	var starting []wire.Link
	var told []provider.Link
	for _, l := range links {
		switch {
		case !l.IsSource:
		case l.Err != nil:
			failed[idOf(l.Link)] = l.Err
		default:
			starting, told = append(starting, l), append(told, h.callersLink(p, l))
		}
	}
	note(failed, starting, p.caps.Caller.SetLinks(own, told))
}

// note takes in why links do not work.
func note(failed map[linkID]error, links []wire.Link, errs []error) {
	for i, err := range errs[:min(len(errs), len(links))] {
		if err != nil {
			failed[idOf(links[i].Link)] = err
		}
	}
}

// openLinks are the links of a built-in provider, those that start at it first, with
// the settings of its end.
func (h *Host) openLinks(p *runningProvider) []wire.Link {
	var list []wire.Link
	for _, e := range h.linkEnds(p.id) {
		l := wire.Link{Link: wire.NewLinkDefinition(e.link).Link(), IsSource: e.at.source}
		l.Settings, l.Err = h.endSettings(p, e.at, e.configs)
		list = append(list, l)
	}
	return list
}

// tellFailures tells the lattice which links of a provider do not work.
func (h *Host) tellFailures(p *runningProvider) {
	var list []ctl.LinkFailure
	for l, err := range p.follows.failures() {
		source := l.SourceID
		if source == p.id {
			source = ""
		}
		list = append(list, ctl.LinkFailure{SourceID: source, Name: l.Name, Target: l.target, WITNamespace: l.WITNamespace, WITPackage: l.WITPackage, Reason: err.Error()})
	}
	slices.SortFunc(list, func(a, b ctl.LinkFailure) int {
		return cmp.Or(cmp.Compare(a.SourceID, b.SourceID), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Target, b.Target))
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
func (h *Host) callersLink(p *runningProvider, l wire.Link) provider.Link {
	out := provider.Link{Name: l.Name, Target: l.Target, Settings: l.Settings, Invoker: &capability.Target{
		Source: l.SourceID, Name: l.Name, Target: l.Target, Imports: p.caps.Caller.Imports(),
		Local: h.invokable, Caller: h.caller, MaxTime: h.cfg.MaxTime,
	}}
	for _, name := range l.Interfaces {
		out.Interfaces = append(out.Interfaces, l.Interface(name))
	}
	if slices.Contains(out.Interfaces, capability.HTTPHandler) {
		out.HTTP = &capability.HTTP{
			Source: l.SourceID, Name: l.Name, Target: l.Target, Caller: h.caller,
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
