package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/capability"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/workload"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/wit"
)

// running is a component's place on the host. Commands for one id take turns.
type running struct {
	turn sync.Mutex
	*deployed
}

// deployed is a component that runs, with what it holds beside its workload.
type deployed struct {
	*workload.Workload
	imports  []*link.Import
	contract *ctl.ContractServer
}

// component returns the component of that id that runs here, or nil.
func (h *Host) component(id string) *deployed {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.components[id]; r != nil {
		return r.deployed
	}
	return nil
}

func (h *Host) listComponents() []*deployed {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*deployed
	for _, id := range slices.Sorted(maps.Keys(h.components)) {
		if d := h.components[id].deployed; d != nil {
			list = append(list, d)
		}
	}
	return list
}

// place returns the place of an id, made if need be.
func (h *Host) place(id string) *running {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.components[id]
	if r == nil {
		r = &running{}
		h.components[id] = r
	}
	return r
}

// put makes d what runs at a place; nil: nothing.
func (h *Host) put(r *running, d *deployed) {
	h.mu.Lock()
	r.deployed = d
	h.mu.Unlock()
	h.router.Changed()
}

// scale carries out a component.scale command and tells the outcome.
func (h *Host) scale(ctx context.Context, req *ctl.ScaleComponent) {
	err := h.scaleTo(ctx, req)
	if err != nil {
		h.log.Error("scale failed", zap.String("component", req.ComponentID), zap.String("image", req.ComponentRef), zap.Error(err))
		h.publish(event.ComponentScaleFailed{HostID: h.cfg.Identity.ID, ImageRef: req.ComponentRef, ComponentID: req.ComponentID,
			MaxInstances: uint64(req.MaxInstances), Annotations: req.Annotations, Error: err.Error()})
		return
	}
	ref := req.ComponentRef
	if d := h.component(req.ComponentID); d != nil {
		ref = d.Image()
	}
	h.publish(event.ComponentScaled{HostID: h.cfg.Identity.ID, ImageRef: ref, ComponentID: req.ComponentID,
		MaxInstances: uint64(req.MaxInstances), Annotations: req.Annotations})
}

func (h *Host) scaleTo(ctx context.Context, req *ctl.ScaleComponent) error {
	r := h.place(req.ComponentID)
	r.turn.Lock()
	defer r.turn.Unlock()
	now := h.component(req.ComponentID)
	switch {
	case req.MaxInstances == 0 && now == nil:
		return nil
	case req.MaxInstances == 0:
		h.put(r, nil)
		return h.retire(ctx, now)
	case now != nil && (now.Image() == req.ComponentRef || !req.AllowUpdate):
		now.Scale(req.MaxInstances, req.Annotations)
		return nil
	}
	next, err := h.deploy(ctx, req)
	if err != nil {
		return err
	}
	h.put(r, next)
	if now == nil {
		return nil
	}
	// New calls run new code already; those that run finish on the old.
	return h.retire(ctx, now)
}

// deploy fetches, compiles, links and serves a component.
func (h *Host) deploy(ctx context.Context, req *ctl.ScaleComponent) (*deployed, error) {
	limits, maxTime, err := h.limits(req.Limits)
	if err != nil {
		return nil, err
	}
	image, err := h.cfg.Images.Pull(ctx, req.ComponentRef, nil)
	if err != nil {
		return nil, err
	}
	if image.Stale != nil {
		h.log.Warn("started from the cache: the registry does not answer", zap.String("image", req.ComponentRef), zap.Error(image.Stale))
	}
	c, err := h.cfg.Runtime.Compile(image.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req.ComponentRef, err)
	}
	log := h.log.With(zap.String("component", req.ComponentID))
	d := &deployed{}
	t, err := h.link(ctx, c, req.ComponentID, limits, log, d)
	if err == nil {
		d.Workload, err = workload.Start(ctx, workload.Config{ID: req.ComponentID, Image: req.ComponentRef, Component: c, Template: t,
			MaxInstances: req.MaxInstances, MaxTime: maxTime, Annotations: req.Annotations,
			Lattice: h.cfg.Lattice, Host: h.cfg.Identity.ID, Server: h.server, Log: log})
		if err != nil {
			err = errors.Join(err, t.Close(ctx))
		}
	}
	if err != nil {
		d.release()
		return nil, fmt.Errorf("start component %q: %w", req.ComponentID, err)
	}
	if d.contract, err = h.serveContract(req.ComponentID, c.Digest(), c.World()); err == nil {
		err = h.store.EnsureSpec(ctx, req.ComponentID, req.ComponentRef)
	}
	if err != nil {
		return nil, errors.Join(err, h.retire(ctx, d))
	}
	h.reportLinks(req.ComponentID, log)
	return d, nil
}

// limits merges a command's limits into the host's.
func (h *Host) limits(l *lattice.ComponentLimits) (component.Limits, time.Duration, error) {
	limits, maxTime := h.cfg.Limits, h.cfg.MaxTime
	if l == nil {
		return limits, maxTime, nil
	}
	if l.MaxMemory != "" {
		n, err := strconv.ParseUint(l.MaxMemory, 10, 63)
		if err != nil || n == 0 {
			return limits, 0, fmt.Errorf("max_memory_limit %q: %w: want bytes", l.MaxMemory, lattice.ErrInvalid)
		}
		limits.Memory = n
	}
	if l.MaxExecutionTime != "" {
		n, err := strconv.ParseUint(l.MaxExecutionTime, 10, 40)
		if err != nil || n == 0 {
			return limits, 0, fmt.Errorf("max_execution_time %q: %w: want milliseconds", l.MaxExecutionTime, lattice.ErrInvalid)
		}
		maxTime = min(maxTime, time.Duration(n)*time.Millisecond)
	}
	return limits, maxTime, nil
}

// link satisfies a component's imports: by the host's own interfaces, by
// adapters of capabilities, and for the rest by links.
func (h *Host) link(ctx context.Context, c *component.Component, id string, limits component.Limits, log *zap.Logger, d *deployed) (*component.Template, error) {
	hosts := wasi.Interfaces(wasi.Config{Line: func(stream, line string) { log.Info(line, zap.String("stream", stream)) }})
	known := map[string]bool{}
	for _, i := range hosts {
		known[wit.Track(i.Name)] = true
	}
	byName := map[string]*link.Import{}
	for _, x := range c.World().Imports {
		if x.Interface == nil || known[wit.Track(x.Name)] {
			continue
		}
		imp := h.router.Import(id, x.Interface)
		d.imports = append(d.imports, imp)
		if adapter := capability.Keyvalue(x.Name, imp); adapter != nil {
			hosts = append(hosts, *adapter)
			continue
		}
		if err := linkable(x, hosts); err != nil {
			return nil, err
		}
		byName[x.Name] = imp
	}
	return c.Link(ctx, component.LinkConfig{Name: id, Host: hosts, Limits: limits,
		Import: func(iface string, fn *wit.Func) (component.Callee, error) {
			imp := byName[iface]
			if imp == nil {
				return nil, fmt.Errorf("%w: it is no function of an interface, so no link can name it", component.ErrNoImport)
			}
			return imp.Callee(fn), nil
		}})
}

// linkable refuses an import that neither the host nor any link can satisfy.
func linkable(x wit.Extern, hosts []component.HostInterface) error {
	id, err := wit.ParseID(x.Name)
	if err == nil && id.Namespace != "wasi" && !x.Interface.HasResources() {
		return nil
	}
	reason := "no link can carry it, since its functions carry resources"
	if err != nil {
		reason = "its name is not of the form namespace:package/interface, so no link can name it"
	} else if !x.Interface.HasResources() {
		return nil
	}
	var near []string
	for _, i := range hosts {
		if other, err := wit.ParseID(i.Name); err == nil && (other.Interface == id.Interface || other.Package == id.Package) {
			near = append(near, i.Name)
		}
	}
	msg := "this host has nothing of that name"
	if len(near) > 0 {
		msg = "this host has " + strings.Join(near, ", ")
	}
	return fmt.Errorf("%w: %s: %s; %s", component.ErrNoImport, x.Name, reason, msg)
}

// release gives up what a component holds beside its workload.
func (d *deployed) release() {
	for _, i := range d.imports {
		i.Release()
	}
}

// retire stops a component: no more calls, then the end of those that run.
func (h *Host) retire(ctx context.Context, d *deployed) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Drain)
	defer cancel()
	var errs []error
	if d.contract != nil {
		errs = append(errs, d.contract.Close())
	}
	errs = append(errs, d.Stop(ctx))
	d.release()
	return errors.Join(errs...)
}

// stopAll stops all components, together, and then all providers.
func (h *Host) stopAll(ctx context.Context) error {
	var wg sync.WaitGroup
	list := h.listComponents()
	errs := make([]error, len(list))
	for i, d := range list {
		wg.Go(func() { errs[i] = h.retire(ctx, d) })
	}
	wg.Wait()
	h.mu.Lock()
	clear(h.components)
	h.mu.Unlock()
	for _, p := range h.listProviders() {
		errs = append(errs, h.stopProvider(ctx, p.id))
	}
	return errors.Join(errs...)
}

// local is the host as its router sees it.
type local Host

// Component implements link.Local.
func (l *local) Component(id string) link.Component {
	if d := (*Host)(l).component(id); d != nil {
		return d.Workload
	}
	return nil
}

// Provider implements link.Local.
func (l *local) Provider(id string) *provider.Capabilities {
	if p := (*Host)(l).provider(id); p != nil {
		return p.caps
	}
	return nil
}
