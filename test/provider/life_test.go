package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// TestLife: a provider is started from a file, linked, called and stopped.
func TestLife(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Start("count", "counter", 4))
	require.NoError(t, n.Provide(ctl.StartProvider{ProviderID: "kv", ProviderRef: script(t, "keyvalue")}))
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	require.Equal(t, "ok(1)", call(t, l))
	require.Equal(t, "ok(2)", call(t, l))
	links, err := l.Control.LinkStatuses(t.Context())
	require.NoError(t, err)
	require.Equal(t, lattice.LinkReady, links[0].State, "the SDK tells the provider's contracts: %s", links[0].Reason)
	require.NoError(t, l.Control.StopProvider(t.Context(), n.ID, "kv"))
	require.Contains(t, call(t, l), "no responders")
}
