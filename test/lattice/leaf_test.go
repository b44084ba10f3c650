package lattice_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
	"github.com/lathhost/lath/test/harness"
)

// A host at the edge, on a leaf node with a JetStream domain of its own, is in
// the lattice of the hub: its data are there, calls and commands go both ways.
func TestHostOnALeafNode(t *testing.T) {
	t.Parallel()
	port := natsservertest.FreePorts(t, 1)[0]
	hub := harness.NewWith(t, fmt.Sprintf("jetstream { domain: hub }\nleafnodes { host: 127.0.0.1, port: %d }", port))
	center := hub.Host(nil)

	dir := t.TempDir()
	file := filepath.Join(dir, "nats.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil,
		"jetstream { domain: edge }\nleafnodes { remotes [ { url: \"nats-leaf://127.0.0.1:%d\" } ] }", port), 0o600))
	leaf, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: filepath.Join(dir, "js"), Port: natsserver.RandomPort, ConfigFile: file})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, leaf.Shutdown(context.Background())) })
	conn, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: leaf.URL()})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.NewWithDomain(conn, "hub")
	require.NoError(t, err)
	hub.Eventually("the leaf node is connected", func() bool { _, err := js.AccountInfo(t.Context()); return err == nil })

	edge := hub.Host(func(c *host.Config) { c.Conn, c.JSDomain = conn, "hub" })
	reached(t, hub, edge)
	hosts, err := hub.Control.PingHosts(t.Context())
	require.NoError(t, err)
	domains := map[string]string{}
	for _, h := range hosts {
		domains[h.ID] = h.JSDomain
	}
	require.Equal(t, map[string]string{center.ID: "", edge.ID: "hub"}, domains)

	require.NoError(t, hub.Control.PutConfig(t.Context(), "c", map[string]string{"color": "red"}))
	require.NoError(t, edge.Scale(ctl.ScaleComponent{ComponentID: "s", ComponentRef: reader(hub), MaxInstances: 1, Config: []string{"c"}}))
	require.NoError(t, edge.Start("source", "chain", 4))
	require.NoError(t, center.Start("target", "chain", 4))
	require.NoError(t, hub.Link("source", "target", "example:chain/step"))
	got, err := hub.Call(t.Context(), edge, "source", "example:chain/step.go(1, finish)")
	require.NoError(t, err)
	require.Equal(t, "ok(2)", got.WAVE)
	got, err = hub.Call(t.Context(), nil, "s", `test:settings/reader.read("color")`)
	require.NoError(t, err)
	require.Equal(t, `some("red")`, got.WAVE)
}

// reached waits until commands of the hub come to a host behind a leaf node, which
// passes the host's subscriptions on a moment after it has them.
func reached(t *testing.T, hub *harness.Lattice, edge *harness.Node) {
	t.Helper()
	hub.Eventually("the edge is reached", func() bool { _, err := hub.Control.Inventory(t.Context(), edge.ID); return err == nil })
}
