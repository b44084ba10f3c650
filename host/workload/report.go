package workload

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/lattice/wrpc"
)

// traced makes a call part of a trace if its caller did not.
func traced(ctx context.Context) context.Context {
	meta, _ := wrpc.MetaFromContext(ctx)
	if wrpc.TraceID(meta.TraceParent) != "" {
		return ctx
	}
	meta.TraceParent, meta.TraceState = wrpc.NewTraceParent(), ""
	return wrpc.ContextWithMeta(ctx, meta)
}

// Trap is a call that failed.
type Trap struct {
	// Function is the export that was called, as interface.function; SourceID who
	// called, who may be unknown.
	Function, SourceID string
	// Code says why, and Cause all that the caller is told of it.
	Code  trap.Code
	Cause string
	// TraceID is the id by which the log has it.
	TraceID string
}

// outcome logs a failed call, with all that its component's owner can use, and
// makes of it what its caller may know: what failed, why, and by which id the
// log has it. Never the guest's stack or output, nor words of a failure of the
// host's own.
func (w *Workload) outcome(ctx context.Context, e *component.Export, err error) error {
	t := trap.As(err)
	if t == nil {
		return err
	}
	meta, _ := wrpc.MetaFromContext(ctx)
	full := *t // it may be shared
	full.Stderr, full.Trace = wasi.LastLines(ctx), wrpc.TraceID(meta.TraceParent)
	// What failed in it is not what failed of it: that a callee of the component's was
	// busy must not look as if the component had been, which is then called again.
	full.Err = nil
	w.report.failed(w.cfg.Log, e, meta.SourceID, &full)

	code := wrpc.Trap
	switch t.Code {
	case trap.Deadline:
		code = wrpc.Timeout
	case trap.Cancelled:
		code = wrpc.Cancelled
	}
	told := detail(&full)
	if w.cfg.Trapped != nil && t.Code != trap.Cancelled {
		w.cfg.Trapped(Trap{Function: functionName(e), SourceID: meta.SourceID, Code: t.Code, Cause: told, TraceID: full.Trace})
	}
	return &wrpc.Error{Code: code, Detail: told, MayHaveRun: true, Err: &full}
}

// functionName is the name of an export with its interface's, if it has one.
func functionName(e *component.Export) string {
	if e.Interface == "" {
		return e.Type.Name
	}
	return e.Interface + "." + e.Type.Name
}

// detail is the text of a trap for callers.
func detail(t *trap.Error) string {
	told := *t
	if t.Code == trap.Host {
		told.Msg = ""
	}
	text := told.Error()
	// A trap that a callee's caused may name the trace that both are part of.
	if t.Trace != "" && !strings.Contains(text, t.Trace) {
		text += " (trace " + t.Trace + ")"
	}
	return text
}

// reportsPerSecond bounds how often a component's failures are logged: whoever
// may call it may make it trap, and a report is long.
const reportsPerSecond = 10

// report logs failed calls. It is safe for concurrent use.
type report struct {
	mu     sync.Mutex
	second time.Time // when the count began
	count  int
	missed int // reports left out since the last one
}

// admit reports whether one more may be logged, and how many could not before.
func (r *report) admit(now time.Time) (missed int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.second) >= time.Second {
		r.second, r.count = now, 0
	}
	if r.count == reportsPerSecond {
		r.missed++
		return 0, false
	}
	r.count++
	missed, r.missed = r.missed, 0
	return missed, true
}

func (r *report) failed(log *zap.Logger, e *component.Export, caller string, t *trap.Error) {
	missed, ok := r.admit(time.Now())
	if !ok {
		return
	}
	fields := []zap.Field{zap.String("interface", e.Interface), zap.String("function", e.Type.Name), zap.String("caller", caller),
		zap.String("trace", t.Trace), zap.String("code", string(t.Code)), zap.Error(t),
		zap.Strings("backtrace", t.Stack.Lines()), zap.Strings("stderr", t.Stderr)}
	if missed > 0 {
		fields = append(fields, zap.Int("failed calls not logged before", missed))
	}
	if t.Code == trap.Host {
		log.Error("call failed by a bug of the host's", append(fields, zap.String("go stack", t.GoStack))...)
		return
	}
	log.Warn("call failed", fields...)
}
