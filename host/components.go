package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/capability"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/host/workload"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/claims"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/secret"
)

// running is a component's place on the host. Commands for one id take turns,
// in the order in which they were accepted.
type running struct {
	*deployed
	last chan struct{} // closed when the command that was accepted last has ended
	// asked are the images of the commands that have not ended, in their order; one
	// that stops the component has none.
	asked []string
}

// deployed is a component that runs, with what it holds beside its workload.
type deployed struct {
	*workload.Workload
	imports  []*link.Import
	store    *link.Import // of these, that of wasi:keyvalue/store; nil: there is none
	contract *ctl.ContractServer
	output   *output
	traps    *traps
	settings *settings
	claims   *claims.Token // nil: it is not signed
}

// describe returns the component as the inventory shows it.
func (d *deployed) describe() lattice.ComponentDescription {
	c := d.Describe()
	if d.claims != nil {
		c.Name, c.Revision = d.claims.Name, d.claims.Revision
	}
	return c
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

// inTurn carries out a command for an id, by which it is to run an image, after those
// that came before it, and tells ended what became of it.
func (h *Host) inTurn(id, image string, ended ctl.Outcome, f func(ctx context.Context) error) error {
	h.mu.Lock()
	r := h.components[id]
	if r == nil {
		r = &running{}
		h.components[id] = r
	}
	before, done := r.last, make(chan struct{})
	r.last, r.asked = done, append(r.asked, image)
	h.mu.Unlock()
	err := h.background(before, ended, func(ctx context.Context) error {
		defer h.endTurn(id, r, done)
		return f(ctx)
	})
	if err != nil {
		close(done)
	}
	return err
}

// settled reports whether no command that has not ended yet asks for another image
// than this one for an id, or for none.
func (h *Host) settled(id, image string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.components[id]
	return r == nil || !slices.ContainsFunc(r.asked, func(other string) bool { return other != image })
}

// endTurn lets the next command in, and forgets a place where nothing runs and
// nobody waits.
func (h *Host) endTurn(id string, r *running, done chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(done)
	r.asked = r.asked[1:]
	if r.last == done && r.deployed == nil {
		delete(h.components, id)
	}
}

// put makes d what runs under an id whose turn it is; nil: nothing.
func (h *Host) put(id string, d *deployed) {
	h.mu.Lock()
	h.components[id].deployed = d
	h.mu.Unlock()
	h.router.Changed()
}

// scale carries out a component.scale command and tells the lattice the outcome.
func (h *Host) scale(ctx context.Context, req *ctl.ScaleComponent) error {
	err := h.guarded(func() error { return h.scaleTo(ctx, req) })
	if err != nil {
		h.log.Error("scale failed", zap.String("component", req.ComponentID), zap.String("image", req.ComponentRef), zap.Error(err))
		h.publish(event.ComponentScaleFailed{HostID: h.cfg.Identity.ID, ImageRef: req.ComponentRef, ComponentID: req.ComponentID,
			MaxInstances: uint64(req.MaxInstances), Annotations: req.Annotations, Error: err.Error()})
		return err
	}
	h.wantComponent(ctx, req.ComponentID)
	done := event.ComponentScaled{HostID: h.cfg.Identity.ID, ImageRef: req.ComponentRef, ComponentID: req.ComponentID,
		MaxInstances: uint64(req.MaxInstances), Annotations: req.Annotations}
	if d := h.component(req.ComponentID); d != nil {
		done.ImageRef = d.Image()
		done.PublicKey, done.Claims = claimsOf(d.claims)
	}
	h.publish(done)
	return nil
}

// update carries out a component.update command: all but the image, and perhaps
// the annotations, stays as it is.
func (h *Host) update(ctx context.Context, req *ctl.UpdateComponent) error {
	scale := &ctl.ScaleComponent{ComponentRef: req.NewComponentRef, ComponentID: req.ComponentID, AllowUpdate: true, Annotations: req.Annotations}
	if now := h.component(req.ComponentID); now != nil { // else it was stopped meanwhile, and stays so
		is := now.describe()
		scale.MaxInstances, scale.Limits, scale.Config = is.MaxInstances, now.Limits(), *now.settings.names.Load()
		if scale.Annotations == nil {
			scale.Annotations = is.Annotations
		}
	}
	return h.scale(ctx, scale)
}

func (h *Host) scaleTo(ctx context.Context, req *ctl.ScaleComponent) error {
	now := h.component(req.ComponentID)
	if req.MaxInstances == 0 {
		if now == nil {
			return nil
		}
		h.put(req.ComponentID, nil)
		h.replaced(ctx, now)
		return nil
	}
	_, _, err := h.limits(req.ComponentID, req.Limits)
	pool, err2 := h.pool(req.ComponentID, req.Annotations, req.MaxInstances)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("start component %q: %w", req.ComponentID, err)
	}
	if now != nil && (now.Image() == req.ComponentRef || !req.AllowUpdate) && now.HasLimits(req.Limits) && now.Pool() == pool {
		if err := now.settings.use(ctx, req.Config); err != nil {
			return fmt.Errorf("scale component %q: %w", req.ComponentID, err)
		}
		now.Scale(req.MaxInstances, req.Annotations)
		return nil
	}
	next, err := h.deploy(ctx, req, pool, now)
	if err != nil {
		return fmt.Errorf("start component %q: %w", req.ComponentID, err)
	}
	h.put(req.ComponentID, next)
	h.reportLinks(req.ComponentID)
	if now != nil {
		h.replaced(ctx, now) // new calls run new code already
	}
	return nil
}

// replaced has the calls that run finish on what a command has stopped or
// replaced. The command has taken effect by then, so that calls which had to be cut
// off are no failure of it.
func (h *Host) replaced(ctx context.Context, old *deployed) {
	describe := old.describe()
	if err := h.retireIn(ctx, old); err != nil {
		h.log.Warn("not all calls ended before their component did", zap.String("component", describe.ID),
			zap.String("image", describe.ImageRef), zap.Error(err))
	}
}

// deploy starts a component. Where one runs already, what the command leaves
// out stays as it is: the image, unless an update is allowed, and the limits.
func (h *Host) deploy(ctx context.Context, req *ctl.ScaleComponent, pool component.PoolConfig, now *deployed) (*deployed, error) {
	cfg := workload.Config{ID: req.ComponentID, Image: req.ComponentRef, MaxInstances: req.MaxInstances, MaxWait: h.cfg.MaxWait,
		Annotations: req.Annotations, Limits: req.Limits, Pool: pool,
		Lattice: h.cfg.Lattice, Host: h.cfg.Identity.ID, Server: h.server, Log: h.log.With(zap.String("component", req.ComponentID)),
		Meter: workload.NewMeter(), Others: h.peers, Announce: h.pulse.Soon}
	if now != nil {
		cfg.Meter = now.Meter()
		if req.Limits == nil {
			cfg.Limits = now.Limits()
		}
	}
	d := &deployed{}
	var err error
	if now != nil && (now.Image() == req.ComponentRef || !req.AllowUpdate) {
		cfg.Image, cfg.Component, d.claims = now.Image(), now.Component(), now.claims
	} else if cfg.Component, d.claims, err = h.fetch(ctx, req.ComponentRef); err != nil {
		return nil, err
	}
	if d.settings, err = h.newSettings(ctx, d.entity(req), req.Config); err != nil {
		return nil, err
	}
	d.traps = newTraps(h.publish, cfg.Meter.Succeeded, h.cfg.Identity.ID, cfg.ID, cfg.Image)
	cfg.Trapped = d.traps.add
	if d.Workload, err = h.launch(ctx, cfg, d); err != nil {
		d.release()
		return nil, err
	}
	if err = h.store.EnsureSpec(ctx, cfg.ID, cfg.Image); err == nil {
		err = h.expose(ctx, d, now)
	}
	if err != nil {
		return nil, errors.Join(err, h.retireIn(ctx, d))
	}
	return d, nil
}

// expose has the lattice call a component, in the place of now, if something runs. It
// is the last that can fail: until then now goes on.
func (h *Host) expose(ctx context.Context, d, now *deployed) (err error) {
	id := d.Describe().ID
	if now == nil {
		if d.contract, err = h.serveContract(id, d.Digest(), d.World()); err != nil {
			return err
		}
		return d.Serve(ctx, nil)
	}
	c, err := contractOf(id, d.Digest(), d.World())
	if err != nil {
		return err
	}
	if err := d.Serve(ctx, now.Workload); err != nil {
		return err
	}
	d.contract, now.contract = now.contract, nil
	return d.contract.Set(c)
}

// entity is the component as it asks for secrets.
func (d *deployed) entity(req *ctl.ScaleComponent) secret.Entity {
	e := secret.Entity{ID: req.ComponentID, Application: req.Annotations[annotationApplication]}
	if d.claims != nil {
		e.Token = d.claims.Text
	}
	return e
}

// fetch reads and validates the component of an image, and what it says of
// itself.
func (h *Host) fetch(ctx context.Context, ref string) (*component.Component, *claims.Token, error) {
	image, err := h.cfg.Images.Pull(ctx, ref, nil)
	if err != nil {
		return nil, nil, err
	}
	if image.Stale != nil {
		h.log.Warn("started from the cache: the registry does not answer", zap.String("image", ref), zap.Error(image.Stale))
	}
	c, err := h.cfg.Runtime.Compile(image.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", ref, err)
	}
	token, err := claims.OfComponent(image.Bytes, time.Now())
	if err == nil && token != nil {
		err = h.store.PutClaims(ctx, storedClaims(token))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", ref, err)
	}
	return c, token, nil
}

// launch links a component.
func (h *Host) launch(ctx context.Context, cfg workload.Config, d *deployed) (*workload.Workload, error) {
	limits, maxTime, err := h.limits(cfg.ID, cfg.Limits)
	if err != nil {
		return nil, err
	}
	cfg.MaxTime = maxTime
	if cfg.Template, err = h.link(ctx, cfg.Component, component.LinkConfig{Name: cfg.ID, Limits: limits, Pool: cfg.Pool, Debug: h.cfg.Debug}, cfg.Log, d); err != nil {
		return nil, err
	}
	if why := cfg.Template.Unpoolable(); len(why) > 0 {
		cfg.Log.Info("every call gets a new instance: what one leaves behind cannot be taken back", zap.Strings("because", why))
	}
	if d.store != nil {
		cfg.Bucket = capability.Buckets(d.store)
	}
	w, err := workload.New(cfg)
	if err != nil {
		return nil, errors.Join(err, cfg.Template.Close(ctx))
	}
	return w, nil
}

// limits merges a command's limits into those of a component on this host, of
// which the command cannot lift what its grant bounds.
func (h *Host) limits(id string, l *lattice.ComponentLimits) (component.Limits, time.Duration, error) {
	limits, maxTime := h.cfg.Limits, h.cfg.MaxTime
	g := h.cfg.Grants.For(id)
	if g.Memory > 0 {
		limits.Memory = g.Memory
	}
	if g.CPU > 0 {
		limits.CPU = g.CPU
	}
	if g.Time > 0 {
		maxTime = min(maxTime, g.Time)
	}
	if l == nil {
		return limits, maxTime, nil
	}
	if l.MaxMemory != "" {
		n, err := strconv.ParseUint(l.MaxMemory, 10, 63)
		if err != nil || n == 0 {
			return limits, 0, fmt.Errorf("max_memory_limit %.40q: %w: want a number of bytes, such as \"16777216\"", l.MaxMemory, lattice.ErrInvalid)
		}
		if limits.Memory = n; g.Memory > 0 {
			limits.Memory = min(n, g.Memory)
		}
	}
	if l.MaxExecutionTime != "" {
		n, err := strconv.ParseUint(l.MaxExecutionTime, 10, 40)
		if err != nil || n == 0 {
			return limits, 0, fmt.Errorf("max_execution_time %.40q: %w: want a number of milliseconds, such as \"5000\"", l.MaxExecutionTime, lattice.ErrInvalid)
		}
		maxTime = min(maxTime, time.Duration(n)*time.Millisecond)
	}
	return limits, maxTime, nil
}

// release gives up what a component holds beside its workload.
func (d *deployed) release() {
	for _, i := range d.imports {
		i.Release()
	}
	if d.output != nil {
		d.output.close()
	}
	if d.traps != nil {
		d.traps.close()
	}
}

// retireIn is retire within the host's time to drain.
func (h *Host) retireIn(ctx context.Context, d *deployed) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Drain)
	defer cancel()
	return errors.Join(d.closeContract(), h.quiesce(ctx, d.Quiesce), d.retire(ctx))
}

// retire stops a component: no more calls, then the end of those that run.
func (d *deployed) retire(ctx context.Context) error {
	err := errors.Join(d.closeContract(), d.Stop(ctx))
	d.release()
	return err
}

func (d *deployed) closeContract() error {
	if d.contract == nil {
		return nil
	}
	return d.contract.Close()
}

// stopAll stops all components, together, and then all providers. First nothing
// more comes in by providers, then the components take no more calls from outside,
// and only then none from each other, so that a call that runs still finds what it
// needs.
func (h *Host) stopAll(ctx context.Context) error {
	list := h.listComponents()
	errs := []error{
		h.drainCallers(ctx),
		together(list, func(d *deployed) error { return errors.Join(d.closeContract(), h.quiesce(ctx, d.Quiesce)) }),
		together(list, func(d *deployed) error { return d.retire(ctx) }),
	}
	h.mu.Lock()
	clear(h.components)
	h.mu.Unlock()
	errs = append(errs, together(h.listProviders(), func(p *runningProvider) error { return h.stopProvider(ctx, p.id, nil) }))
	return errors.Join(errs...)
}

// quiesce drains a serving within ctx. Without NATS nothing more arrives and no
// answer can leave: its callers have lost what still runs, and there is nothing
// to wait for.
func (h *Host) quiesce(ctx context.Context, drain func(context.Context) error) error {
	if h.cfg.RPCConn.IsConnected() {
		return drain(ctx)
	}
	now, cancel := context.WithCancel(ctx)
	cancel()
	_ = drain(now) // that it was cut short is no news
	return nil
}

func together[T any](list []T, f func(T) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(list))
	for i, x := range list {
		wg.Go(func() { errs[i] = f(x) })
	}
	wg.Wait()
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
