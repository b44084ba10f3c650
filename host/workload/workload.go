package workload

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/serve"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
)

// Config says what to run. All fields are required but Pool, Meter, Trapped,
// Annotations, MaxTime, MaxWait, Limits, Others and Bucket.
type Config struct {
	ID    string
	Image string
	// Component is the validated component, Template the linked one, which the
	// workload closes when it ends.
	Component *component.Component
	Template  *component.Template
	// Pool is what Template was linked with.
	Pool component.PoolConfig
	// Meter is told of every call. Default: a new one.
	Meter *Meter
	// Trapped is told of every call that failed by the component's doing or the
	// host's, and not because its caller gave up. It must be quick, and is called
	// from many goroutines.
	Trapped func(Trap)
	// MaxInstances is how many calls may run at a time, at least 1.
	MaxInstances uint32
	// MaxWait bounds how long a call waits for an instance before its caller is
	// told "busy". It does not hold for callers of v1, who cannot be told. Default:
	// [DefaultMaxWait].
	MaxWait time.Duration
	// MaxTime bounds one call. Default: none but the caller's.
	MaxTime     time.Duration
	Annotations map[string]string
	// Limits are those of the command that started the component, which Template
	// and MaxTime obey already; nil: the host's.
	Limits *lattice.ComponentLimits

	// Others lets the workload step aside from its queue group while it has more
	// calls than it can run and others have room; Announce is called when it does
	// or comes back, and must not wait. Nil: it never does.
	Others   Others
	Announce func()

	// Bucket opens a bucket of the store that the component imports and a provider is
	// the target of, for changes that the provider tells; nil: it imports none.
	Bucket func(provider, name string) keyvalue.Bucket

	Lattice string
	Host    string
	Server  *wrpc.Server
	Log     *zap.Logger
}

// DefaultMaxWait is the default of [Config].MaxWait.
const DefaultMaxWait = 5 * time.Second

var errStopping = errors.New("the component is stopping")

// Workload is a running component. It is safe for concurrent use.
type Workload struct {
	cfg      Config
	admit    *limiter
	arrivals *wrpc.Limiter
	meter    *Meter
	report   report

	// base ends when calls that outlive the drain are to be cut off.
	base context.Context //nolint:containedctx // ended by Stop, not by a caller
	cut  context.CancelFunc

	web, webOverNATS *serve.Handler // nil: it does not answer HTTP

	twins map[twinKey]*twin // what it answers of wrpc:keyvalue by wasi:keyvalue
	world *wit.World        // with the twins
	pins  pins

	steering steering

	mu          sync.Mutex
	max         uint32
	annotations map[string]string
	serving     *wrpc.Serving
}

// New makes a workload, which components of this host can call. The lattice can once
// it is served. Stop it.
func New(cfg Config) (*Workload, error) {
	w := newWorkload(cfg)
	w.adaptKeyvalue()
	if err := w.serveHTTP(); err != nil {
		return nil, fmt.Errorf("component %q: %w", cfg.ID, err)
	}
	w.meter.watch(cfg.Template)
	return w, nil
}

// Serve serves the component's exports on the lattice, in the place of old, if that is
// not nil: every call that comes meets one of the two. Where it fails, old goes on.
func (w *Workload) Serve(ctx context.Context, old *Workload) (err error) {
	serve := w.cfg.Server.Serve
	if old != nil && old.serving != nil {
		serve = old.serving.Replace
	}
	if w.serving, err = serve(ctx, w.exports()...); err != nil {
		return fmt.Errorf("serve component %q: %w", w.cfg.ID, err)
	}
	w.beginSteering()
	return nil
}

func newWorkload(cfg Config) *Workload {
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = DefaultMaxWait
	}
	if cfg.Meter == nil {
		cfg.Meter = NewMeter()
	}
	w := &Workload{cfg: cfg, meter: cfg.Meter, admit: newLimiter(clamp(cfg.MaxInstances), cfg.MaxWait),
		max: cfg.MaxInstances, annotations: cfg.Annotations}
	w.steering.stop = make(chan struct{})
	w.admit.crowd = w.crowdedNow
	w.arrivals = wrpc.NewLimiter(wrpc.Limits{Concurrency: arrivals(cfg.MaxInstances), Queue: -1})
	w.base, w.cut = context.WithCancel(context.Background())
	return w
}

// arrivals is how many calls that came by NATS may run or wait here. Which of
// them run is up to [limiter], which calls from this host pass too.
func arrivals(maxInstances uint32) int { return clamp(maxInstances) + maxWaiting }

func clamp(n uint32) int { return int(min(n, math.MaxInt32)) }

// exports lists what is served: the functions of every exported interface that
// a wire can carry.
func (w *Workload) exports() []wrpc.Export {
	var list []wrpc.Export
	skipped := map[string]bool{}
	for _, e := range w.cfg.Template.Exports() {
		if w.webOverNATS != nil && wit.Track(e.Interface) == wit.Track(serve.Interface) {
			list = append(list, w.webExport())
			continue
		}
		if e.Type.HasHandles() {
			if !skipped[e.Interface] && !w.adapted(e.Interface) {
				w.cfg.Log.Info("served to components of this host only: resources cannot leave it", zap.String("interface", e.Interface))
			}
			skipped[e.Interface] = true
			continue
		}
		list = append(list, w.served(e.Interface, e.Type, callee{Export: e}))
	}
	for _, f := range w.twins {
		list = append(list, w.served(f.iface.Name, f.fn, callee{f.by, f}))
	}
	return list
}

// served is what the lattice finds of one function.
func (w *Workload) served(iface string, fn *wit.Func, c callee) wrpc.Export {
	return wrpc.Export{
		Prefix:   lattice.RPCPrefix(w.cfg.Lattice, w.cfg.ID),
		Direct:   lattice.DirectPrefix(w.cfg.Lattice, w.cfg.Host, w.cfg.ID),
		Instance: iface, Func: lattice.FunctionName(fn.Name),
		Params: fn.ParamTypes(), Limiter: w.arrivals, Admit: w.admission, Unary: w.handler(c),
	}
}

// admission lets a call from the lattice in, or turns it away before it is
// accepted: busy means that nothing was executed.
func (w *Workload) admission(ctx context.Context, req *wrpc.Request) (release func(), err error) {
	if err := w.enter(ctx, req.Path, !req.Lath); err != nil {
		return nil, err
	}
	return w.admit.release, nil
}

// enter waits for room for a call. Leave by the limiter's release.
func (w *Workload) enter(ctx context.Context, path []string, patient bool) error {
	err := w.admit.acquire(ctx, w.cfg.ID, path, patient)
	if err != nil {
		err = &wrpc.Error{Code: wrpc.Busy, Detail: err.Error(), Err: err}
		w.meter.ended(err)
	}
	return err
}

func (w *Workload) handler(e callee) wrpc.UnaryFunc {
	return func(ctx context.Context, req *wrpc.Request) (out []byte, err error) {
		call := w.newCallContext(traced(ctx), w.cfg.MaxTime)
		defer call.end()
		err = w.run(call, e.Export, func(i *component.Instance) (err error) {
			out, err = e.call(call, i, req.Params)
			return err
		}, (*component.Instance).ReleaseLate)
		req.AfterReply(w.cfg.Template.Clean)
		return out, err
	}
}

// Forward implements link.Component: a call from a component of this host.
func (w *Workload) Forward(ctx context.Context, call *component.ImportCall, iface string, most time.Duration) error {
	e, err := w.export(iface, call.Func().Name)
	if err != nil {
		return err
	}
	if e.twin != nil {
		return w.forward(ctx, call, e.twin, most)
	}
	c := w.newCallContext(ctx, w.bounded(most))
	if err := w.enter(c, w.path(ctx, call), false); err != nil {
		c.end()
		return err
	}
	defer w.admit.release()
	defer c.end()
	return w.run(c, e.Export, func(i *component.Instance) error { return call.Forward(c, i, e.Export) }, (*component.Instance).Release)
}

// Invoke is a call from this host, of a provider or an adapter, with its parameters
// and results encoded as on the wire. It takes most at most.
func (w *Workload) Invoke(ctx context.Context, iface, fn string, params []byte, most time.Duration) (out []byte, err error) {
	e, err := w.export(iface, fn)
	if err != nil {
		return nil, err
	}
	c := w.newCallContext(traced(ctx), w.bounded(most))
	meta, _ := wrpc.MetaFromContext(ctx)
	if err := w.enter(c, meta.Path, false); err != nil {
		c.end()
		return nil, err
	}
	defer w.admit.release()
	defer c.end()
	err = w.run(c, e.Export, func(i *component.Instance) (err error) {
		out, err = e.call(c, i, params)
		return err
	}, (*component.Instance).Release)
	return out, err
}

// export finds a function that the workload answers.
func (w *Workload) export(iface, fn string) (callee, error) {
	if e := w.cfg.Template.Export(iface, fn); e != nil {
		return callee{Export: e}, nil
	}
	if f := w.twins[twinKey{wit.Track(iface), fn}]; f != nil {
		return callee{f.by, f}, nil
	}
	err := &wrpc.Error{Code: wrpc.Refused, Detail: fmt.Sprintf("component %q does not export %s.%s", w.cfg.ID, iface, fn)}
	w.meter.ended(err)
	return callee{}, err
}

// bounded is how long a call may take.
func (w *Workload) bounded(most time.Duration) time.Duration {
	if w.cfg.MaxTime > 0 {
		return min(most, w.cfg.MaxTime)
	}
	return most
}

// run makes a call on an instance, counts what it took, and makes of its error
// what the caller may know.
func (w *Workload) run(ctx context.Context, e *component.Export, call, release func(*component.Instance) error) error {
	i, before, err := w.take(ctx, e)
	if err != nil {
		return err
	}
	err = w.called(ctx, e, i, before, call(i))
	return errors.Join(err, release(i))
}

// take takes an instance, and returns the ticks that it spent in calls before.
func (w *Workload) take(ctx context.Context, e *component.Export) (i *component.Instance, before uint64, err error) {
	if i, err = w.cfg.Template.Take(ctx); err != nil {
		if errors.Is(err, component.ErrNoMemory) {
			err = &wrpc.Error{Code: wrpc.Busy, Detail: fmt.Sprintf("component %q: %v", w.cfg.ID, component.ErrNoMemory), Err: err}
		} else {
			err = w.outcome(ctx, e, err)
		}
		w.meter.ended(err)
		return nil, 0, err
	}
	if w.cfg.Pool.Reuse == component.Sticky {
		before = i.Usage().Ticks
	}
	return i, before, nil
}

// called counts what a call took of its instance, and returns what of its error
// the caller may know.
func (w *Workload) called(ctx context.Context, e *component.Export, i *component.Instance, before uint64, err error) error {
	err = w.outcome(ctx, e, err)
	w.meter.used(i.Usage(), before)
	w.meter.ended(err)
	return err
}

// Scale changes how many calls may run at a time, at least 1.
func (w *Workload) Scale(maxInstances uint32, annotations map[string]string) {
	w.mu.Lock()
	w.max, w.annotations = maxInstances, annotations
	w.mu.Unlock()
	w.admit.resize(clamp(maxInstances))
	w.arrivals.SetConcurrency(arrivals(maxInstances))
}

// Describe returns the workload as the inventory shows it.
func (w *Workload) Describe() lattice.ComponentDescription {
	w.mu.Lock()
	defer w.mu.Unlock()
	return lattice.ComponentDescription{ID: w.cfg.ID, ImageRef: w.cfg.Image, MaxInstances: w.max, Annotations: w.annotations, Limits: w.cfg.Limits}
}

// Load returns how full the workload is.
func (w *Workload) Load() beat.Load {
	running, waiting := w.admit.load()
	return beat.Load{ID: w.cfg.ID, Running: uint32(running), Waiting: uint32(waiting), Limit: uint32(w.admit.limit.Load()), Aside: w.isAside()}
}

// Stats returns what the workload's meter has counted, and what runs now.
func (w *Workload) Stats() lattice.ComponentStats {
	w.mu.Lock()
	most := w.max
	w.mu.Unlock()
	s := lattice.ComponentStats{ID: w.cfg.ID, ImageRef: w.cfg.Image, Since: w.meter.since, MaxInstances: most,
		Calls: w.meter.calls.Load(), Errors: w.meter.failures(), CPUNanoseconds: w.meter.ticks.Load(), MemoryPeak: w.meter.memory.Load()}
	s.Running, s.Waiting = w.admit.load()
	p := w.meter.pool()
	s.Pool = lattice.PoolStats{Reuse: w.cfg.Pool.Reuse.String(), Unpoolable: w.cfg.Template.Unpoolable(), Min: w.cfg.Pool.Min, Idle: p.Idle,
		Hits: p.Hits, Misses: p.Misses, Resets: p.Resets, ResetNanoseconds: nanoseconds(p.ResetTime), WrittenPages: p.WrittenPages, Discarded: p.Discarded}
	return s
}

// Meter returns what counts the workload's calls.
func (w *Workload) Meter() *Meter { return w.meter }

// Pool returns how instances are kept between calls.
func (w *Workload) Pool() component.PoolConfig { return w.cfg.Pool }

// Limits returns the limits of the command that started the component, or nil.
func (w *Workload) Limits() *lattice.ComponentLimits { return w.cfg.Limits }

// HasLimits says whether the limits of a command are those that hold already; a
// command without limits asks for no change.
func (w *Workload) HasLimits(l *lattice.ComponentLimits) bool {
	return l == nil || w.cfg.Limits != nil && *l == *w.cfg.Limits || w.cfg.Limits == nil && *l == lattice.ComponentLimits{}
}

// Component returns the component that runs.
func (w *Workload) Component() *component.Component { return w.cfg.Component }

// Image returns the reference that the component was started from.
func (w *Workload) Image() string { return w.cfg.Image }

// Digest returns the digest of the component's bytes.
func (w *Workload) Digest() string { return w.cfg.Component.Digest() }

// World implements link.Component: the component's world, and what the workload
// answers for it.
func (w *Workload) World() *wit.World { return w.world }

// Quiesce takes no more calls from the lattice and lets those that run end, or
// cuts them off when ctx is done. Components of this host may still call.
func (w *Workload) Quiesce(ctx context.Context) error {
	w.endSteering()
	if w.serving == nil {
		return nil // it never was served
	}
	return w.serving.Drain(ctx)
}

// Stop takes no more calls, lets those that run end, and those drop their handles
// that have some of its resources, until ctx is done, and releases everything.
func (w *Workload) Stop(ctx context.Context) error {
	err := errors.Join(w.Quiesce(ctx), w.admit.drain(ctx))
	w.cut()
	w.pins.revoke()
	if err != nil {
		// The template must outlive the calls that were just cut off; their
		// guests trap at the next check, so this wait is short.
		err = errors.Join(err, w.admit.drain(context.Background()))
		err = fmt.Errorf("component %q: %w", w.cfg.ID, err)
	}
	w.closeHTTP()
	w.meter.unwatch(w.cfg.Template)
	return errors.Join(err, w.cfg.Template.Close(context.WithoutCancel(ctx)))
}
