package lattice_test

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// With a connection of their own, calls, the pulses by which they are steered and
// what providers are told go to one server; commands, events and what is stored to the other; nothing to both.
func TestControlAndCallsOnTwoServers(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	server, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown(context.Background())) })
	connect := func(prefix string) *nats.Conn {
		nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: server.URL(), InboxPrefix: prefix})
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return nc
	}
	rpc := connect("")
	onControl, err := l.Conn.SubscribeSync(">")
	require.NoError(t, err)
	onRPC, err := rpc.SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, lattice.Flush(t.Context(), l.Conn))
	require.NoError(t, lattice.Flush(t.Context(), rpc))

	var own []*nats.Conn
	with := func(c *host.Config) {
		(&identity{}).offer(c)
		c.RPCConn = connect(lattice.InboxPrefix(harness.Name, c.Identity.ID))
		own = append(own, c.RPCConn)
	}
	a, b := l.Host(with), l.Host(with)
	require.NoError(t, a.Start("source", "chain", 4))
	require.NoError(t, b.Start("target", "chain", 4))
	require.NoError(t, b.StartProvider("kv", "witness"))
	require.NoError(t, l.Link("source", "target", "example:chain/step"))
	pings, err := l.Control.PingHosts(t.Context())
	require.NoError(t, err)
	require.Len(t, pings, 2)
	for _, p := range pings {
		require.Equal(t, l.URL, p.CtlHost)
		require.Equal(t, server.URL(), p.RPCHost)
	}

	calls, err := wrpc.NewClient(rpc, wrpc.ClientConfig{})
	require.NoError(t, err)
	defer calls.Close()
	l.Calls, calls = calls, l.Calls
	for _, on := range []*harness.Node{nil, a} {
		got, err := l.Call(t.Context(), on, "source", "example:chain/step.go(1, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(2)", got.WAVE, "and on to the other host")
	}
	l.Calls = calls
	a.Stop()
	b.Stop()
	for _, nc := range own {
		require.LessOrEqual(t, nc.NumSubscriptions(), 1, "subscriptions are left")
	}

	seen := func(nc *nats.Conn, sub *nats.Subscription) (subjects []string) {
		require.NoError(t, lattice.Flush(t.Context(), nc))
		for {
			n, _, err := sub.Pending()
			require.NoError(t, err)
			if n == 0 {
				return subjects
			}
			m, err := sub.NextMsg(harness.Wait)
			require.NoError(t, err)
			subjects = append(subjects, m.Subject)
		}
	}
	for _, s := range seen(l.Conn, onControl) {
		require.NotRegexp(t, `\.wrpc\.|^wasmbus\.rpc\.|\.beat\.`, s)
	}
	told := seen(rpc, onRPC)
	for _, s := range told {
		require.Regexp(t, `^default\.|^lath\.v1\.default\.(host|beat)\.|^_INBOX\.|^wasmbus\.rpc\.`, s)
	}
	require.Contains(t, told, lattice.ProviderLinkPut(harness.Name, "target"))
}
