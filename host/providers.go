package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/host/provider/external"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/claims"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
	"github.com/lathhost/lath/lattice/state"
	"github.com/lathhost/lath/lattice/wrpc"
)

// runningProvider is a provider that runs here: a built-in one, or a process.
type runningProvider struct {
	id, ref     string
	annotations map[string]string
	settings    *settings
	since       time.Time

	// Of a process.
	process *external.Provider // nil: built in
	output  *output
	claims  *claims.Token // nil: it is not signed
	sealed  map[linkEnd]sealedSecrets
	// Of a built-in one.
	caps     *provider.Capabilities
	serving  *wrpc.Serving
	contract *ctl.ContractServer
	inform   *informer
	follows  follows
	secrets  openSecrets
}

func (p *runningProvider) describe() lattice.ProviderDescription {
	d := lattice.ProviderDescription{ID: p.id, ImageRef: p.ref, Annotations: p.annotations}
	if p.claims != nil {
		d.Name, d.Revision = p.claims.Name, p.claims.Revision
	}
	return d
}

// status is how the provider is.
func (p *runningProvider) status() lattice.ProviderStatus {
	s := lattice.ProviderStatus{ID: p.id, ImageRef: p.ref, State: lattice.ProviderRunning, Since: p.since}
	if p.process != nil {
		s = p.process.Status()
	}
	s.Annotations = lattice.StringMap(p.annotations)
	return s
}

// provider returns the provider of that id that runs here, or nil.
func (h *Host) provider(id string) *runningProvider {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.providers[id]
}

func (h *Host) listProviders() []*runningProvider {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []*runningProvider
	for _, id := range slices.Sorted(maps.Keys(h.providers)) {
		list = append(list, h.providers[id])
	}
	return list
}

// startProvider carries out a provider.start command, and after settle tells the lattice
// the outcome: who hears it may go on with the id at once.
func (h *Host) startProvider(ctx context.Context, req *ctl.StartProvider, settle func()) error {
	if err := h.guarded(func() error { return h.start(ctx, req) }); err != nil {
		settle()
		h.log.Error("provider failed to start", zap.String("provider", req.ProviderID), zap.String("reference", req.ProviderRef), zap.Error(err))
		h.publish(event.ProviderStartFailed{ProviderRef: req.ProviderRef, ProviderID: req.ProviderID, HostID: h.cfg.Identity.ID, Error: err.Error()})
		return err
	}
	h.want(ctx, func(w *wanted) {
		w.providers[req.ProviderID] = state.WantedProvider{ID: req.ProviderID, Reference: req.ProviderRef, Config: req.Config, Annotations: req.Annotations}
	})
	started := event.ProviderStarted{HostID: h.cfg.Identity.ID, ImageRef: req.ProviderRef, ProviderID: req.ProviderID, Annotations: req.Annotations}
	if p := h.provider(req.ProviderID); p != nil {
		started.Claims = providerClaims(p.claims)
	}
	settle()
	h.publish(started)
	return nil
}

func (h *Host) start(ctx context.Context, req *ctl.StartProvider) error {
	p := &runningProvider{id: req.ProviderID, ref: req.ProviderRef, annotations: req.Annotations, since: h.cfg.Now()}
	var err error
	if p.settings, err = h.newSettings(ctx, secret.Entity{}, req.Config); err == nil {
		if _, builtin := provider.BuiltinName(p.ref); builtin {
			err = h.startBuiltin(ctx, p)
		} else {
			err = h.startProcess(ctx, p)
		}
	}
	if err == nil {
		if err = h.store.EnsureSpec(ctx, p.id, p.ref); err != nil {
			err = errors.Join(err, h.endProviderIn(ctx, p))
		}
	}
	if err != nil {
		return fmt.Errorf("start provider %q: %w", p.id, err)
	}
	h.mu.Lock()
	h.providers[p.id] = p
	h.mu.Unlock()
	p.changed() // since it was told, before it was known here
	h.router.Changed()
	h.tellLinks(p)
	h.reportLinks(p.id)
	return nil
}

// startBuiltin starts a provider in this process and serves it.
func (h *Host) startBuiltin(ctx context.Context, p *runningProvider) error {
	kind, err := h.builtin(p.ref)
	if err != nil {
		return err
	}
	names := *p.settings.names.Load()
	if slices.ContainsFunc(names, state.IsSecret) {
		h.fetchOpen(ctx, p, []secretEnd{{configs: names}})
	}
	own, err := h.endSettings(p, linkEnd{}, names)
	if err != nil {
		return err
	}
	if p.caps, err = kind.Start(ctx, h.providerConfig(p.id, own)); err != nil {
		return err
	}
	if err = h.serveProvider(ctx, p); err != nil {
		return errors.Join(err, h.endProviderIn(ctx, p))
	}
	p.inform = h.newInformer(p)
	return nil
}

// providerConfig is what a built-in provider is started with.
func (h *Host) providerConfig(id string, own wire.Settings) provider.Config {
	cfg := provider.Config{ID: id, Settings: own, Conn: h.cfg.Conn, JSDomain: h.cfg.JSDomain, Lattice: h.cfg.Lattice, Host: h.cfg.Identity.ID, Now: h.cfg.Now,
		ReadFile: h.readGranted(id), Log: h.log.With(zap.String("provider", id))}
	if h.cfg.ProviderDir != "" {
		cfg.Dir = filepath.Join(h.cfg.ProviderDir, id)
	}
	return cfg
}

// claimProvider reserves an id for a provider that is to start; false: it runs,
// or is being started or stopped.
func (h *Host) claimProvider(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, taken := h.starting[id]
	if taken || h.providers[id] != nil {
		return false
	}
	h.starting[id] = struct{}{}
	return true
}

// claimRunning reserves an id whose provider is to stop. Commands for one provider
// do not meet: what is told and stored last is how it is.
func (h *Host) claimRunning(id string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, taken := h.starting[id]; taken {
		return fmt.Errorf("provider with that ID is starting or stopping: %w: try again in a moment", lattice.ErrBusy)
	}
	h.starting[id] = struct{}{}
	return nil
}

// startClaimed begins to start a provider whose id is claimed.
func (h *Host) startClaimed(req *ctl.StartProvider, ended ctl.Outcome) error {
	unclaim := sync.OnceFunc(func() { h.unclaimProvider(req.ProviderID) })
	err := h.background(nil, ended, func(ctx context.Context) error {
		defer unclaim()
		return h.startProvider(ctx, req, unclaim)
	})
	if err != nil {
		unclaim()
	}
	return err
}

func (h *Host) unclaimProvider(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.starting, id)
}

// builtin finds the kind of provider that a reference names.
func (h *Host) builtin(ref string) (*provider.Builtin, error) {
	name, ok := provider.BuiltinName(ref)
	if !ok {
		return nil, fmt.Errorf("%s: %w: not a built-in one (%sNAME)", ref, lattice.ErrInvalid, provider.Scheme)
	}
	var names []string
	for i := range h.cfg.Builtins {
		if h.cfg.Builtins[i].Name == name {
			return &h.cfg.Builtins[i], nil
		}
		names = append(names, h.cfg.Builtins[i].Name)
	}
	return nil, fmt.Errorf("%s: %w: no built-in of that name; there is %s", ref, lattice.ErrNotFound, strings.Join(names, ", "))
}

// serveProvider serves a provider's contracts on the lattice, as any provider
// is served, and tells what they are.
func (h *Host) serveProvider(ctx context.Context, p *runningProvider) error {
	exports, err := p.caps.Exports()
	if err != nil {
		return err
	}
	for i := range exports {
		exports[i].Prefix = lattice.RPCPrefix(h.cfg.Lattice, p.id)
		exports[i].Direct = lattice.DirectPrefix(h.cfg.Lattice, h.cfg.Identity.ID, p.id)
	}
	if p.serving, err = h.server.Serve(ctx, exports...); err != nil {
		return fmt.Errorf("serve provider %q: %w", p.id, err)
	}
	p.contract, err = h.serveContract(p.id, p.ref, p.caps.World())
	return err
}

var errNotRunning = errors.New("provider with that ID is not running")

// stopProvider ends a provider, and tells so after settle, if that is not nil.
func (h *Host) stopProvider(ctx context.Context, id string, settle func()) error {
	h.mu.Lock()
	p := h.providers[id]
	delete(h.providers, id)
	h.mu.Unlock()
	if p == nil {
		return errNotRunning
	}
	h.router.Changed()
	err := h.endProvider(ctx, p)
	if settle != nil {
		settle()
	}
	h.publish(event.ProviderStopped{HostID: h.cfg.Identity.ID, ProviderID: id, Annotations: p.annotations, Reason: "stop"})
	return err
}

// endProviderIn is endProvider within the host's time to drain.
func (h *Host) endProviderIn(ctx context.Context, p *runningProvider) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.Drain)
	defer cancel()
	return h.endProvider(ctx, p)
}

// endProvider stops a provider: no more calls, then the end of those that run
// or, when ctx is done, their being cut off.
func (h *Host) endProvider(ctx context.Context, p *runningProvider) error {
	var errs []error
	if p.process != nil {
		errs = append(errs, p.process.Stop(ctx))
		p.output.close()
	}
	if p.contract != nil {
		errs = append(errs, p.contract.Close())
	}
	if p.caps != nil && p.caps.Caller != nil {
		errs = append(errs, p.caps.Caller.Drain(ctx))
	}
	if p.serving != nil {
		errs = append(errs, h.quiesce(ctx, p.serving.Drain))
	}
	if p.inform != nil {
		p.inform.close()
	}
	p.follows.end()
	if p.caps != nil && p.caps.Close != nil {
		errs = append(errs, p.caps.Close())
	}
	return errors.Join(errs...)
}
