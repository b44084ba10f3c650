package wrpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/bind"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// The shapes that generated stubs want.
var (
	_ bind.Invoker   = (*wrpc.Binding)(nil)
	_ bind.Registrar = (*wrpc.Registrar)(nil)
)

const (
	echoInstance = "demo:echo/echo@0.1.0"
	echoSubject  = "default.echo.wrpc.0.0.1." + echoInstance + ".echo"
)

var echoTarget = wrpc.Target{Prefix: "default.echo", Instance: echoInstance, Func: "echo"}

// echoExport serves echo: list<u8> -> list<u8> with a handler of the test.
func echoExport(t testing.TB, h wrpc.UnaryFunc) wrpc.Export {
	return wrpc.Export{
		Prefix: "default.echo", Instance: echoInstance, Func: "echo",
		Params: []*wit.Type{list(t, wit.U8)}, Unary: h,
	}
}

func echo(_ context.Context, req *wrpc.Request) ([]byte, error) { return req.Params, nil }

// asError returns the call's error and checks that it names the subject.
func asError(t testing.TB, err error) *wrpc.Error {
	t.Helper()
	var e *wrpc.Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestStatusesReachLathCaller(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	var answer error
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(context.Context, *wrpc.Request) ([]byte, error) {
		return nil, answer
	}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	for _, tt := range []struct {
		name   string
		answer error
		want   error
		detail string
	}{
		{"plain error", errors.New("unreachable executed\nbacktrace: f, g"), wrpc.ErrTrap, "unreachable executed"},
		{"trap", &wrpc.Error{Code: wrpc.Trap, Detail: "out of memory"}, wrpc.ErrTrap, "out of memory"},
		{"wrapped", fmt.Errorf("x: %w", &wrpc.Error{Code: wrpc.Refused, Detail: "no"}), wrpc.ErrRefused, "no"},
		{"busy", &wrpc.Error{Code: wrpc.Busy}, lattice.ErrBusy, ""},
		{"deadline", context.DeadlineExceeded, context.DeadlineExceeded, ""},
		{"cancelled", context.Canceled, context.Canceled, ""},
		{"its own callee is gone", &wrpc.Error{Code: wrpc.NotConnected, Subject: "a.b"}, wrpc.ErrTrap, "call a.b: no responders"},
		{"long", errors.New(strings.Repeat("é", 2000)), wrpc.ErrTrap, strings.Repeat("é", wrpc.MaxDetail/2)},
		{"no text", errors.New("\x00") /* no text is left of it */, wrpc.ErrTrap, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer = tt.answer
			_, info, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
			require.ErrorIs(t, err, tt.want)
			require.ErrorIs(t, err, wrpc.ErrMayHaveRun)
			e := asError(t, err)
			require.Equal(t, tt.detail, e.Detail)
			require.True(t, e.Remote)
			require.Contains(t, err.Error(), echoSubject)
			require.True(t, info.Lath)
		})
	}
}

func TestPanicEndsOneCall(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	reported := make(chan error, 1)
	newServer(t, srv, wrpc.ServerConfig{OnError: func(subject string, m wrpc.Meta, err error) { reported <- err }},
		echoExport(t, func(_ context.Context, req *wrpc.Request) ([]byte, error) {
			return req.Params[:1:1][len(req.Params)-1:], nil // out of range for more than one byte
		}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{2, 1, 1})
	require.ErrorIs(t, err, wrpc.ErrTrap)
	require.Equal(t, "handler panicked", asError(t, err).Detail)
	require.Contains(t, (<-reported).Error(), "slice bounds out of range")
	_, _, err = c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.NoError(t, err)
}

// A Lath callee that has all parameters is sent no end of them, which a v1 callee
// always is; one that misses some asks, and learns at once that there are none.
func TestEndOfParamsIsForWhoMissesThem(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	for name, more := range map[string]bool{"all": false, "some": true} {
		t.Run(name, func(t *testing.T) {
			inv, done := callRaw(t, c, callee, testContext(t), echoTarget)
			if more {
				callee.accept(inv, "lath", "1", "lath-more", "1")
				callee.expect(callee.in+".params", "")
			} else {
				callee.accept(inv, "lath", "1")
			}
			callee.send(inv.Reply+".results", "", nil, "lath-status", "ok")
			require.NoError(t, <-done)
			callee.quiet()
		})
	}
	t.Run("of a server", func(t *testing.T) {
		srv := startNATS(t, 0)
		newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, echo))
		r := newRaw(t, srv)
		for more, params := range map[string]string{"": "0107", "1": "0507"} {
			r.send(echoSubject, r.in, unhex(t, params), "lath", "1")
			m := r.next()
			require.Equal(t, "1", m.Header.Get("lath"))
			require.Equal(t, more, m.Header.Get("lath-more"))
			if more != "" {
				r.pub(m.Reply+".params", "")
				r.expectEnd(r.in+".results", "refused")
				continue
			}
			r.expect(r.in+".results", params)
			r.expectEnd(r.in+".results", "ok")
		}
		_, _, err := newClient(t, srv, wrpc.ClientConfig{}).Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{5, 7})
		require.ErrorIs(t, err, wrpc.ErrRefused)
		require.Equal(t, "parameters ended before they were whole", asError(t, err).Detail)
	})
}

// A handler's context is made by halves, and must be like any other: what is
// asked of it in which order does not matter, nor whether the call is over.
func TestHandlersContext(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	contexts := make(chan context.Context, 1)
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		if ctx.Err() != nil || child.Err() != nil {
			return nil, errors.New("it is over")
		}
		contexts <- ctx
		return req.Params, nil
	}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{SourceID: "a"}, []byte{0})
	require.NoError(t, err)
	ctx := <-contexts
	<-ctx.Done() // soon: when the call has ended
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	require.ErrorIs(t, context.Cause(ctx), context.Canceled)
	m, ok := wrpc.MetaFromContext(ctx)
	require.True(t, ok)
	require.Equal(t, "a", m.SourceID)
	ended := make(chan struct{})
	context.AfterFunc(ctx, func() { close(ended) })
	<-ended
}

// A function without results: v1 cannot tell it from a trap, Lath can.
func TestFunctionWithoutResults(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(context.Context, *wrpc.Request) ([]byte, error) { return nil, nil }))
	c := newClient(t, srv, wrpc.ClientConfig{})
	b, info, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.NoError(t, err)
	require.Empty(t, b)
	require.True(t, info.Lath)
}

func TestHandlerSeesMeta(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	var got wrpc.Meta
	var left time.Duration
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		got, _ = wrpc.MetaFromContext(ctx)
		d, _ := ctx.Deadline()
		left = time.Until(d)
		return req.Params, nil
	}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	m := wrpc.Meta{
		SourceID: "greeter", LinkName: "backup", TargetID: "echo", Path: []string{"front", "greeter"},
		TraceParent: "00-1-2-01", TraceState: "a=b",
	}
	_, _, err := c.Call(testContext(t), echoTarget, m, []byte{0})
	require.NoError(t, err)
	require.Equal(t, m, got)
	require.Greater(t, left, time.Duration(0))
	require.LessOrEqual(t, left, patience)
}

func TestMetaIsChecked(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	c := newClient(t, srv, wrpc.ClientConfig{})
	for name, m := range map[string]wrpc.Meta{
		"newline":   {SourceID: "a\r\nlath: 1"},
		"too long":  {LinkName: strings.Repeat("x", wrpc.MaxID+1)},
		"path":      {Path: make([]string, wrpc.MaxPath+1)},
		"path id":   {Path: []string{"a,b"}},
		"empty id":  {Path: []string{""}},
		"trace":     {TraceParent: strings.Repeat("0", 200)},
		"blank end": {TargetID: "x "},
	} {
		_, _, err := c.Call(testContext(t), echoTarget, m, nil)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, wrpc.ErrMayHaveRun, name)
	}
	for _, target := range []wrpc.Target{{}, {Prefix: "a b", Func: "f"}, {Prefix: "a", Func: "*"}, {Subject: "a..b"}, {Subject: ">"}} {
		_, _, err := c.Call(testContext(t), target, wrpc.Meta{}, nil)
		require.Error(t, err)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	causes := make(chan error, 2)
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(ctx context.Context, _ *wrpc.Request) ([]byte, error) {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil, ctx.Err()
	}))
	t.Run("of the context", func(t *testing.T) {
		c := newClient(t, srv, wrpc.ClientConfig{})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second/2)
		defer cancel()
		_, _, err := c.Call(ctx, echoTarget, wrpc.Meta{}, []byte{0})
		require.ErrorIs(t, err, lattice.ErrTimeout)
		require.ErrorIs(t, err, wrpc.ErrMayHaveRun)
		require.Error(t, <-causes)
		<-ctx.Done() // the callee's clock may have been the first
		_, _, err = c.Call(ctx, echoTarget, wrpc.Meta{}, []byte{0})
		require.ErrorIs(t, err, wrpc.ErrTimeout)
		require.NotErrorIs(t, err, wrpc.ErrMayHaveRun, "no time was left to send it")
	})
	t.Run("of the client", func(t *testing.T) {
		c := newClient(t, srv, wrpc.ClientConfig{Timeout: 50 * time.Millisecond})
		_, _, err := c.Call(context.Background(), echoTarget, wrpc.Meta{}, []byte{0})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Error(t, <-causes)
	})
}

// The callee's own limit holds too, and its answer says so.
func TestCalleesOwnDeadline(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	newServer(t, srv, wrpc.ServerConfig{MaxTime: 20 * time.Millisecond}, echoExport(t, func(ctx context.Context, _ *wrpc.Request) ([]byte, error) {
		<-ctx.Done()
		return nil, errors.New("interrupted")
	}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.ErrorIs(t, err, wrpc.ErrTimeout)
	require.True(t, asError(t, err).Remote)
}

func TestCancelReachesHandler(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	started, cause := make(chan struct{}), make(chan error, 1)
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(ctx context.Context, _ *wrpc.Request) ([]byte, error) {
		close(started)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		return nil, ctx.Err()
	}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	ctx, cancel := context.WithCancel(testContext(t))
	go func() { <-started; cancel() }()
	_, _, err := c.Call(ctx, echoTarget, wrpc.Meta{}, []byte{0})
	require.ErrorIs(t, err, wrpc.ErrCancelled)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, <-cause, wrpc.ErrCancelled)
}

func TestAdmitTurnsAway(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	e := echoExport(t, echo)
	var admitted, released atomic.Int32
	e.Admit = func(_ context.Context, req *wrpc.Request) (func(), error) {
		if slices.Contains(req.Path, "echo") {
			return nil, &wrpc.Error{Code: wrpc.Busy, Detail: "call cycle"}
		}
		admitted.Add(1)
		return func() { released.Add(1) }, nil
	}
	newServer(t, srv, wrpc.ServerConfig{}, e)
	c := newClient(t, srv, wrpc.ClientConfig{})
	_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{Path: []string{"a", "echo"}}, []byte{0})
	require.ErrorIs(t, err, lattice.ErrBusy)
	require.NotErrorIs(t, err, wrpc.ErrMayHaveRun)
	require.Equal(t, "call cycle", asError(t, err).Detail)
	_, _, err = c.Call(testContext(t), echoTarget, wrpc.Meta{Path: []string{"a"}}, []byte{0})
	require.NoError(t, err)
}

func TestBusy(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	release, running := make(chan struct{}), make(chan struct{}, 16)
	e := echoExport(t, func(_ context.Context, req *wrpc.Request) ([]byte, error) {
		running <- struct{}{}
		<-release
		return req.Params, nil
	})
	e.Limiter = wrpc.NewLimiter(wrpc.Limits{Concurrency: 1, Queue: -1, QueueV1: 1})
	newServer(t, srv, wrpc.ServerConfig{}, e)
	c := newClient(t, srv, wrpc.ClientConfig{})
	first := make(chan error, 1)
	go func() {
		_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		first <- err
	}()
	<-running
	_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.ErrorIs(t, err, wrpc.ErrBusy)
	require.NotErrorIs(t, err, wrpc.ErrMayHaveRun)

	// A v1 caller cannot be told, so it waits.
	waiting := newRaw(t, srv)
	waiting.send(echoSubject, waiting.in, []byte{0})
	require.Eventually(t, func() bool { _, n, _ := e.Limiter.Load(); return n == 1 }, patience, time.Millisecond)
	waiting.quiet()
	// One more is too many even for that: its results end before they began.
	excess := newRaw(t, srv)
	excess.send(echoSubject, excess.in, []byte{0})
	excess.expect(excess.in+".results", "")

	close(release)
	require.NoError(t, <-first)
	waiting.handshake()
	waiting.expect(waiting.in+".results", "00")
	waiting.expect(waiting.in+".results", "")
	excess.quiet()
}

func TestLimiterWaitIsBounded(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	e := echoExport(t, func(ctx context.Context, _ *wrpc.Request) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	e.Limiter = wrpc.NewLimiter(wrpc.Limits{Concurrency: 1, Queue: 1, Wait: 10 * time.Millisecond})
	newServer(t, srv, wrpc.ServerConfig{}, e)
	hog := newRaw(t, srv)
	hog.send(echoSubject, hog.in, []byte{0})
	hog.handshake()
	c := newClient(t, srv, wrpc.ClientConfig{})
	_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.ErrorIs(t, err, wrpc.ErrBusy)
	e.Limiter.SetConcurrency(2)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, _, err = c.Call(ctx, echoTarget, wrpc.Meta{}, []byte{0})
	require.ErrorIs(t, err, wrpc.ErrTimeout, "scaled up, it runs")
}

func TestDirectSubjectAndQueueGroup(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	var mu sync.Mutex
	served := map[string]int{}
	for _, host := range []string{"A", "B", "B"} { // B replaces one component by another
		e := echoExport(t, func(_ context.Context, req *wrpc.Request) ([]byte, error) {
			mu.Lock()
			defer mu.Unlock()
			served[host]++
			return []byte(host), nil
		})
		e.Direct = lattice.DirectPrefix("default", host, "echo")
		newServer(t, srv, wrpc.ServerConfig{}, e)
	}
	c := newClient(t, srv, wrpc.ClientConfig{})
	aimed := []string{"A", "B", "A", "B", "B"}
	for _, host := range aimed {
		b, _, err := c.Call(testContext(t), wrpc.Target{
			Prefix: lattice.DirectPrefix("default", host, "echo"), Instance: echoInstance, Func: "echo",
		}, wrpc.Meta{}, []byte{0})
		require.NoError(t, err)
		require.Equal(t, host, string(b))
	}
	const calls = 40
	for range calls {
		_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		require.NoError(t, err)
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, calls+len(aimed), served["A"]+served["B"], "each call is served once")
}

func TestManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 1024)
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, echo))
	c := newClient(t, srv, wrpc.ClientConfig{})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			size := i * 97
			params := encodeBytes(size, byte(i))
			for range 5 {
				b, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{SourceID: "x"}, params)
				if err != nil || string(b) != string(params) {
					t.Errorf("call %d: %d bytes, %v", i, len(b), err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, c.Stats())
}

// encodeBytes encodes a list<u8> of n times c.
func encodeBytes(n int, c byte) []byte {
	b := []byte{}
	for v := n; ; v >>= 7 {
		if v < 0x80 {
			b = append(b, byte(v))
			break
		}
		b = append(b, byte(v)|0x80)
	}
	for range n {
		b = append(b, c)
	}
	return b
}

func TestBindingAndRegistrar(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	reg := wrpc.NewRegistrar(wrpc.Export{Prefix: "default.echo"})
	require.NoError(t, reg.Handle(echoInstance, "[method]bucket.get", []*wit.Type{wit.String},
		func(ctx context.Context, params []byte) ([]byte, error) {
			m, _ := wrpc.MetaFromContext(ctx)
			return append(params, m.SourceID...), nil
		}))
	require.ErrorIs(t, reg.Handle(echoInstance, "bucket.get", nil, nil), lattice.ErrConflict)
	require.ErrorIs(t, reg.Handle(echoInstance, "other", nil, nil), lattice.ErrInvalid)
	require.Len(t, reg.Exports(), 1)
	s, err := wrpc.NewServer(connect(t, srv), wrpc.ServerConfig{})
	require.NoError(t, err)
	defer s.Close()
	_, err = reg.Serve(testContext(t), s)
	require.NoError(t, err)

	inv := newClient(t, srv, wrpc.ClientConfig{}).Bind("default.echo", func(context.Context) wrpc.Meta { return wrpc.Meta{SourceID: "me"} })
	b, err := inv.Invoke(testContext(t), echoInstance, "[method]bucket.get", []byte("\x01x"))
	require.NoError(t, err)
	require.Equal(t, "\x01xme", string(b))
}

func TestDrain(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	release, started := make(chan struct{}), make(chan struct{}, 1024)
	handler := func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		started <- struct{}{}
		select {
		case <-release:
			return req.Params, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	call := func(c *wrpc.Client) chan error {
		done := make(chan error, 1)
		go func() {
			_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
			done <- err
		}()
		return done
	}
	t.Run("running calls finish", func(t *testing.T) {
		_, v := newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, handler))
		c := newClient(t, srv, wrpc.ClientConfig{})
		running := call(c)
		<-started
		drained := make(chan error, 1)
		go func() { drained <- v.Drain(testContext(t)) }()
		require.Eventually(t, func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			_, _, err := c.Call(ctx, echoTarget, wrpc.Meta{}, []byte{0})
			return errors.Is(err, wrpc.ErrNotConnected)
		}, patience, 10*time.Millisecond)
		require.Empty(t, drained, "a call still runs")
		close(release)
		require.NoError(t, <-running)
		require.NoError(t, <-drained)
		require.NoError(t, v.Drain(testContext(t)), "again")
	})
	release = make(chan struct{})
	for len(started) > 0 {
		<-started
	}
	t.Run("the deadline interrupts them", func(t *testing.T) {
		_, v := newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, handler))
		running := call(newClient(t, srv, wrpc.ClientConfig{}))
		<-started
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, v.Drain(ctx), context.DeadlineExceeded)
		err := <-running
		require.ErrorIs(t, err, wrpc.ErrLost)
		require.Equal(t, "host is leaving", asError(t, err).Detail)
	})
}

func TestServerCloseInterrupts(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	started := make(chan struct{})
	s, err := wrpc.NewServer(connect(t, srv), wrpc.ServerConfig{})
	require.NoError(t, err)
	_, err = s.Serve(testContext(t), echoExport(t, func(ctx context.Context, _ *wrpc.Request) ([]byte, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	require.NoError(t, err)
	c := newClient(t, srv, wrpc.ClientConfig{})
	done := make(chan error, 1)
	go func() {
		_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		done <- err
	}()
	<-started
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-done, wrpc.ErrLost)
	require.NoError(t, s.Close(), "again")
	_, err = s.Serve(testContext(t), echoExport(t, echo))
	require.ErrorIs(t, err, wrpc.ErrClosed)
}

func TestServeRefusesBadExports(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	s, _ := newServer(t, srv, wrpc.ServerConfig{})
	_, err := s.Serve(testContext(t), wrpc.Export{Prefix: "a", Func: "f"})
	require.ErrorIs(t, err, lattice.ErrInvalid)
	_, err = s.Serve(testContext(t), wrpc.Export{Prefix: "a.>", Func: "f", Unary: echo})
	require.ErrorIs(t, err, lattice.ErrInvalid)
}
