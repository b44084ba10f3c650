package workload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/serve"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpchttp"
)

// webTime bounds a request to a component whose calls have no bound.
const webTime = 24 * time.Hour

// serveHTTP makes the handlers of a component that answers HTTP, if this one
// does.
func (w *Workload) serveHTTP() error {
	if w.cfg.Template.Export(serve.Interface, serve.Func) == nil {
		return nil
	}
	opts := serve.Options{Time: w.cfg.MaxTime, Runner: &webRunner{w: w}, Failed: w.webFailed}
	if opts.Time <= 0 {
		opts.Time = webTime
	}
	var err error
	if w.web, err = serve.NewHandler(w.cfg.Template, opts); err != nil {
		return err
	}
	opts.Runner, opts.Whole = &webRunner{w: w, admitted: true}, true
	w.webOverNATS, err = serve.NewHandler(w.cfg.Template, opts)
	return err
}

// ServeHTTP answers a request by the component, which must export
// wasi:http/incoming-handler, within most, if it is not 0. The request's context
// says who calls, see [wrpc.MetaFromContext]. An error means that nothing was
// done: a [*wrpc.Error] that says busy or refused.
func (w *Workload) ServeHTTP(rw http.ResponseWriter, r *http.Request, most time.Duration) error {
	if w.web == nil {
		err := &wrpc.Error{Code: wrpc.Refused, Detail: fmt.Sprintf("component %q does not export %s", w.cfg.ID, serve.Interface)}
		w.meter.ended(err)
		return err
	}
	err := w.web.Serve(rw, r, most)
	if errors.Is(err, serve.ErrFull) { // it was closed since the caller found it
		err = &wrpc.Error{Code: wrpc.Busy, Detail: errStopping.Error(), Err: err}
		w.meter.ended(err)
	}
	return err
}

// closeHTTP ends what serves HTTP, after the last request.
func (w *Workload) closeHTTP() {
	for _, h := range []*serve.Handler{w.web, w.webOverNATS} {
		if h != nil {
			h.Close()
		}
	}
}

// webRunner makes calls of the workload for its HTTP handlers.
type webRunner struct {
	w        *Workload
	admitted bool // before the request came to the handler
}

var _ serve.Runner = (*webRunner)(nil)

// Admit implements serve.Runner.
func (r *webRunner) Admit(ctx context.Context) (leave func(), err error) {
	if r.admitted {
		return func() {}, nil
	}
	meta, _ := wrpc.MetaFromContext(ctx)
	if err := r.w.enter(ctx, meta.Path, false); err != nil {
		return nil, err
	}
	return r.w.admit.release, nil
}

// Run implements serve.Runner.
func (r *webRunner) Run(ctx context.Context, most time.Duration, e *component.Export, call serve.Call, done func(error)) error {
	c := r.w.newCallContext(traced(ctx), most)
	defer c.end()
	i, before, err := r.w.take(c, e)
	if err != nil {
		done(err)
		return nil
	}
	done(r.w.called(c, e, i, before, call(c, i)))
	defer r.w.cfg.Template.Clean()
	return i.ReleaseLate()
}

// webFailed logs what the log does not have yet: traps are logged with the call.
func (w *Workload) webFailed(r *http.Request, err error) {
	if known, ok := errors.AsType[*wrpc.Error](err); ok && known.Code != wrpc.Protocol {
		return
	}
	w.cfg.Log.Debug("request failed", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
}

// webExport is what HTTP servers on other hosts call: the twin of wasi:http that
// crosses the lattice.
func (w *Workload) webExport() wrpc.Export {
	return wrpchttp.Export(wrpc.Export{
		Prefix:  lattice.RPCPrefix(w.cfg.Lattice, w.cfg.ID),
		Direct:  lattice.DirectPrefix(w.cfg.Lattice, w.cfg.Host, w.cfg.ID),
		Limiter: w.arrivals, Admit: w.admission,
	}, w.webOverNATS)
}
