package wrpc_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

// callRaw starts a call to a raw callee and returns the invocation and the
// outcome to come.
func callRaw(t testing.TB, c *wrpc.Client, callee *raw, ctx context.Context, target wrpc.Target) (inv *nats.Msg, done chan error) { //nolint:revive // t comes first
	t.Helper()
	done = make(chan error, 1)
	go func() {
		_, _, err := c.Call(ctx, target, wrpc.Meta{}, []byte{0})
		done <- err
	}()
	return callee.next(), done
}

func TestNoResponders(t *testing.T) {
	t.Parallel()
	c := newClient(t, startNATS(t, 0), wrpc.ClientConfig{})
	_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.ErrorIs(t, err, wrpc.ErrNotConnected)
	require.NotErrorIs(t, err, wrpc.ErrMayHaveRun)
	require.Equal(t, "call "+echoSubject+": no responders", err.Error())

	call, err := c.Invoke(testContext(t), echoTarget, wrpc.Meta{}, nil, wrpc.Path{0})
	require.NoError(t, err)
	defer call.Close()
	_, err = call.Accepted()
	require.ErrorIs(t, err, wrpc.ErrNotConnected)
	_, err = call.Root(nil)
	require.ErrorIs(t, err, wrpc.ErrNotConnected)
	_, err = call.Params(0).Write([]byte{0})
	require.ErrorIs(t, err, wrpc.ErrNotConnected)
	r, err := call.Results(0)
	require.NoError(t, err)
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, wrpc.ErrNotConnected)
	_, err = call.Results(1)
	require.ErrorIs(t, err, wrpc.ErrNoPath)
}

// What a callee may say in place of a handshake.
func TestNotAccepted(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	for _, tt := range []struct {
		name    string
		headers []string
		want    error
		ran     bool
	}{
		{"no reply", nil, wrpc.ErrProtocol, true},
		{"no reply, lath", []string{"lath", "1"}, wrpc.ErrProtocol, true},
		{"status of a v1 peer means nothing", []string{"lath-status", "busy"}, wrpc.ErrProtocol, true},
		{"busy", []string{"lath", "1", "lath-status", "busy", "lath-error", "full"}, wrpc.ErrBusy, false},
		{"refused", []string{"lath", "1", "lath-status", "refused"}, wrpc.ErrRefused, false},
		{"unknown word", []string{"lath", "1", "lath-status", "sleepy"}, wrpc.ErrRefused, false},
		{"ok is no refusal", []string{"lath", "1", "lath-status", "ok"}, wrpc.ErrRefused, false},
		{"503", []string{"Status", "503"}, wrpc.ErrNotConnected, false},
		{"408", []string{"Status", "408"}, wrpc.ErrTimeout, true},
		{"409", []string{"Status", "409"}, wrpc.ErrIncompleteResults, true},
		{"400", []string{"Status", "400", "Description", "bad"}, wrpc.ErrProtocol, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inv, done := callRaw(t, c, callee, testContext(t), echoTarget)
			callee.send(inv.Reply, "", nil, tt.headers...)
			err := <-done
			require.ErrorIs(t, err, tt.want)
			require.Equal(t, tt.ran, errors.Is(err, wrpc.ErrMayHaveRun), err.Error())
			callee.quiet()
		})
	}
	t.Run("malformed reply subject", func(t *testing.T) {
		inv, done := callRaw(t, c, callee, testContext(t), echoTarget)
		callee.send(inv.Reply, "a.>", nil)
		require.ErrorIs(t, <-done, wrpc.ErrProtocol)
	})
}

func TestV1CalleeEndsWithoutResult(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	typed := echoTarget
	typed.Results = []*wit.Type{wit.String}
	for _, tt := range []struct {
		name, results string
		target        wrpc.Target
		want          error
	}{
		{"nothing", "", typed, wrpc.ErrIncompleteResults},
		{"half", "05 61", typed, wrpc.ErrIncompleteResults},
		{"nonsense", "01 ff", typed, wrpc.ErrProtocol},
		{"whole", "01 61", typed, nil},
		{"unknown types", "", echoTarget, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inv, done := callRaw(t, c, callee, testContext(t), tt.target)
			callee.accept(inv)
			callee.expect(callee.in+".params", "")
			if tt.results != "" {
				callee.pub(inv.Reply+".results", tt.results)
			}
			callee.pub(inv.Reply+".results", "")
			require.ErrorIs(t, <-done, tt.want)
		})
	}
	t.Run("with streams", func(t *testing.T) {
		call, err := c.Invoke(testContext(t), typed, wrpc.Meta{}, nil)
		require.NoError(t, err)
		defer call.Close()
		inv := callee.next()
		callee.accept(inv)
		callee.pub(inv.Reply+".results", "02 61")
		callee.pub(inv.Reply+".results", "")
		_, err = call.Root(wrpc.Whole(wit.String))
		require.ErrorIs(t, err, wrpc.ErrIncompleteResults)
		require.Contains(t, err.Error(), "ended without a result, cause unknown")
	})
}

// Results that have arrived are there also where the call has failed since, as that of
// a response does whose body is given up: each time, whatever is seen first.
func TestResultsThatArriveBeforeTheFailure(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	for range 32 {
		call, err := c.Invoke(testContext(t), echoTarget, wrpc.Meta{}, nil, wrpc.Path{0})
		require.NoError(t, err)
		path, err := call.Results(0)
		require.NoError(t, err)
		inv := callee.next()
		callee.accept(inv, "lath", "1")
		callee.expect(callee.in+".params", "")
		callee.pub(inv.Reply+".results", "01")
		root, err := call.Root(func(b []byte) (bool, error) {
			if len(b) == 2 {
				return true, nil
			}
			callee.pub(inv.Reply+".results", "00")
			callee.send(inv.Reply+".results.0", "", nil, "lath-status", "trap")
			_, err := path.Read(make([]byte, 1))
			require.ErrorIs(t, err, wrpc.ErrTrap)
			info, err := call.Accepted()
			require.NoError(t, err)
			require.Equal(t, wrpc.Info{Lath: true}, info)
			return false, nil
		})
		require.NoError(t, err)
		require.Equal(t, []byte{1, 0}, root)
		_, err = call.Root(nil)
		require.ErrorIs(t, err, wrpc.ErrTrap, "they are never whole")
		require.NoError(t, call.Close())
	}
}

// A Lath callee that ends without its mandatory status, or with an odd one.
func TestBadTrailers(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	for _, tt := range []struct {
		name    string
		headers []string
		want    error
	}{
		{"none", nil, wrpc.ErrIncompleteResults},
		{"unknown", []string{"lath-status", "fine"}, wrpc.ErrProtocol},
		{"ok", []string{"lath-status", "ok", "lath-error", "ignored"}, nil},
		{"lost", []string{"lath-status", "lost", "lath-error", strings.Repeat("x", 5000)}, wrpc.ErrLost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inv, done := callRaw(t, c, callee, testContext(t), echoTarget)
			callee.accept(inv, "lath", "1")
			callee.send(inv.Reply+".results", "", nil, tt.headers...)
			err := <-done
			require.ErrorIs(t, err, tt.want)
			if err != nil {
				require.LessOrEqual(t, len(asError(t, err).Detail), wrpc.MaxDetail)
			}
		})
	}
}

func TestCancelIsForLathCalleesOnly(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	for _, tt := range []struct {
		name    string
		headers []string
	}{{"v1", nil}, {"lath", []string{"lath", "1", "lath-more", "1"}}} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(testContext(t))
			inv, done := callRaw(t, c, callee, ctx, echoTarget)
			callee.accept(inv, tt.headers...)
			callee.expect(callee.in+".params", "")
			cancel()
			require.ErrorIs(t, <-done, wrpc.ErrCancelled)
			if tt.headers != nil {
				callee.expect(callee.in+".cancel", "")
			}
			callee.quiet()

			ctx, cancel = context.WithCancel(testContext(t))
			inv, done = callRaw(t, c, callee, ctx, echoTarget)
			cancel()
			require.ErrorIs(t, <-done, wrpc.ErrCancelled)
			callee.accept(inv, tt.headers...)
			if tt.headers != nil {
				callee.expect(callee.in+".cancel", "")
			}
			callee.quiet()
		})
	}
}

func TestSecondHandshakeIsIgnored(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{})
	inv, done := callRaw(t, c, callee, testContext(t), echoTarget)
	callee.accept(inv)
	callee.expect(callee.in+".params", "")
	callee.send(inv.Reply, "other.inbox", nil)
	callee.pub(inv.Reply+".results.0", "00")   // no such path
	callee.pub(inv.Reply+".nonsense", "00")    // no such channel
	callee.pub(inv.Reply+"zz.results", "00")   // no such call
	callee.pub(inv.Reply+".results", "00")     // the results
	callee.pub(inv.Reply+".results", "")       // their end
	callee.pub(inv.Reply+".results", "010203") // too late
	require.NoError(t, <-done)
	require.Eventually(t, func() bool { s := c.Stats(); return s.Ignored+s.Stray == 5 }, patience, time.Millisecond)
	callee.quiet()
}

func TestResultsTooLarge(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{MaxResults: 1000})
	inv, done := callRaw(t, c, callee, testContext(t), echoTarget)
	callee.accept(inv, "lath", "1")
	for range 11 {
		callee.send(inv.Reply+".results", "", make([]byte, 100))
	}
	require.ErrorIs(t, <-done, wrpc.ErrOverflow)
	callee.expect(callee.in+".cancel", "")
	require.EqualValues(t, 1, c.Stats().Overflows)
}

// A v1 callee knows no window: one that floods a stream that nobody reads ends
// that call alone, and the others on the same inbox go on.
func TestStreamOverflowEndsOneCall(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c := newClient(t, srv, wrpc.ClientConfig{Window: wrpc.MinWindow, MaxQueued: 4096})
	call, err := c.Invoke(testContext(t), echoTarget, wrpc.Meta{}, nil, wrpc.Path{0})
	require.NoError(t, err)
	defer call.Close()
	inv := callee.next()
	callee.accept(inv)
	callee.expect(callee.in+".params", "")
	other, done := callRaw(t, c, callee, testContext(t), echoTarget)
	for range 5000 {
		callee.send(inv.Reply+".results.0", "", []byte("x"))
	}
	callee.accept(other)
	callee.pub(other.Reply+".results", "")
	require.NoError(t, <-done)

	r, err := call.Results(0)
	require.NoError(t, err)
	got := 0
	for buf := make([]byte, 1000); ; {
		var n int
		n, err = r.Read(buf)
		if got += n; err != nil {
			break
		}
	}
	require.ErrorIs(t, err, wrpc.ErrOverflow)
	require.Equal(t, 4096, got, "what fitted is there")
	require.EqualValues(t, 1, c.Stats().Overflows)
}

func TestClientCloseEndsCalls(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	callee := newRaw(t, srv, echoSubject)
	c, err := wrpc.NewClient(connect(t, srv), wrpc.ClientConfig{})
	require.NoError(t, err)
	inv, done := callRaw(t, c, callee, testContext(t), echoTarget)
	call, err := c.Invoke(testContext(t), echoTarget, wrpc.Meta{}, nil, wrpc.Path{0})
	require.NoError(t, err)
	callee.accept(inv)
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-done, wrpc.ErrLost)
	require.ErrorIs(t, call.Wait(), wrpc.ErrLost)
	require.NoError(t, call.Close())
	_, _, err = c.Call(testContext(t), echoTarget, wrpc.Meta{}, nil)
	require.ErrorIs(t, err, wrpc.ErrClosed)
	require.NoError(t, c.Close(), "again")
}

func TestReconnectBufferIsRefused(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	nc, err := nats.Connect(srv.ClientURL())
	require.NoError(t, err)
	defer nc.Close()
	_, err = wrpc.NewClient(nc, wrpc.ClientConfig{})
	require.ErrorIs(t, err, wrpc.ErrReconnectBuffer)
	_, err = wrpc.NewServer(nc, wrpc.ServerConfig{})
	require.ErrorIs(t, err, wrpc.ErrReconnectBuffer)
	_, err = wrpc.NewClient(nil, wrpc.ClientConfig{})
	require.ErrorIs(t, err, nats.ErrInvalidConnection)
	_, err = wrpc.NewClient(connect(t, srv), wrpc.ClientConfig{Window: 1})
	require.ErrorIs(t, err, lattice.ErrInvalid)
	_, err = wrpc.NewServer(connect(t, srv), wrpc.ServerConfig{Window: 1 << 40})
	require.ErrorIs(t, err, lattice.ErrInvalid)
}

// The server goes away while calls run, and comes back on the same port: calls
// in flight end at once as lost, calls in between fail at once and are never
// run, calls afterwards work.
func TestConnectionLoss(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	port := srv.Addr().(interface{ String() string }).String()
	_, portText, _ := strings.Cut(port, ":")
	n, err := strconv.Atoi(portText)
	require.NoError(t, err)

	var served atomic.Int32
	block := make(chan struct{})
	started := make(chan struct{}, 8)
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(_ context.Context, req *wrpc.Request) ([]byte, error) {
		served.Add(1)
		if len(req.Params) > 1 {
			started <- struct{}{}
			<-block
		}
		return req.Params, nil
	}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	inFlight := make(chan error, 1)
	go func() {
		_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte("\x01x"))
		inFlight <- err
	}()
	<-started
	call, err := c.Invoke(testContext(t), echoTarget, wrpc.Meta{}, []byte("\x01x"), wrpc.Path{0})
	require.NoError(t, err)
	defer call.Close()
	<-started
	require.EqualValues(t, 2, served.Load())

	srv.Shutdown()
	srv.WaitForShutdown()
	err = <-inFlight
	require.ErrorIs(t, err, wrpc.ErrLost)
	require.ErrorIs(t, err, wrpc.ErrMayHaveRun)
	require.ErrorIs(t, call.Wait(), wrpc.ErrLost)
	close(block)

	for range 10 {
		begin := time.Now()
		_, _, err = c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		require.ErrorIs(t, err, lattice.ErrDisconnected)
		require.NotErrorIs(t, err, wrpc.ErrMayHaveRun)
		require.Less(t, time.Since(begin), patience/2, "at once, not at the deadline")
		_, err = c.Invoke(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		require.ErrorIs(t, err, wrpc.ErrDisconnected)
	}

	again, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: n, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	again.Start()
	require.True(t, again.ReadyForConnections(patience))
	t.Cleanup(func() { again.Shutdown(); again.WaitForShutdown() })
	require.Eventually(t, func() bool {
		_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		return err == nil
	}, patience, 10*time.Millisecond)
	require.EqualValues(t, 3, served.Load(), "what was published in between never ran")
}

// The callee's own connection breaks. A handler that has all its parameters
// goes on, since its caller may still be there; one with streams ends, since
// bytes may be missing from them.
func TestCalleeConnectionLoss(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	nc := connect(t, srv)
	s, err := wrpc.NewServer(nc, wrpc.ServerConfig{})
	require.NoError(t, err)
	defer s.Close()
	started, release := make(chan struct{}, 2), make(chan struct{})
	streaming := make(chan error, 1)
	_, err = s.Serve(testContext(t), echoExport(t, func(_ context.Context, req *wrpc.Request) ([]byte, error) {
		started <- struct{}{}
		<-release
		return req.Params, nil
	}), wrpc.Export{
		Prefix: "default.stream", Func: "f", ParamPaths: []wrpc.Path{{0}},
		Stream: func(ctx context.Context, x *wrpc.Exchange) error {
			started <- struct{}{}
			r, err := x.ParamStream(0)
			if err == nil {
				_, err = r.Read(make([]byte, 1))
			}
			streaming <- errors.Join(err, context.Cause(ctx))
			return err
		},
	})
	require.NoError(t, err)
	c := newClient(t, srv, wrpc.ClientConfig{})
	done := make(chan error, 1)
	go func() {
		_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		done <- err
	}()
	call, err := c.Invoke(testContext(t), wrpc.Target{Prefix: "default.stream", Func: "f"}, wrpc.Meta{}, nil)
	require.NoError(t, err)
	defer call.Close()
	<-started
	<-started
	back := nc.StatusChanged(nats.CONNECTED)
	require.NoError(t, nc.ForceReconnect())
	require.ErrorIs(t, <-streaming, wrpc.ErrLost)
	<-back
	require.NoError(t, nc.Flush())
	close(release)
	require.NoError(t, <-done)
}

func TestMalformedCallers(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	e := echoExport(t, echo)
	s, _ := newServer(t, srv, wrpc.ServerConfig{MaxParams: 1000}, e)
	hasty := e // does not wait long for parameters
	hasty.Prefix = "hasty.echo"
	newServer(t, srv, wrpc.ServerConfig{ParamsTime: 50 * time.Millisecond}, hasty)
	for _, tt := range []struct {
		name   string
		params []byte
		then   func(r *raw, callee string)
		status string
		detail string
	}{
		{"nonsense", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, nil, "refused", "parameters are malformed"},
		{"never whole", []byte{5, 1}, nil, "timeout", "parameters did not arrive in time"},
		{"end before whole", []byte{5, 1}, func(r *raw, callee string) { r.pub(callee+".params", "") }, "refused", "parameters ended before they were whole"},
		{"claims more than may be", []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, func(r *raw, callee string) {
			for range 30 {
				r.send(callee+".params", "", make([]byte, 50))
			}
		}, "refused", "parameters are too large"},
		{"one piece too large", append([]byte{0xff, 0xff, 0x03}, make([]byte, 2000)...), nil, "refused", "parameters are too large"},
		{"whole but too large", encodeBytes(2000, 'x'), nil, "refused", "parameters are too large"},
		{"flood on other paths", []byte{5, 1}, func(r *raw, callee string) {
			r.pub(callee+".params.0", "00")
			r.pub(callee+".credit.results.0", "00")
			r.pub(callee+".nonsense", "00")
			r.pub(callee+".params", "")
		}, "refused", "ended before"},
	} {
		for _, lath := range []bool{true, false} {
			t.Run(tt.name+"/lath="+strconv.FormatBool(lath), func(t *testing.T) {
				t.Parallel()
				r := newRaw(t, srv)
				var headers []string
				if lath {
					headers = []string{"lath", "1"}
				}
				subject := echoSubject
				if tt.status == "timeout" {
					subject = strings.Replace(echoSubject, "default.", "hasty.", 1)
				}
				r.send(subject, r.in, tt.params, headers...)
				callee := r.handshake()
				if tt.then != nil {
					tt.then(r, callee)
				}
				if !lath {
					r.expect(r.in+".results", "")
					return
				}
				m := r.expectEnd(r.in+".results", tt.status)
				require.Contains(t, m.Header.Get("lath-error"), tt.detail)
			})
		}
	}
	t.Run("no reply", func(t *testing.T) {
		r := newRaw(t, srv)
		r.send(echoSubject, "", []byte{0})
		r.send(echoSubject, "$SYS.x", []byte{0})
		require.Eventually(t, func() bool { return s.Stats().NoReply == 2 }, patience, time.Millisecond)
	})
	t.Run("no limiter place is lost", func(t *testing.T) {
		require.Eventually(t, func() bool {
			b, _, err := newClient(t, srv, wrpc.ClientConfig{}).Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
			return err == nil && len(b) == 1
		}, patience, time.Millisecond)
	})
}

func TestBadHeadersAreDroppedAndCounted(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	var got wrpc.Meta
	var left time.Duration
	s, _ := newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		got = req.Meta
		d, _ := ctx.Deadline()
		left = time.Until(d)
		return req.Params, nil
	}))
	r := newRaw(t, srv)
	r.send(echoSubject, r.in, []byte{0}, "lath", "1",
		"source-id", strings.Repeat("x", wrpc.MaxID+1),
		"link-name", "ok",
		"traceparent", strings.Repeat("0", 1000),
		"lath-timeout-ms", "-1",
		"lath-path", strings.Repeat("a,", wrpc.MaxPath)+"a",
		"lath-window", "1e9",
		"lath-future", "ignored")
	r.handshake()
	require.Equal(t, []byte{0}, r.next().Data)
	r.expectEnd(r.in+".results", "ok")
	require.Equal(t, wrpc.Meta{LinkName: "ok"}, got)
	require.Greater(t, left, wrpc.DefaultTimeout, "without a valid timeout the callee's own limit holds")
	require.EqualValues(t, 5, s.Stats().BadHeaders)
}
