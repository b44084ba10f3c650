package wrpc_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/wrpc"
)

// TestHopsComeBackFromOtherHosts: who asks learns of the hops that a callee's
// call made, and of those beyond it.
func TestHopsComeBackFromOtherHosts(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	far := wrpc.Hop{Source: "echo", Target: "far", Interface: "a:b/c", Func: "f", Route: wrpc.InProcess}
	e := echoExport(t, func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		wrpc.RecordHop(ctx, far)
		return echo(ctx, req)
	})
	newServer(t, srv, wrpc.ServerConfig{}, e)
	c := newClient(t, srv, wrpc.ClientConfig{})

	ctx, hops := wrpc.ContextWithHops(testContext(t))
	near := wrpc.Hop{Source: "a", Target: "echo", Interface: "a:b/echo", Func: "echo", Route: wrpc.OverNATS}
	wrpc.RecordHop(ctx, near)
	_, _, err := c.Call(ctx, echoTarget, wrpc.Meta{}, []byte{0})
	require.NoError(t, err)
	require.Equal(t, []wrpc.Hop{near, far}, hops.List())
}

func TestHopsAreBounded(t *testing.T) {
	t.Parallel()
	ctx, hops := wrpc.ContextWithHops(t.Context())
	for range 1000 {
		wrpc.RecordHop(ctx, wrpc.Hop{Source: strings.Repeat("s", 200), Target: "t", Interface: "i", Func: "f", Route: wrpc.OverNATS})
	}
	require.Len(t, hops.List(), 64)
}
