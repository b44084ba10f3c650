package wrpc_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
)

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
	stop := make(chan struct{})
	crowd := make(chan int32)
	for range 4 {
		go func() {
			n := int32(0)
			defer func() { crowd <- n }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, _, err := c.Call(context.Background(), echoTarget, wrpc.Meta{}, []byte{0}); err != nil {
					t.Errorf("a call failed: %v", err)
					return
				}
				n++
			}
		}()
	}
	for range 20 {
		require.NoError(t, v.StepAside())
		require.NoError(t, v.StepAside(), "twice is once")
		call(wrpc.Target{Prefix: e.Direct, Instance: echoInstance, Func: "echo"})
		require.NoError(t, v.Rejoin())
		require.NoError(t, v.Rejoin())
	}
	close(stop)
	total := int32(20)
	for range 4 {
		total += <-crowd
	}
	require.Equal(t, total, ran.Load()+other.Load(), "each call ran once")

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
	require.NoError(t, v.Rejoin(), "it stays away")
	before = ran.Load()
	for range 40 {
		call(echoTarget)
	}
	require.Equal(t, before, ran.Load())
}
