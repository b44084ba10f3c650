package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/state"
	"github.com/lathhost/lath/lattice/wrpc"
)

// Host is one node. Make it with [New] and run it once.
type Host struct {
	cfg     Config
	log     *zap.Logger
	started time.Time
	labels  labels
	ready   chan struct{}
	stop    chan time.Duration // told to stop, with the time to drain
	base    context.Context    //nolint:containedctx // of commands; ended when the host leaves
	abandon context.CancelFunc
	tasks   sync.WaitGroup // commands that go on after their answer

	events  *event.Publisher
	heard   *event.Subscription
	store   *state.Store
	client  *wrpc.Client
	server  *wrpc.Server
	control *ctl.Client
	secrets *secrets.Finder
	router  *link.Router
	lists   *ctl.ListServer
	unsure  *questions
	wanted  wanted
	changed *state.Watcher // of links
	peers   *beat.Listener
	caller  *wrpc.Caller
	pulse   *beat.Beater

	troubles chan trouble
	lost     chan error // holds why a connection is gone for good

	mu         sync.Mutex
	stopping   bool
	leaving    []ctl.Outcome // of the commands to stop
	components map[string]*running
	providers  map[string]*runningProvider
	starting   map[string]struct{} // ids of providers that are being started or stopped

	linksTurn sync.Mutex                // held while the router is given the links
	links     map[string][]lattice.Link // by source
}

// New checks the configuration. It does no I/O.
func New(cfg Config) (*Host, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Host{cfg: cfg, log: cfg.Log.With(zap.String("host", cfg.Identity.ID)), ready: make(chan struct{}),
		stop: make(chan time.Duration, 1), components: map[string]*running{}, providers: map[string]*runningProvider{},
		starting: map[string]struct{}{}, unsure: newQuestions(),
		troubles: make(chan trouble, maxTroubles), lost: make(chan error, 1), labels: labels{now: cfg.Labels}}, nil
}

// Ready is closed once the host answers on the lattice.
func (h *Host) Ready() <-chan struct{} { return h.ready }

// lastTime bounds what a host that leaves stores and tells at the very end.
const lastTime = 2 * time.Second

// Run joins the lattice and blocks until ctx ends or a host.stop command
// comes. It then takes no more calls, lets the running ones finish within the
// drain time, and leaves: whatever was started is stopped when it returns.
func (h *Host) Run(ctx context.Context) error {
	h.started = time.Now()
	h.base, h.abandon = context.WithCancel(context.WithoutCancel(ctx))
	defer h.abandon()
	defer h.hearConns()()
	err := h.open(ctx)
	if err == nil {
		err = h.loadWant(ctx)
	}
	if err == nil {
		err = h.startPulse()
	}
	if err != nil {
		return errors.Join(err, h.close())
	}
	server, err := ctl.NewServer(ctl.ServerConfig{Conn: h.cfg.Conn, Lattice: h.cfg.Lattice,
		HostID: h.cfg.Identity.ID, Handler: (*control)(h), Ops: h.store, Now: h.cfg.Now,
		OnTooLarge: func(subject string, err *lattice.TooLargeError) { h.tooLarge("answer to "+subject, err) }, Log: h.log})
	if err == nil {
		err = server.Start(ctx)
	}
	if err != nil {
		return errors.Join(err, h.close())
	}
	endWatch := h.watch(context.WithoutCancel(ctx))
	h.publish(event.HostStarted{FriendlyName: h.cfg.Identity.Name, Labels: h.labels.all(), Version: h.cfg.Version})
	// Who acts on Ready finds the event told. Without NATS just now, later is fine.
	if err := lattice.Flush(ctx, h.cfg.Conn); err != nil && !lattice.IsDisconnected(err) && ctx.Err() == nil {
		h.log.Warn("start not told yet", zap.Error(err))
	}
	h.restore()
	h.log.Info("host is ready", zap.String("name", h.cfg.Identity.Name), zap.String("lattice", h.cfg.Lattice))
	close(h.ready)

	drain, lost := h.serve(ctx)
	h.log.Info("host is stopping", zap.Duration("drain", drain))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err = h.drain(ctx, server)
	endWatch()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime) // also where draining took all of its time
	defer cancel()
	h.storeWantLast(last)
	h.pulse.Close()
	h.publish(event.HostStopped{Labels: h.labels.all()})
	h.left(err)
	for _, conn := range h.conns() {
		if conn.IsConnected() {
			err = errors.Join(err, lattice.Flush(last, conn))
		}
	}
	return errors.Join(lost, err, h.close())
}

// watch keeps up with the lattice until the function that it returns is called.
func (h *Host) watch(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { h.watchLinks(ctx) })
	watching.Go(func() { h.watchConfigs(ctx) })
	watching.Go(func() { h.watchTargets(ctx) })
	watching.Go(func() { h.watchEvents(ctx, h.heard) })
	watching.Go(func() { h.keepWanted(ctx) })
	watching.Go(func() { h.watchTroubles(ctx) })
	for _, conn := range h.conns() {
		watching.Go(func() { h.watchClosed(ctx, conn) })
	}
	return func() {
		cancel()
		watching.Wait()
	}
}

// open makes what the host needs of the lattice.
func (h *Host) open(ctx context.Context) error {
	var err error
	if h.events, err = event.NewPublisher(event.PublisherConfig{Conn: h.cfg.Conn, Lattice: h.cfg.Lattice, HostID: h.cfg.Identity.ID, Now: h.cfg.Now}); err != nil {
		return err
	}
	if h.heard, err = event.Subscribe(ctx, h.cfg.Conn, h.cfg.Lattice, event.ComponentScaledName, event.ProviderStartedName); err != nil {
		return err
	}
	if h.store, err = state.Open(ctx, h.cfg.Conn, h.cfg.Lattice, state.Options{Domain: h.cfg.JSDomain, Replicas: h.cfg.Replicas, Wait: h.cfg.StoreWait,
		OnFull: h.storageFull, Log: h.log}); err != nil {
		return err
	}
	if err = h.openSecrets(); err != nil {
		return err
	}
	if h.client, err = wrpc.NewClient(h.cfg.RPCConn, wrpc.ClientConfig{}); err != nil {
		return err
	}
	if h.server, err = wrpc.NewServer(h.cfg.RPCConn, wrpc.ServerConfig{MaxTime: h.cfg.MaxTime, Host: h.cfg.Identity.ID}); err != nil {
		return err
	}
	if h.control, err = ctl.NewClient(ctl.ClientConfig{Conn: h.cfg.Conn, Lattice: h.cfg.Lattice, Timeout: contractTimeout}); err != nil {
		return err
	}
	if err = h.listen(ctx); err != nil {
		return err
	}
	h.router = link.NewRouter(h.cfg.Lattice, (*local)(h), h.caller)
	h.router.SetTimeout(h.cfg.LinkTime)
	h.router.SetConfig(h.store.MergedConfig)
	h.changed = h.store.Watch() // before they are read, so that no change is missed
	h.readLinks()
	h.lists, err = ctl.ServeLists(h.cfg.Conn, h.cfg.Lattice, h.cfg.Identity.ID, h.told())
	return err
}

// close releases what open made.
func (h *Host) close() error {
	var errs []error
	if h.pulse != nil {
		h.pulse.Close()
	}
	if h.lists != nil {
		errs = append(errs, h.lists.Close())
	}
	if h.server != nil {
		errs = append(errs, h.server.Close())
	}
	if h.client != nil {
		errs = append(errs, h.client.Close())
	}
	if h.peers != nil {
		errs = append(errs, h.peers.Close())
	}
	if h.heard != nil {
		errs = append(errs, h.heard.Close())
	}
	if h.store != nil {
		h.store.Close()
	}
	return errors.Join(errs...)
}

// serve publishes heartbeats until the host is to stop, and returns how long
// it may drain, and what it has lost if that is why.
func (h *Host) serve(ctx context.Context) (drain time.Duration, lost error) {
	beat := time.NewTicker(h.cfg.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return h.cfg.Drain, nil
		case d := <-h.stop:
			return d, nil
		case err := <-h.lost:
			h.log.Error("the host cannot go on", zap.Error(err))
			return h.cfg.Drain, err
		case <-beat.C:
			h.publish(event.HostHeartbeat{Inventory: *h.inventory()})
			h.informProviders() // what a link needs may be there now
			h.unsure.add(h.router.Targets(true)...)
		}
	}
}

// drain stops what runs: first no more commands, then components, so that
// their last calls still find their providers, then providers.
func (h *Host) drain(ctx context.Context, server *ctl.Server) error {
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	h.pulse.Soon()
	// Requests and commands that take longer than half of the time are given up: what
	// runs needs time to end as well.
	working, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		working, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	cut := context.AfterFunc(working, h.abandon)
	_ = server.Shutdown(working) // that it gave some up is no news
	errs := []error{server.Shutdown(ctx)}
	h.tasks.Wait()
	cut()
	cancel()
	errs = append(errs, h.stopAll(ctx))
	return errors.Join(errs...)
}

// guarded turns a panic of a command into its error, so that its outcome is told.
func (h *Host) guarded(command func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			h.log.Error("a command failed badly; this is a bug", zap.Any("panic", r), zap.Stack("stack"))
			err = fmt.Errorf("internal error of host %s, see its log", h.cfg.Identity.ID)
		}
	}()
	return command()
}

func (h *Host) publish(data event.Data) {
	if err := h.events.Publish(data); err != nil {
		if large, is := errors.AsType[*lattice.TooLargeError](err); is {
			h.tooLarge(large.What, large)
			return
		}
		h.log.Warn("event not published", zap.String("event", data.EventName()), zap.Error(err))
	}
}

// watchLinks keeps the router's links equal to the lattice's.
func (h *Host) watchLinks(ctx context.Context) {
	defer h.changed.Close()
	for {
		sources, err := h.changed.Next(ctx)
		if err != nil {
			return // ctx or the store ended
		}
		h.log.Debug("links may have changed", zap.Strings("sources", sources))
		h.refreshLinks(sources...)
		h.informProviders()
	}
}

func (h *Host) inventory() *lattice.Inventory {
	up := time.Since(h.started)
	inv := &lattice.Inventory{HostID: h.cfg.Identity.ID, FriendlyName: h.cfg.Identity.Name, Labels: h.labels.all(),
		Version: h.cfg.Version, UptimeHuman: lattice.HumanDuration(up), UptimeSeconds: uint64(up / time.Second)}
	for _, c := range h.listComponents() {
		inv.Components = append(inv.Components, c.describe())
	}
	for _, p := range h.listProviders() {
		inv.Providers = append(inv.Providers, p.describe())
	}
	return inv
}

// errStopping refuses commands while the host leaves.
var errStopping = fmt.Errorf("%w: the host is stopping", lattice.ErrBusy)
