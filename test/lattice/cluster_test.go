package lattice_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
	"github.com/lathhost/lath/providers/cron"
	"github.com/lathhost/lath/providers/messaging"
	"github.com/lathhost/lath/test/harness"
)

// election bounds the wait for a cluster to choose new leaders, which takes nats-server
// up to ten seconds on a machine that has nothing else to do.
const election = 90 * time.Second

// eventually is a wait for a cluster.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	require.Eventually(t, check, election, 50*time.Millisecond, what)
}

// Each server of a cluster goes away in turn and comes back. Nothing that was
// stored is lost, hosts find another server by themselves, and commands and calls
// work while it is away.
func TestClusterLosesAServer(t *testing.T) {
	t.Parallel()
	l, c := harness.NewCluster(t, 3)
	var hosts []*harness.Node
	for i := range 3 {
		l.URL = c.ServerURL(i) // it is told of the others
		hosts = append(hosts, l.Host(nil))
	}
	for _, h := range hosts {
		eventually(t, "hosts learn of all servers", func() bool { return len(h.Conn.Servers()) == 3 })
	}
	js, err := jetstream.New(l.Conn)
	require.NoError(t, err)
	for _, bucket := range harness.Buckets() {
		stream, err := js.Stream(t.Context(), lattice.BucketStream(bucket))
		require.NoError(t, err)
		require.Equal(t, 3, stream.CachedInfo().Config.Replicas, bucket)
	}
	require.NoError(t, hosts[0].Start("source", "chain", 4))
	require.NoError(t, hosts[1].Start("target", "chain", 4))
	require.NoError(t, l.Link("source", "target", "example:chain/step"))

	var stored []string
	put := func(name string) {
		eventually(t, "what is put is stored: "+name, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
			defer cancel()
			return l.Control.PutConfig(ctx, name, map[string]string{"is": name}) == nil &&
				l.Control.PutLink(ctx, lattice.Link{SourceID: name, Target: "nobody", WITNamespace: "a", WITPackage: "b", Interfaces: []string{"c"}, TargetConfig: []string{name}}) == nil
		})
		stored = append(stored, name)
	}
	check := func() {
		for _, name := range stored {
			eventually(t, "a config is read: "+name, func() bool {
				got, err := l.Control.Config(t.Context(), name)
				return err == nil && got["is"] == name
			})
			for _, h := range hosts {
				eventually(t, "every host knows a link: "+name, func() bool {
					return slices.ContainsFunc(h.Host.Links(), func(x lattice.Link) bool { return x.SourceID == name })
				})
			}
		}
		eventually(t, "calls work", func() bool {
			got, err := l.Call(t.Context(), nil, "source", "example:chain/step.go(1, finish)")
			return err == nil && got.WAVE == "ok(2)"
		})
	}
	for i := range 3 {
		eventually(t, "every server has everything", func() bool { return c.Whole(l) })
		put(fmt.Sprint("before-", i))
		c.Stop(i)
		for _, h := range hosts {
			eventually(t, "hosts connect to another server", func() bool {
				return h.Conn.IsConnected() && h.Conn.ConnectedUrl() != c.ServerURL(i)
			})
		}
		put(fmt.Sprint("without-", i))
		check()
		c.Start(i)
		put(fmt.Sprint("after-", i))
		check()
	}
}

// What one host has stored, another one sees when it acts on it at once, whichever
// servers of the cluster they ask.
func TestClusterIsNotReadBehind(t *testing.T) {
	t.Parallel()
	l, c := harness.NewCluster(t, 3)
	for i := range 3 {
		l.URL = c.ServerURL(i)
		l.Host(nil)
	}
	for i := range 100 {
		name := fmt.Sprint("c", i)
		link := lattice.Link{SourceID: name, Target: "nobody", WITNamespace: "a", WITPackage: "b", Interfaces: []string{"c"}, TargetConfig: []string{name}}
		require.NoError(t, l.Control.PutConfig(t.Context(), name, map[string]string{"k": "v"}))
		require.NoError(t, l.Control.PutLink(t.Context(), link), "the config is there")
		require.NoError(t, l.Control.DeleteLink(t.Context(), link.Key()))
	}
	js, err := jetstream.New(l.Conn)
	require.NoError(t, err)
	kv, err := js.KeyValue(t.Context(), lattice.LatticeBucket(harness.Name))
	require.NoError(t, err)
	for i := range 100 {
		eventually(t, "a deleted link is gone", func() bool {
			e, err := kv.Get(t.Context(), lattice.SpecKey(fmt.Sprint("c", i)))
			return err == nil && !strings.Contains(string(e.Value()), "nobody")
		})
	}
}

// Secrets and schedules outlive a server as links and configs do.
func TestClusterKeepsSecretsAndSchedules(t *testing.T) {
	t.Parallel()
	l, _ := harness.NewCluster(t, 3)
	key, err := secret.NewKey()
	require.NoError(t, err)
	l.Host(nil)
	newSealer(l, key).put("db", "hush", "*")
	p, err := cron.New(cron.Config{ID: "cron", Holder: "here", Lattice: harness.Name, Conn: l.Conn, Log: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	require.NoError(t, p.SetLinks(provider.Settings{}, []messaging.Link{{Name: "a", Target: "b", Settings: provider.Settings{Config: map[string]string{"schedule": "@hourly"}}}})[0])
	js, err := jetstream.New(l.Conn)
	require.NoError(t, err)
	for _, bucket := range []string{lattice.SecretBucket(harness.Name), lattice.CronBucket(harness.Name)} {
		stream, err := js.Stream(t.Context(), lattice.BucketStream(bucket))
		require.NoError(t, err)
		require.Equal(t, lattice.ClusterReplicas, stream.CachedInfo().Config.Replicas, bucket)
	}
}
