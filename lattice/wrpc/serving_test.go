package wrpc_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
)

// crowd has four callers make calls, by turns to each target, none of which may fail.
// What it returns ends them and tells how many calls there were.
func crowd(t *testing.T, c *wrpc.Client, targets ...wrpc.Target) (called func() int32) {
	stop, counts := make(chan struct{}), make(chan int32)
	const callers = 4
	for k := range callers {
		go func() {
			n := int32(0)
			defer func() { counts <- n }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := c.Call(context.Background(), targets[k%len(targets)], wrpc.Meta{}, []byte{0}); err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
				n++
			}
		}()
	}
	return func() (total int32) {
		close(stop)
		for range callers {
			total += <-counts
		}
		return total
	}
}

// A serving that steps aside loses no call that was on its way, answers on its
// direct subjects, and comes back.
func TestStepAside(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	var ran, other atomic.Int32
	e := echoExport(t, func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		ran.Add(1)
		return echo(ctx, req)
	})
	e.Direct = lattice.DirectPrefix("default", "A", "echo")
	_, v := newServer(t, srv, wrpc.ServerConfig{}, e)
	b := echoExport(t, func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		other.Add(1)
		return echo(ctx, req)
	})
	newServer(t, srv, wrpc.ServerConfig{}, b)
	c := newClient(t, srv, wrpc.ClientConfig{})
	call := func(target wrpc.Target) {
		t.Helper()
		_, _, err := c.Call(testContext(t), target, wrpc.Meta{}, []byte{0})
		require.NoError(t, err)
	}
	called := crowd(t, c, echoTarget)
	for range 20 {
		require.NoError(t, v.StepAside())
		require.NoError(t, v.StepAside(), "twice is once")
		call(wrpc.Target{Prefix: e.Direct, Instance: echoInstance, Func: "echo"})
		require.NoError(t, v.Rejoin())
		require.NoError(t, v.Rejoin())
	}
	require.Equal(t, called()+20, ran.Load()+other.Load(), "each call ran once")

	require.NoError(t, v.StepAside())
	call(wrpc.Target{Prefix: e.Direct, Instance: echoInstance, Func: "echo"}) // the server knows by now
	before := ran.Load()
	for range 40 {
		call(echoTarget)
	}
	require.Equal(t, before, ran.Load())
	require.NoError(t, v.Rejoin())
	for ran.Load() == before {
		call(echoTarget)
	}
	require.NoError(t, v.StepAside())
	require.NoError(t, v.Drain(testContext(t)))
	over, cancel := context.WithCancel(testContext(t))
	cancel()
	for range 20 {
		require.NoError(t, v.Drain(over), "nothing runs, whatever the time is")
	}
	require.NoError(t, v.Rejoin(), "it stays away")
	before = ran.Load()
	for range 40 {
		call(echoTarget)
	}
	require.Equal(t, before, ran.Load())
}

// A serving that steps aside while there is no connection leaves when there is one: it
// must not stay a member of the group that takes calls and does not answer.
func TestStepAsideWithoutNATS(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	port := srv.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it listens on TCP
	nc := connect(t, srv)
	s, err := wrpc.NewServer(nc, wrpc.ServerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	v, err := s.Serve(testContext(t), echoExport(t, echo))
	require.NoError(t, err)
	newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, echo))
	srv.Shutdown()
	srv.WaitForShutdown()
	require.Eventually(t, nc.IsReconnecting, patience, time.Millisecond)
	left := v.StepAside()
	if left != nil {
		require.ErrorIs(t, left, lattice.ErrDisconnected)
	}

	again := startNATSOn(t, port, 0)
	require.Eventually(t, nc.IsConnected, patience, time.Millisecond)
	for left != nil {
		left = v.StepAside()
	}
	require.NoError(t, nc.Flush())
	c := newClient(t, again, wrpc.ClientConfig{})
	require.Eventually(t, func() bool { // the other one is back
		_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		return err == nil
	}, patience, time.Millisecond)
	for range 40 {
		_, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
		require.NoError(t, err, "given to who had left")
	}
}

// A serving replaces another without a moment in which a call meets nobody, and each
// call runs once.
func TestReplace(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	var ran atomic.Int32
	made := func(n byte) wrpc.Export {
		e := echoExport(t, func(context.Context, *wrpc.Request) ([]byte, error) {
			ran.Add(1)
			return []byte{n}, nil
		})
		e.Direct = lattice.DirectPrefix("default", "A", "echo")
		return e
	}
	only := made(0)
	only.Func = "only"
	server, v := newServer(t, srv, wrpc.ServerConfig{}, made(0), only)
	c := newClient(t, srv, wrpc.ClientConfig{})
	direct := wrpc.Target{Prefix: made(0).Direct, Instance: echoInstance, Func: "echo"}
	called := crowd(t, c, echoTarget, direct)
	total := int32(0)
	for n := byte(1); n <= 50; n++ {
		next, err := v.Replace(testContext(t), made(n))
		require.NoError(t, err)
		for _, to := range []wrpc.Target{echoTarget, direct} {
			got, _, err := c.Call(testContext(t), to, wrpc.Meta{}, []byte{0})
			require.NoError(t, err)
			require.Equal(t, []byte{n}, got, "new calls are the new one's")
			total++
		}
		if n == 1 {
			_, _, err = c.Call(testContext(t), wrpc.Target{Prefix: echoTarget.Prefix, Instance: echoInstance, Func: "only"}, wrpc.Meta{}, []byte{0})
			require.NoError(t, err, "what it alone serves goes on")
			total++
		}
		require.NoError(t, v.Drain(testContext(t)))
		v = next
	}
	total += called()
	require.Equal(t, total, ran.Load(), "each call ran once")
	_, _, err := c.Call(testContext(t), wrpc.Target{Prefix: echoTarget.Prefix, Instance: echoInstance, Func: "only"}, wrpc.Meta{}, []byte{0})
	require.ErrorIs(t, err, wrpc.ErrNotConnected)
	require.NoError(t, v.StepAside())
	next, err := v.Replace(testContext(t), made(0))
	require.NoError(t, err)
	_, _, err = c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.NoError(t, err, "what had stepped aside is replaced by what has not")
	require.NoError(t, v.Drain(testContext(t)))
	v = next
	bad := made(0)
	bad.Unary = nil
	_, err = v.Replace(testContext(t), bad)
	require.ErrorIs(t, err, lattice.ErrInvalid)
	_, _, err = c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.NoError(t, err, "the one before goes on")
	require.NoError(t, v.Drain(testContext(t)))
	_, err = v.Replace(testContext(t), made(0))
	require.ErrorIs(t, err, wrpc.ErrClosed, "who has left has nothing to give")
	require.NoError(t, server.Close())
}

// A call that runs ends where it began, also when that is replaced and drained.
func TestReplaceUnderACall(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	began, end := make(chan struct{}), make(chan struct{})
	_, v := newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(context.Context, *wrpc.Request) ([]byte, error) {
		close(began)
		<-end
		return []byte{1}, nil
	}))
	c := newClient(t, srv, wrpc.ClientConfig{})
	old := make(chan []byte)
	go func() {
		got, _, err := c.Call(context.Background(), echoTarget, wrpc.Meta{}, []byte{0})
		if err != nil {
			t.Errorf("the call that ran: %v", err)
		}
		old <- got
	}()
	<-began
	_, err := v.Replace(testContext(t), echoExport(t, func(context.Context, *wrpc.Request) ([]byte, error) { return []byte{2}, nil }))
	require.NoError(t, err)
	got, _, err := c.Call(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.NoError(t, err)
	require.Equal(t, []byte{2}, got)
	drained := make(chan error)
	go func() { drained <- v.Drain(context.Background()) }()
	close(end)
	require.Equal(t, []byte{1}, <-old)
	require.NoError(t, <-drained)
}
