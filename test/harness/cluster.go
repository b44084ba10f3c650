package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
)

// Cluster is a NATS cluster of embedded servers, each of which a test may stop and
// start again.
type Cluster struct {
	t       testing.TB
	configs []natsserver.Config
	servers []*natsserver.Server // nil: stopped
}

// NewCluster starts a NATS cluster of n servers, and connects to it.
func NewCluster(t testing.TB, n int) (*Lattice, *Cluster) {
	t.Helper()
	l := &Lattice{T: t, dir: t.TempDir()}
	c := &Cluster{t: t, configs: make([]natsserver.Config, n), servers: make([]*natsserver.Server, n)}
	for tries := 0; !c.boot(l.dir); tries++ {
		require.Less(t, tries, 10, "no ports that nobody takes meanwhile")
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.Stop(i)
		}
	})
	l.URL = c.URL()
	l.open()
	l.Eventually("the cluster has a leader", func() bool {
		js, err := jetstream.New(l.Conn)
		require.NoError(t, err)
		_, err = js.AccountInfo(t.Context())
		return err == nil
	})
	return l, c
}

// boot starts all servers, on ports that were free; false: somebody took one meanwhile,
// and none runs.
func (c *Cluster) boot(dir string) bool {
	c.t.Helper()
	n := len(c.configs)
	ports := natsservertest.FreePorts(c.t, 2*n)
	var routes []string
	for _, p := range ports[:n] {
		routes = append(routes, "nats://127.0.0.1:"+strconv.Itoa(p))
	}
	for i := range c.configs {
		c.configs[i] = natsserver.Config{
			StoreDir: filepath.Join(dir, fmt.Sprint("nats-", i)), Port: ports[n+i], Name: fmt.Sprint("server-", i),
			Cluster: &natsserver.Cluster{Name: "test", Addr: fmt.Sprintf("127.0.0.1:%d", ports[i]), Routes: routes},
		}
		s, err := natsserver.Start(context.Background(), c.configs[i])
		if err != nil && strings.Contains(err.Error(), "address already in use") {
			for j := range i {
				c.Stop(j)
			}
			return false
		}
		require.NoError(c.t, err)
		c.servers[i] = s
	}
	return true
}

// Start starts the server of that number, again with what it stored if it ran before.
func (c *Cluster) Start(i int) {
	c.t.Helper()
	s, err := natsserver.Start(context.Background(), c.configs[i])
	require.NoError(c.t, err)
	c.servers[i] = s
}

// Stop ends a server; its connections are lost. It may be called again.
func (c *Cluster) Stop(i int) {
	c.t.Helper()
	if c.servers[i] != nil {
		require.NoError(c.t, c.servers[i].Shutdown(context.Background()))
		c.servers[i] = nil
	}
}

// ServerURL is where clients connect to the server of that number.
func (c *Cluster) ServerURL(i int) string {
	return fmt.Sprintf("nats://127.0.0.1:%d", c.configs[i].Port)
}

// URL is where clients connect to any of the servers.
func (c *Cluster) URL() string {
	var list []string
	for i := range c.configs {
		list = append(list, c.ServerURL(i))
	}
	return strings.Join(list, ",")
}

// Whole says whether every server has all that the lattice stores, so that any one
// of them may go.
func (c *Cluster) Whole(l *Lattice) bool {
	js, err := jetstream.New(l.Conn)
	require.NoError(c.t, err)
	return Whole(c.t.Context(), js, Buckets()...)
}

// Whole says whether every server of a cluster that is to keep these buckets has all
// of them.
func Whole(ctx context.Context, js jetstream.JetStream, buckets ...string) bool {
	for _, bucket := range buckets {
		stream, err := js.Stream(ctx, lattice.BucketStream(bucket))
		if err != nil {
			return false
		}
		info := stream.CachedInfo()
		if info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != info.Config.Replicas-1 {
			return false
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				return false
			}
		}
	}
	return true
}

// Buckets are those of the lattice of a test.
func Buckets() []string {
	return []string{lattice.LatticeBucket(Name), lattice.ConfigBucket(Name), lattice.LathBucket(Name)}
}
