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
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// Config says what to run. All fields are required but Annotations,
// MaxTime and Limits.
type Config struct {
	ID    string
	Image string
	// Component is the validated component, Template the linked one, which the
	// workload closes when it ends.
	Component *component.Component
	Template  *component.Template
	// MaxInstances is how many calls may run at a time, at least 1.
	MaxInstances uint32
	// MaxTime bounds one call. Default: none but the caller's.
	MaxTime     time.Duration
	Annotations map[string]string
	// Limits are those of the command that started the component, which Template
	// and MaxTime obey already; nil: the host's.
	Limits *lattice.ComponentLimits

	Lattice string
	Host    string
	Server  *wrpc.Server
	Log     *zap.Logger
}

var errStopping = errors.New("the component is stopping")

// Workload is a running component. It is safe for concurrent use.
type Workload struct {
	cfg    Config
	admit  *limiter
	report report

	// base ends when calls that outlive the drain are to be cut off.
	base context.Context //nolint:containedctx // ended by Stop, not by a caller
	cut  context.CancelFunc

	mu          sync.Mutex
	max         uint32
	annotations map[string]string
	serving     *wrpc.Serving
}

// Start serves a component's exports on the lattice.
func Start(ctx context.Context, cfg Config) (*Workload, error) {
	w := &Workload{cfg: cfg, admit: newLimiter(clamp(cfg.MaxInstances)), max: cfg.MaxInstances, annotations: cfg.Annotations}
	w.base, w.cut = context.WithCancel(context.Background())
	var err error
	if w.serving, err = cfg.Server.Serve(ctx, w.exports()...); err != nil {
		return nil, fmt.Errorf("serve component %q: %w", cfg.ID, err)
	}
	return w, nil
}

func clamp(n uint32) int { return int(min(n, math.MaxInt32)) }

// exports lists what is served: the functions of every exported interface that
// a wire can carry.
func (w *Workload) exports() []wrpc.Export {
	limits := wrpc.NewLimiter(wrpc.Limits{Concurrency: maxArrivals})
	var list []wrpc.Export
	skipped := map[string]bool{}
	for _, e := range w.cfg.Template.Exports() {
		if e.Type.HasHandles() {
			if !skipped[e.Interface] {
				w.cfg.Log.Warn("not served: resources cannot cross a link", zap.String("interface", e.Interface), zap.String("function", e.Type.Name))
			}
			skipped[e.Interface] = true
			continue
		}
		list = append(list, wrpc.Export{
			Prefix:   lattice.RPCPrefix(w.cfg.Lattice, w.cfg.ID),
			Direct:   lattice.DirectPrefix(w.cfg.Lattice, w.cfg.Host, w.cfg.ID),
			Instance: e.Interface, Func: lattice.FunctionName(e.Type.Name),
			Params: e.Type.ParamTypes(), Limiter: limits, Admit: w.admission, Unary: w.handler(e),
		})
	}
	return list
}

// maxArrivals bounds the calls that have arrived by NATS and are admitted or
// wait here; the component's own limit is [limiter]'s, which calls from this
// host pass too.
const maxArrivals = 2 * maxWaiting

// admission lets a call from the lattice in, or turns it away before it is
// accepted: busy means that nothing was executed.
func (w *Workload) admission(ctx context.Context, req *wrpc.Request) (release func(), err error) {
	if err := w.admit.acquire(ctx, w.cfg.ID, req.Path); err != nil {
		return nil, &wrpc.Error{Code: wrpc.Busy, Detail: err.Error(), Err: err}
	}
	return w.admit.release, nil
}

func (w *Workload) handler(e *component.Export) wrpc.UnaryFunc {
	return func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		ctx, cancel := w.bound(traced(ctx))
		defer cancel()
		ctx, end := wasi.WithRun(ctx)
		defer end()
		out, err := w.cfg.Template.Call(ctx, e, req.Params, nil)
		return out, w.outcome(ctx, e, err)
	}
}

// Forward implements link.Component: a call from a component of this host.
func (w *Workload) Forward(ctx context.Context, call *component.ImportCall, iface string) error {
	e := w.cfg.Template.Export(iface, call.Func().Name)
	if e == nil {
		return &wrpc.Error{Code: wrpc.Refused, Detail: fmt.Sprintf("component %q does not export %s.%s", w.cfg.ID, iface, call.Func().Name)}
	}
	meta, _ := wrpc.MetaFromContext(ctx)
	if err := w.admit.acquire(ctx, w.cfg.ID, meta.Path); err != nil {
		return &wrpc.Error{Code: wrpc.Busy, Detail: err.Error(), Err: err}
	}
	defer w.admit.release()
	ctx, cancel := w.bound(ctx)
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer context.AfterFunc(w.base, func() { abort(errStopping) })()
	defer abort(nil)
	ctx, end := wasi.WithRun(ctx)
	defer end()
	i, err := w.cfg.Template.Take(ctx)
	if err != nil {
		return w.outcome(ctx, e, err)
	}
	err = call.Forward(ctx, i, e)
	return errors.Join(w.outcome(ctx, e, err), i.Release())
}

// bound adds the component's own time limit to a call's.
func (w *Workload) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.cfg.MaxTime <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, w.cfg.MaxTime)
}

// Scale changes how many calls may run at a time, at least 1.
func (w *Workload) Scale(maxInstances uint32, annotations map[string]string) {
	w.mu.Lock()
	w.max, w.annotations = maxInstances, annotations
	w.mu.Unlock()
	w.admit.resize(clamp(maxInstances))
}

// Describe returns the workload as the inventory shows it.
func (w *Workload) Describe() lattice.ComponentDescription {
	w.mu.Lock()
	defer w.mu.Unlock()
	return lattice.ComponentDescription{ID: w.cfg.ID, ImageRef: w.cfg.Image, MaxInstances: w.max, Annotations: w.annotations, Limits: w.cfg.Limits}
}

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

// World implements link.Component.
func (w *Workload) World() *wit.World { return w.cfg.Component.World() }

// Quiesce takes no more calls from the lattice and lets those that run end, or
// cuts them off when ctx is done. Components of this host may still call.
func (w *Workload) Quiesce(ctx context.Context) error { return w.serving.Drain(ctx) }

// Stop takes no more calls, lets those that run end until ctx is done, and
// releases everything.
func (w *Workload) Stop(ctx context.Context) error {
	err := errors.Join(w.Quiesce(ctx), w.admit.drain(ctx))
	w.cut()
	if err != nil {
		// The template must outlive the calls that were just cut off; their
		// guests trap at the next check, so this wait is short.
		err = errors.Join(err, w.admit.drain(context.Background()))
		err = fmt.Errorf("component %q: %w", w.cfg.ID, err)
	}
	return errors.Join(err, w.cfg.Template.Close(context.WithoutCancel(ctx)))
}
