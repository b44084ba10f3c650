package natsserver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
)

func routes(hosts ...string) []string {
	var list []string
	for _, h := range hosts {
		list = append(list, "nats://"+h+":6222")
	}
	return list
}

func TestClusterSizes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		addr   string
		routes []string
		size   int
		refuse string
	}{
		{name: "the others", addr: "10.0.0.1:6222", routes: routes("10.0.0.2", "10.0.0.3"), size: 3},
		{name: "all", addr: "10.0.0.1:6222", routes: routes("10.0.0.1", "10.0.0.2", "10.0.0.3"), size: 3},
		{name: "five", addr: "10.0.0.1", routes: routes("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"), size: 5},
		{name: "one twice", addr: "10.0.0.1", routes: routes("10.0.0.2", "10.0.0.2", "10.0.0.3"), size: 3},
		{name: "this machine by another name", addr: "10.0.0.1", routes: routes("127.0.0.1", "10.0.0.2", "10.0.0.3"), size: 3},
		{name: "one machine", addr: "127.0.0.1:7001", routes: []string{"127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"}, size: 3},
		{name: "nobody", addr: "10.0.0.1", refuse: "name the others"},
		{name: "two", addr: "10.0.0.1", routes: routes("10.0.0.2"), refuse: "no majority"},
		{name: "two, with itself", addr: "10.0.0.1", routes: routes("10.0.0.1", "10.0.0.2"), refuse: "no majority"},
		{name: "four", addr: "10.0.0.1", routes: routes("10.0.0.2", "10.0.0.3", "10.0.0.4"), refuse: "have 3 or 5"},
		{name: "six", addr: "10.0.0.1", routes: routes("10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"), refuse: "have 3 or 5"},
	} {
		c := natsserver.Cluster{Name: "c", Addr: test.addr, Routes: test.routes}
		n, err := c.Size(t.Context(), "")
		require.Equal(t, test.size, n, test.name)
		if test.refuse == "" {
			require.NoError(t, err, test.name)
		} else {
			require.ErrorContains(t, err, test.refuse, test.name)
		}
	}
	// Behind another address it is that by which the others know it.
	c := natsserver.Cluster{Name: "c", Addr: "0.0.0.0:6222", Advertise: "nat.example:7000", Routes: append(routes("10.0.0.2", "10.0.0.3"), "nat.example:7000")}
	n, err := c.Size(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

func TestClustersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	ok := routes("10.0.0.2", "10.0.0.3")
	for _, c := range []natsserver.Cluster{
		{Name: "", Routes: ok},
		{Name: "two words", Routes: ok},
		{Name: "a.b", Routes: ok},
		{Name: "c", Addr: "http://x", Routes: ok},
		{Name: "c", Addr: "x:0", Routes: ok},
		{Name: "c", Addr: "x:70000", Routes: ok},
		{Name: "c", Addr: "nats://secret@x", Routes: ok},
		{Name: "c", Advertise: "x", Routes: ok},
		{Name: "c", Advertise: "x:y", Routes: ok},
		{Name: "c", Routes: append(ok, "nats://u:secret@\x00")},
		{Name: "c", Routes: append(ok, "nats://u:secret@:6222")},
		{Name: "c", Routes: append(ok, "nats://u:secret@h/path")},
	} {
		_, err := c.Size(t.Context(), "")
		require.Error(t, err, "%+v", c)
		require.NotContains(t, strings.ReplaceAll(err.Error(), "secret@x", ""), "secret", "%+v", c)
	}
}

// clusterOf are the configurations of a cluster on this machine, with a password.
func clusterOf(t *testing.T, n int) []natsserver.Config {
	t.Helper()
	ports := natsservertest.FreePorts(t, n)
	var all []string
	for _, p := range ports {
		all = append(all, fmt.Sprintf("127.0.0.1:%d", p))
	}
	list := make([]natsserver.Config, n)
	for i, addr := range all {
		list[i] = natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort, Name: fmt.Sprint("s", i),
			Cluster: &natsserver.Cluster{Name: "c", Addr: "nats://us:secret@" + addr, Routes: all}}
	}
	return list
}

func TestClusterForms(t *testing.T) {
	t.Parallel()
	cfgs := clusterOf(t, 3)
	var servers []*natsserver.Server
	for _, cfg := range cfgs {
		servers = append(servers, start(t, cfg))
	}
	require.Equal(t, "c", servers[0].Cluster())
	nc := connect(t, servers[0].URL())
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b", Replicas: 3})
		return err == nil
	}, time.Minute, 100*time.Millisecond, "a bucket on three servers")
	require.Eventually(t, func() bool { return len(nc.Servers()) == 3 }, time.Minute, 10*time.Millisecond, "clients learn of all servers")

	// One that does not know the password is none of them.
	stranger := cfgs[1]
	stranger.StoreDir, stranger.Name = t.TempDir(), "stranger"
	stranger.Cluster = &natsserver.Cluster{Name: "c", Addr: fmt.Sprintf("127.0.0.1:%d", natsservertest.FreePorts(t, 1)[0]),
		Routes: []string{strings.Replace(cfgs[0].Cluster.Addr, "us:secret@", "us:wrong@", 1), strings.Replace(cfgs[1].Cluster.Addr, "us:secret@", "us:wrong@", 1)}}
	alone := start(t, stranger)
	other := connect(t, alone.URL())
	_, err = nc.Subscribe("members", func(m *nats.Msg) { _ = m.Respond(nil) })
	require.NoError(t, err)
	// It may tell its own clients of the servers that it finds, until they refuse it.
	require.Never(t, func() bool {
		_, err := other.Request("members", nil, time.Second)
		return !errors.Is(err, nats.ErrNoResponders) || len(nc.Servers()) > 3
	}, 300*time.Millisecond, 20*time.Millisecond)
}

// NATS deletes what a server stored alone when it is started in a cluster.
func TestStoresAreNotStartedInAnotherWay(t *testing.T) {
	t.Parallel()
	cfg := clusterOf(t, 3)[0]
	alone := cfg
	alone.Cluster = nil
	first, err := natsserver.Start(t.Context(), alone)
	require.NoError(t, err)
	nc := connect(t, first.URL())
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b"})
	require.NoError(t, err)
	nc.Close()
	require.NoError(t, first.Shutdown(t.Context()))

	_, err = natsserver.Start(t.Context(), cfg)
	require.ErrorIs(t, err, natsserver.ErrStandaloneStore)
	require.ErrorContains(t, err, cfg.StoreDir)
	// Neither by a configuration file.
	file := filepath.Join(t.TempDir(), "nats.conf")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "server_name: x\ncluster { name: c, listen: \"127.0.0.1:%d\" }", natsservertest.FreePorts(t, 1)[0]), 0o600))
	byFile := alone
	byFile.ConfigFile = file
	_, err = natsserver.Start(t.Context(), byFile)
	require.ErrorIs(t, err, natsserver.ErrStandaloneStore)
	// The refusals have left it as it was.
	again := start(t, alone)
	js, err = jetstream.New(connect(t, again.URL()))
	require.NoError(t, err)
	_, err = js.KeyValue(t.Context(), "b")
	require.NoError(t, err)

	member := cfg
	member.StoreDir = t.TempDir()
	s, err := natsserver.Start(t.Context(), member)
	require.NoError(t, err)
	require.NoError(t, s.Shutdown(context.Background()))
	member.Cluster = nil
	_, err = natsserver.Start(t.Context(), member)
	require.ErrorIs(t, err, natsserver.ErrClusterStore)
}

func TestClusterNeedsANameAndOneSource(t *testing.T) {
	t.Parallel()
	cfg := clusterOf(t, 3)[0]
	cfg.Name = ""
	_, err := natsserver.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "name of its own")

	cfg.Name = "x"
	cfg.ConfigFile = filepath.Join(t.TempDir(), "nats.conf")
	require.NoError(t, os.WriteFile(cfg.ConfigFile, []byte("cluster { name: other, port: -1 }"), 0o600))
	_, err = natsserver.Start(t.Context(), cfg)
	require.ErrorContains(t, err, "give one of them")
}
