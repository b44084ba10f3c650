package workload

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/lattice/wrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serving makes a workload that nobody serves.
func serving(t *testing.T, path string, cfg wasi.Config) (*Workload, *observer.ObservedLogs) {
	t.Helper()
	rt, err := component.New(context.Background(), component.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close(context.Background())) })
	wasm, err := os.ReadFile(path)
	require.NoError(t, err)
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	tm, err := c.Link(t.Context(), component.LinkConfig{Name: "guest", Host: wasi.Interfaces(cfg)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tm.Close(context.Background())) })
	core, logs := observer.New(zap.InfoLevel)
	return newWorkload(Config{ID: "guest", Component: c, Template: tm, MaxInstances: 1, Log: zap.New(core)}), logs
}

func (w *Workload) callFor(ctx context.Context, t *testing.T, iface, fn string) *wrpc.Error {
	t.Helper()
	e := w.cfg.Template.Export(iface, fn)
	require.NotNil(t, e)
	_, err := w.handler(callee{Export: e})(ctx, &wrpc.Request{})
	var call *wrpc.Error
	require.ErrorAs(t, err, &call)
	return call
}

func TestACallerIsToldTheReasonAndTheLogTheRest(t *testing.T) {
	t.Parallel()
	w, logs := serving(t, "../../examples/types/types.wasm", wasi.Config{})
	const parent, trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"
	ctx := wrpc.ContextWithMeta(t.Context(), wrpc.Meta{SourceID: "someone", TraceParent: parent})
	call := w.callFor(ctx, t, "example:types/failures", "trap")
	require.Equal(t, wrpc.Trap, call.Code)
	require.True(t, call.MayHaveRun)
	require.Equal(t, "guest: example:types/failures.trap: unreachable (trace "+trace+")", call.Detail)

	require.Equal(t, 1, logs.Len())
	fields := logs.All()[0].ContextMap()
	require.Equal(t, "example:types/failures", fields["interface"])
	require.Equal(t, "trap", fields["function"])
	require.Equal(t, "someone", fields["caller"])
	require.Equal(t, "unreachable", fields["code"])
	require.Equal(t, trace, fields["trace"])
	backtrace, _ := fields["backtrace"].([]any)
	require.NotEmpty(t, backtrace)
	for _, frame := range backtrace {
		name, _, _ := strings.Cut(frame.(string), " ") //nolint:forcetypeassert // zap.Strings
		require.NotContains(t, call.Detail, name+" (")
	}
}

func TestACallWithoutATraceBeginsOne(t *testing.T) {
	t.Parallel()
	w, logs := serving(t, "../../examples/types/types.wasm", wasi.Config{})
	for _, ctx := range []context.Context{t.Context(), wrpc.ContextWithMeta(t.Context(), wrpc.Meta{TraceParent: "nonsense", TraceState: "a=b"})} {
		call := w.callFor(ctx, t, "example:types/failures", "trap")
		trace, _ := logs.TakeAll()[0].ContextMap()["trace"].(string)
		require.Len(t, trace, 32)
		require.Contains(t, call.Detail, "(trace "+trace+")")
	}
	meta, _ := wrpc.MetaFromContext(traced(wrpc.ContextWithMeta(t.Context(), wrpc.Meta{SourceID: "a", TraceParent: "x", TraceState: "b"})))
	require.Equal(t, "a", meta.SourceID)
	require.Empty(t, meta.TraceState, "it belongs to the traceparent that was dropped")
}

func TestTheLogHasTheLastWordsOfTheGuest(t *testing.T) {
	t.Parallel()
	w, logs := serving(t, "../wasi/testdata/command.wasm", wasi.Config{Args: []string{"prog", "hello"}})
	e := w.cfg.Template.Export("wasi:cli/run@0.2.0", "run")
	ctx, end := wasi.WithRun(traced(t.Context()))
	defer end()
	_, err := w.cfg.Template.Call(ctx, e, nil, nil)
	require.NoError(t, err)
	err = w.outcome(ctx, e, trap.New(trap.Unreachable, "after its words"))
	require.Equal(t, []any{"hello err"}, logs.All()[0].ContextMap()["stderr"])
	require.NotContains(t, err.(*wrpc.Error).Detail, "hello") //nolint:errorlint,forcetypeassert // as it is
	require.Equal(t, []string{"hello err"}, trap.As(err).Stderr)
}

func TestFailuresOfTheHostAreNotTold(t *testing.T) {
	t.Parallel()
	w, logs := serving(t, "../../examples/types/types.wasm", wasi.Config{})
	e := w.cfg.Template.Export("example:types/failures", "trap")
	secret := &trap.Error{Code: trap.Host, Msg: "open /etc/secret", Component: "guest", Func: "f", GoStack: "main.go:1"}
	var call *wrpc.Error
	require.ErrorAs(t, w.outcome(traced(t.Context()), e, secret), &call)
	require.Contains(t, call.Detail, "guest: f: host failure (trace ")
	require.Equal(t, zap.ErrorLevel, logs.All()[0].Level)
	require.Equal(t, "main.go:1", logs.All()[0].ContextMap()["go stack"])
	require.Contains(t, logs.All()[0].ContextMap()["error"], "secret")
	require.Empty(t, secret.Trace, "a trap may be shared")
	require.NoError(t, w.outcome(t.Context(), e, nil))
}

// Who finds a component busy calls it elsewhere. One that has run, and whose own call
// met somebody busy, must not be taken for that: it would run twice.
func TestABusyCalleeIsNotABusyComponent(t *testing.T) {
	t.Parallel()
	w, _ := serving(t, "../../examples/types/types.wasm", wasi.Config{})
	e := w.cfg.Template.Export("example:types/failures", "trap")
	for _, code := range []wrpc.Code{wrpc.Busy, wrpc.Refused, wrpc.NotConnected} {
		cause := &wrpc.Error{Code: code, Detail: "the store of the component"}
		err := w.outcome(traced(t.Context()), e, trap.New(trap.Import, "store.get: %w", cause))
		require.ErrorIs(t, err, wrpc.ErrTrap)
		require.ErrorIs(t, err, wrpc.ErrMayHaveRun)
		require.NotErrorIs(t, err, cause)
		for _, not := range []error{wrpc.ErrBusy, wrpc.ErrRefused, wrpc.ErrNotConnected} {
			require.NotErrorIs(t, err, not)
		}
		require.ErrorContains(t, err, "the store of the component")
	}
}

func TestAFloodOfFailuresIsCounted(t *testing.T) {
	t.Parallel()
	var r report
	now := time.Unix(1000, 0)
	for i := range 100 {
		missed, ok := r.admit(now)
		require.Equal(t, i < reportsPerSecond, ok)
		require.Zero(t, missed)
	}
	missed, ok := r.admit(now.Add(time.Second))
	require.True(t, ok)
	require.Equal(t, 90, missed)
	missed, ok = r.admit(now.Add(time.Second))
	require.True(t, ok)
	require.Zero(t, missed)
}
