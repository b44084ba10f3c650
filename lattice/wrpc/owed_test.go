package wrpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/wrpc"
)

// wire is the way of one connection to its server, which can be cut. It is the
// connection's dialer.
type wire struct {
	mu   sync.Mutex
	gone bool
	trip bool // the next write cuts it
	live []net.Conn
}

// wired is a connection's end of a wire.
type wired struct {
	net.Conn
	w *wire
}

func (c wired) Write(b []byte) (int, error) {
	c.w.mu.Lock()
	trip := c.w.trip
	c.w.mu.Unlock()
	if trip {
		c.w.cut()
	}
	return c.Conn.Write(b)
}

func (w *wire) Dial(network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return nil, errors.New("the wire is cut")
	}
	conn, err := net.DialTimeout(network, address, patience)
	if err == nil {
		w.live = append(w.live, conn)
	}
	return wired{conn, w}, err
}

// cut breaks the connection, which cannot be made again until the wire is mended.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = true
	for _, conn := range w.live {
		_ = conn.Close()
	}
	w.live = nil
}

func (w *wire) mend() {
	w.mu.Lock()
	w.gone, w.trip = false, false
	w.mu.Unlock()
}

// faraway is a server whose own connection can be cut, with a function that is
// carried out when the test has it so.
type faraway struct {
	*wire
	nc       *nats.Conn
	server   *wrpc.Server
	serving  *wrpc.Serving
	began    chan struct{}
	end      chan []byte
	limiter  *wrpc.Limiter
	reported chan error
}

func newFaraway(t *testing.T, srv *natsserver.Server, cfg wrpc.ServerConfig, limits wrpc.Limits) *faraway {
	t.Helper()
	f := &faraway{
		wire: &wire{}, began: make(chan struct{}, 8), end: make(chan []byte),
		limiter: wrpc.NewLimiter(limits), reported: make(chan error, 8),
	}
	f.nc = connect(t, srv, nats.SetCustomDialer(f.wire))
	cfg.OnError = func(_ string, _ wrpc.Meta, err error) { f.reported <- err }
	var err error
	f.server, err = wrpc.NewServer(f.nc, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.server.Close()) })
	e := echoExport(t, func(ctx context.Context, _ *wrpc.Request) ([]byte, error) {
		f.began <- struct{}{}
		select {
		case b := <-f.end:
			if b != nil {
				return b, nil
			}
			return nil, errors.New("unreachable executed")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	e.Limiter = f.limiter
	f.serving, err = f.server.Serve(testContext(t), e)
	require.NoError(t, err)
	return f
}

// cut cuts the wire and waits until the connection is known to be broken.
func (f *faraway) cut(t *testing.T) {
	t.Helper()
	f.wire.cut()
	require.Eventually(t, f.nc.IsReconnecting, patience, time.Millisecond)
}

// idle waits until no call holds a place.
func (f *faraway) idle(t *testing.T) {
	t.Helper()
	f.load(t, 0, 0)
}

// load waits until so many calls run and so many stand in line.
func (f *faraway) load(t *testing.T, running, waiting int) {
	t.Helper()
	require.Eventually(t, func() bool {
		r, w, _ := f.limiter.Load()
		return r == running && w == waiting
	}, patience, time.Millisecond)
}

type outcome struct {
	results []byte
	err     error
}

func call(ctx context.Context, c *wrpc.Client) chan outcome {
	done := make(chan outcome, 1)
	go func() {
		b, _, err := c.Call(ctx, echoTarget, wrpc.Meta{}, []byte{0})
		done <- outcome{b, err}
	}()
	return done
}

// What a call came to while its callee had no connection, and its caller had one, is
// told when the callee is back.
func TestAnswerWithoutConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer []byte
	}{
		{"results", []byte("\x03abc")},
		{"no results", []byte{}},
		{"results in several messages", encodeBytes(10_000, 'x')},
		{"error", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := startNATS(t, 4096)
			f := newFaraway(t, srv, wrpc.ServerConfig{}, wrpc.Limits{})
			done := call(testContext(t), newClient(t, srv, wrpc.ClientConfig{}))
			<-f.began
			f.cut(t)
			f.end <- tt.answer
			f.idle(t)
			require.Empty(t, done)
			f.mend()
			got := <-done
			if tt.answer == nil {
				require.ErrorIs(t, got.err, wrpc.ErrTrap)
				require.Equal(t, "unreachable executed", asError(t, got.err).Detail)
				return
			}
			require.NoError(t, got.err)
			require.Equal(t, string(tt.answer), string(got.results))
			require.Empty(t, f.reported)
		})
	}
}

// A call that its callee could not accept, for want of a connection, did not run and may
// be tried elsewhere.
func TestNotAcceptedWithoutConnection(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	f := newFaraway(t, srv, wrpc.ServerConfig{Host: "A"}, wrpc.Limits{Concurrency: 1})
	c := newClient(t, srv, wrpc.ClientConfig{})
	first := call(testContext(t), c)
	<-f.began
	second := call(testContext(t), c)
	f.load(t, 1, 1)
	f.cut(t)
	f.end <- []byte{1}
	f.idle(t)
	f.mend()
	got := <-second
	require.ErrorIs(t, got.err, wrpc.ErrBusy)
	require.NotErrorIs(t, got.err, wrpc.ErrMayHaveRun)
	require.Equal(t, "A", asError(t, got.err).Host)
	require.NoError(t, (<-first).err)
	require.Empty(t, f.began)
}

// Who missed the handshake gets it again, before the results: without it a Lath caller
// would take the callee for one of v1, and a v1 caller waits for it. It may come twice.
func TestHandshakeIsRepeated(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][]string{"v1": nil, "lath": {"lath", "1"}} {
		for _, back := range []bool{false, true} {
			t.Run(name+"/back before the end="+strconv.FormatBool(back), func(t *testing.T) {
				t.Parallel()
				srv := startNATS(t, 0)
				f := newFaraway(t, srv, wrpc.ServerConfig{}, wrpc.Limits{})
				r := newRaw(t, srv)
				r.send(echoSubject, r.in, []byte{0}, headers...)
				callee := r.handshake()
				<-f.began
				connected := f.nc.StatusChanged(nats.CONNECTED)
				f.cut(t)
				if back {
					f.mend()
					<-connected
				}
				f.end <- []byte{1}
				f.idle(t)
				f.mend()
				m := r.next()
				require.Equal(t, r.in, m.Subject)
				require.Equal(t, callee, m.Reply)
				require.Equal(t, headers != nil, m.Header.Get("lath") == "1")
				r.expect(r.in+".results", "01")
				if headers == nil {
					r.expect(r.in+".results", "")
				} else {
					r.expectEnd(r.in+".results", "ok")
				}
			})
		}
	}
}

// Results of which a part was sent when the connection broke are lost: the caller must
// not take what it got for all, nor wait for the rest.
func TestResultsCutShort(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 4096)
	f := newFaraway(t, srv, wrpc.ServerConfig{}, wrpc.Limits{})
	done := call(testContext(t), newClient(t, srv, wrpc.ClientConfig{}))
	<-f.began
	require.NoError(t, f.nc.Flush())
	f.mu.Lock()
	f.trip = true
	f.mu.Unlock()
	f.end <- encodeBytes(1<<20, 'x')
	f.idle(t)
	f.mend()
	got := <-done
	require.ErrorIs(t, got.err, wrpc.ErrLost)
	require.True(t, asError(t, got.err).Remote)
	require.ErrorIs(t, got.err, wrpc.ErrMayHaveRun)
}

// A stream may lack bytes when its callee's connection has broken, so the call is lost,
// which the caller is told when the callee is back.
func TestStreamWithoutConnection(t *testing.T) {
	t.Parallel()
	for _, rootEnded := range []bool{false, true} {
		t.Run("root ended="+strconv.FormatBool(rootEnded), func(t *testing.T) {
			t.Parallel()
			srv := startNATS(t, 0)
			f := newFaraway(t, srv, wrpc.ServerConfig{}, wrpc.Limits{})
			returned := make(chan struct{})
			_, err := f.server.Serve(testContext(t), wrpc.Export{
				Prefix: "default.stream", Func: "f", ParamPaths: []wrpc.Path{{0}},
				Stream: func(ctx context.Context, x *wrpc.Exchange) error {
					defer close(returned)
					w := x.ResultStream(0)
					if _, err := w.Write([]byte{1}); err != nil {
						return err
					}
					if rootEnded {
						if err := x.SetResults([]byte{0}); err != nil {
							return err
						}
					}
					<-ctx.Done()
					return nil // it takes what it got for all there is
				},
			})
			require.NoError(t, err)
			c := newClient(t, srv, wrpc.ClientConfig{})
			call, err := c.Invoke(testContext(t), wrpc.Target{Prefix: "default.stream", Func: "f"}, wrpc.Meta{}, nil, wrpc.Path{0})
			require.NoError(t, err)
			defer call.Close()
			r, err := call.Results(0)
			require.NoError(t, err)
			_, err = io.ReadFull(r, make([]byte, 1))
			require.NoError(t, err)
			f.cut(t)
			<-returned
			f.mend()
			err = call.Wait()
			require.ErrorIs(t, err, wrpc.ErrLost)
			require.True(t, asError(t, err).Remote)
		})
	}
}

// What cannot be sent is kept within limits: of bytes, and of the call's time.
func TestOwedLimits(t *testing.T) {
	t.Parallel()
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		srv := startNATS(t, 0)
		f := newFaraway(t, srv, wrpc.ServerConfig{MaxOwed: 2*4096 + 10}, wrpc.Limits{})
		c := newClient(t, srv, wrpc.ClientConfig{})
		ctx, cancel := context.WithCancel(testContext(t))
		var calls []chan outcome
		for range 3 {
			calls = append(calls, call(ctx, c))
			<-f.began
		}
		f.cut(t)
		f.end <- make([]byte, 10)
		f.end <- []byte{}
		f.load(t, 1, 0)
		require.Empty(t, f.reported)
		f.end <- []byte{}
		require.ErrorIs(t, <-f.reported, wrpc.ErrOverflow)
		f.mend()
		answered := 0
		for answered < 2 {
			for _, done := range calls {
				select {
				case got := <-done:
					require.NoError(t, got.err)
					answered++
				case <-time.After(time.Millisecond):
				}
			}
		}
		cancel()
		// What was kept makes room when it is sent.
		again := call(testContext(t), c)
		<-f.began
		f.cut(t)
		f.end <- make([]byte, 10)
		f.idle(t)
		f.mend()
		require.NoError(t, (<-again).err)
	})
	t.Run("time", func(t *testing.T) {
		t.Parallel()
		srv := startNATS(t, 0)
		f := newFaraway(t, srv, wrpc.ServerConfig{}, wrpc.Limits{})
		c := newClient(t, srv, wrpc.ClientConfig{})
		ctx, cancel := context.WithTimeout(testContext(t), 2*time.Second)
		defer cancel()
		done := call(ctx, c)
		<-f.began
		f.cut(t)
		f.end <- []byte{1}
		require.ErrorIs(t, <-f.reported, wrpc.ErrDisconnected)
		require.ErrorIs(t, (<-done).err, wrpc.ErrTimeout)
		f.mend()
		_, err := f.server.Serve(testContext(t)) // it waits for the server
		for err != nil {
			_, err = f.server.Serve(testContext(t))
		}
		require.Zero(t, c.Stats().Stray, "nobody waits for it")
	})
}

// Who leaves waits for the callers who are owed an answer as for calls that run: for the
// time that it has, and no longer.
func TestDrainWithoutConnection(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*faraway, chan outcome) {
		t.Parallel()
		srv := startNATS(t, 0)
		f := newFaraway(t, srv, wrpc.ServerConfig{}, wrpc.Limits{})
		done := call(testContext(t), newClient(t, srv, wrpc.ClientConfig{}))
		<-f.began
		f.cut(t)
		f.end <- []byte{1}
		f.idle(t)
		return f, done
	}
	t.Run("back in time", func(t *testing.T) {
		f, done := start(t)
		drained := make(chan error, 1)
		go func() { drained <- f.serving.Drain(testContext(t)) }()
		f.mend()
		require.NoError(t, (<-done).err)
		require.NoError(t, <-drained)
	})
	t.Run("not back", func(t *testing.T) {
		f, done := start(t)
		ctx, cancel := context.WithCancel(testContext(t))
		cancel()
		require.ErrorIs(t, f.serving.Drain(ctx), context.Canceled)
		require.ErrorIs(t, <-f.reported, wrpc.ErrDisconnected)
		require.Empty(t, done)
	})
	t.Run("closed", func(t *testing.T) {
		f, _ := start(t)
		require.NoError(t, f.server.Close())
		require.ErrorIs(t, <-f.reported, wrpc.ErrDisconnected)
	})
	t.Run("connection closed", func(t *testing.T) {
		f, _ := start(t)
		f.nc.Close()
		require.ErrorIs(t, <-f.reported, wrpc.ErrDisconnected)
	})
}
