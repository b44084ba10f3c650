package wrpc

import (
	"context"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
)

// What nats.go has to drop from the shared inbox may have been anybody's, so
// all calls end; and later ones work.
func TestSharedInboxOverflow(t *testing.T) {
	t.Parallel()
	srv, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	srv.Start()
	require.True(t, srv.ReadyForConnections(10*time.Second))
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	connect := func() *nats.Conn {
		nc, err := nats.Connect(srv.ClientURL(), nats.ReconnectBufSize(-1), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		require.NoError(t, err)
		return nc
	}
	nc, peer := connect(), connect()
	defer nc.Close()
	defer peer.Close()
	c, err := NewClient(nc, ClientConfig{})
	require.NoError(t, err)
	defer c.Close()
	invocations := make(chan *nats.Msg, 8)
	_, err = peer.ChanSubscribe("a.wrpc.0.0.1.f", invocations)
	require.NoError(t, err)
	require.NoError(t, peer.Flush())

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	call := func() chan error {
		done := make(chan error, 1)
		go func() {
			_, _, err := c.Call(ctx, Target{Prefix: "a", Func: "f"}, Meta{}, nil)
			done <- err
		}()
		return done
	}
	first, second := call(), call()
	inv := <-invocations
	<-invocations
	require.NoError(t, c.mux.sub.SetPendingLimits(1, 1<<20))
	// While the inbox is held, the second message waits and the rest is dropped.
	c.mux.mu.Lock()
	for range 50 {
		require.NoError(t, peer.Publish(inv.Reply+".results", []byte{1}))
	}
	require.NoError(t, peer.Flush())
	require.NoError(t, nc.Flush())
	c.mux.mu.Unlock()
	require.ErrorIs(t, <-first, ErrOverflow)
	require.ErrorIs(t, <-second, ErrOverflow)

	require.NoError(t, c.mux.sub.SetPendingLimits(-1, -1))
	third := call()
	inv = <-invocations
	require.NoError(t, peer.PublishRequest(inv.Reply, peer.NewInbox(), nil))
	require.NoError(t, peer.Publish(inv.Reply+".results", nil))
	require.NoError(t, <-third)
}

// The limiter admits in order, never more than allowed, and loses no place.
func TestLimiterOrder(t *testing.T) {
	t.Parallel()
	l := NewLimiter(Limits{Concurrency: 1, Queue: 2, Wait: time.Minute})
	turn, ok := l.enter(true)
	require.True(t, ok)
	require.Nil(t, turn)
	second, ok := l.enter(true)
	require.True(t, ok)
	third, ok := l.enter(true)
	require.True(t, ok)
	_, ok = l.enter(true)
	require.False(t, ok)
	require.True(t, l.giveUp(second))
	require.False(t, l.giveUp(second))
	l.leave()
	require.True(t, l.wait(context.Background(), third))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	late, ok := l.enter(true)
	require.True(t, ok)
	require.False(t, l.wait(ended, late))
	l.leave()
	running, waiting, limit := l.Load()
	require.Equal(t, [3]int{0, 0, 1}, [3]int{running, waiting, limit})
}

// The queue keeps single bytes together and never more than its limit.
func TestQueue(t *testing.T) {
	t.Parallel()
	q := newQueue(10000)
	for range 10000 {
		fits, late := q.push([]byte{1})
		require.True(t, fits)
		require.False(t, late)
	}
	require.Less(t, len(q.blocks), 10)
	fits, _ := q.push([]byte{1})
	require.False(t, fits)
	n, total, ready, err := q.pop(make([]byte, 6000))
	require.NoError(t, err)
	require.True(t, ready)
	require.Equal(t, 6000, n)
	require.EqualValues(t, 6000, total)
	fits, _ = q.push(make([]byte, 6000))
	require.True(t, fits)
	q.end(nil)
	q.end(ErrClosed)
	_, late := q.push([]byte{1})
	require.True(t, late)
	b, ended, err := q.all()
	require.Len(t, b, 10000)
	require.True(t, ended)
	require.NoError(t, err)
}

// Who sends more parameters than may wait is told so, whichever of the signs of it is
// seen first.
func TestParamsThatOverflow(t *testing.T) {
	t.Parallel()
	for range 100 {
		s := &Server{cfg: ServerConfig{MaxParams: 1000}, mux: &mux{}}
		require.NoError(t, s.cfg.setDefaults())
		in := &incoming{h: newHandling(&Serving{s: s}, &Export{Params: []*wit.Type{wit.String}}), req: Request{Params: []byte{0xff, 0x7f}}}
		in.ctx.Context, in.ctx.until = t.Context(), time.Now().Add(time.Hour)
		in.session.init(s.mux, s.cfg.MaxParams, 1, 1, nil)
		in.mux = s.mux
		in.onFail = func(err *Error) { in.ctx.interrupt(err) }
		told := make(chan error)
		go func() { told <- in.awaitParams(&in.ctx) }()
		for range 30 {
			in.data("", &nats.Msg{Data: make([]byte, 60)}, false)
		}
		err := <-told
		require.ErrorIs(t, err, ErrRefused)
		require.ErrorContains(t, err, "parameters are too large")
		in.ctx.end()
	}
}
