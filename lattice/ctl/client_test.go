package ctl_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

func TestPingHostsGathersAll(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 0)
	nc := connect(t, url)
	client := newClient(t, nc)
	hosts, err := client.PingHosts(t.Context())
	require.NoError(t, err)
	require.Empty(t, hosts, "an empty lattice is known to be empty at once")

	var ids []string
	for range 3 {
		h, _ := newHost(t, connect(t, url), nil)
		ids = append(ids, h.id)
	}
	// A peer that answers nonsense, and one that repeats a host, change nothing.
	_, err = nc.Subscribe("wasmbus.ctl.v1.default.host.ping", func(msg *nats.Msg) {
		for _, answer := range []string{
			`nonsense`, `{"success":true}`, `{"success":true,"message":"","response":{"id":7}}`,
			`{"success":true,"message":"","response":{}}`,
			`{"success":false,"message":"","response":{"id":"liar"}}`,
			`{"success":true,"message":"","response":{"id":"` + ids[0] + `"}}`,
		} {
			_ = msg.Respond([]byte(answer))
		}
	})
	require.NoError(t, err)
	hosts, err = client.PingHosts(t.Context())
	require.NoError(t, err)
	var got []string
	for _, h := range hosts {
		got = append(got, h.ID)
	}
	require.ElementsMatch(t, ids, got)
	require.IsIncreasing(t, got)
}

func TestPingHostsWaitsForSlowAnswers(t *testing.T) {
	t.Parallel()
	url := startNATS(t, 0)
	fast, _ := newHost(t, connect(t, url), nil)
	slow, _ := newHost(t, connect(t, url), nil)
	answered := make(chan struct{})
	fast.ping = func(context.Context) (*ctl.Host, error) {
		defer close(answered)
		return &ctl.Host{ID: fast.id}, nil
	}
	slow.ping = func(context.Context) (*ctl.Host, error) {
		<-answered
		return &ctl.Host{ID: slow.id}, nil
	}
	hosts, err := newClient(t, connect(t, url)).PingHosts(t.Context())
	require.NoError(t, err)
	require.Len(t, hosts, 2)
}

func TestPingHostsEndsEarlyOnV1Mark(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	_, err := nc.Subscribe("wasmbus.ctl.v1.default.host.ping", func(msg *nats.Msg) {
		_ = msg.Respond([]byte(`{"success":true,"message":"","response":{"id":"one"}}`))
		_ = msg.Respond(nil)
		_ = msg.Respond([]byte(`{"success":true,"message":"","response":{"id":"two"}}`))
	})
	require.NoError(t, err)
	hosts, err := newClient(t, nc).PingHosts(t.Context())
	require.NoError(t, err)
	require.Len(t, hosts, 1)
}

func TestPingHostsTellsSilence(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	_, err := nc.SubscribeSync("wasmbus.ctl.v1.default.host.ping")
	require.NoError(t, err)
	client, err := ctl.NewClient(ctl.ClientConfig{Conn: nc, Lattice: testLattice, GatherTimeout: 20 * time.Millisecond})
	require.NoError(t, err)
	_, err = client.PingHosts(t.Context())
	require.ErrorIs(t, err, lattice.ErrTimeout)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = newClient(t, nc).PingHosts(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestErrorsNameWhoDidNotAnswer(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	client := newClient(t, nc)
	identity, err := lattice.NewIdentity("")
	require.NoError(t, err)

	_, err = client.Inventory(t.Context(), identity.ID)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.EqualError(t, err, "host.get: no host "+identity.ID+" answers at "+nc.ConnectedUrl())
	_, err = client.Links(t.Context())
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.EqualError(t, err, "link.get: no host in lattice default answers at "+nc.ConnectedUrl())
	_, err = client.Inventory(t.Context(), "not-a-host")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorIs(t, client.PutLink(t.Context(), lattice.Link{}), lattice.ErrInvalid)
	require.ErrorIs(t, client.DeleteLink(t.Context(), lattice.LinkKey{}), lattice.ErrInvalid)

	_, err = nc.SubscribeSync("wasmbus.ctl.v1.default.host.get." + identity.ID)
	require.NoError(t, err)
	quick, err := ctl.NewClient(ctl.ClientConfig{Conn: nc, Lattice: testLattice, Timeout: 20 * time.Millisecond})
	require.NoError(t, err)
	_, err = quick.Inventory(t.Context(), identity.ID)
	require.ErrorIs(t, err, lattice.ErrTimeout)
	require.ErrorContains(t, err, "wasmbus.ctl.v1.default.host.get."+identity.ID)
	require.ErrorContains(t, err, nc.ConnectedUrl())

	nc.Close()
	_, err = client.Links(t.Context())
	require.ErrorIs(t, err, lattice.ErrDisconnected)
	_, err = client.PingHosts(t.Context())
	require.ErrorIs(t, err, lattice.ErrDisconnected)
}

func TestAnswersAreChecked(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		``, `x`, `[]`, `{"success":true}`, `{"message":""}`,
		`{"success":true,"message":""}`, `{"success":true,"message":"","response":7}`,
	} {
		nc := connect(t, startNATS(t, 0))
		_, err := nc.Subscribe("wasmbus.ctl.v1.default.link.get", func(msg *nats.Msg) { _ = msg.Respond([]byte(answer)) })
		require.NoError(t, err)
		_, err = newClient(t, nc).Links(t.Context())
		require.ErrorIs(t, err, lattice.ErrInvalid, "%q", answer)
	}
}

func TestScaleReturnsTheWarning(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, nil)
	host.scale = func(context.Context, *ctl.ScaleComponent) (string, error) { return "mind the gap", nil }
	warning, err := newClient(t, nc).ScaleComponent(t.Context(), host.id, ctl.ScaleComponent{ComponentRef: "r", ComponentID: "c"})
	require.NoError(t, err)
	require.Equal(t, "mind the gap", warning)

	err = newClient(t, nc).StopProvider(t.Context(), host.id, "absent")
	var refused *ctl.RefusedError
	require.ErrorAs(t, err, &refused)
	require.EqualError(t, err, "provider.stop: provider with that ID is not running")
}

func TestContract(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 4096))
	client := newClient(t, nc)
	_, err := client.Contract(t.Context(), "counter")
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.EqualError(t, err, "wit: no host that runs counter answers at "+nc.ConnectedUrl())

	want := ctl.Contract{Digest: "sha256:00", WIT: "package a:b;", Exports: []string{"a:b/c@0.1.0"}}
	srv, err := ctl.ServeContract(nc, testLattice, "counter", want)
	require.NoError(t, err)
	got, err := client.Contract(t.Context(), "counter")
	require.NoError(t, err)
	require.Equal(t, &want, got)
	msg, err := nc.Request("lath.v1.default.wit.counter", nil, 20*time.Second)
	require.NoError(t, err)
	require.Equal(t, `{"digest":"sha256:00","wit":"package a:b;","exports":["a:b/c@0.1.0"]}`, string(msg.Data))
	require.NoError(t, srv.Close())
	require.NoError(t, srv.Close())
	_, err = client.Contract(t.Context(), "counter")
	require.ErrorIs(t, err, lattice.ErrNotFound)

	big, err := ctl.ServeContract(nc, testLattice, "big", ctl.Contract{Digest: "d", WIT: strings.Repeat("x", 5000)})
	require.NoError(t, err)
	defer big.Close()
	_, err = client.Contract(t.Context(), "big")
	require.ErrorIs(t, err, lattice.ErrUnsupported)
	require.ErrorContains(t, err, "4096 that NATS carries")
	_, err = client.Contract(t.Context(), "a.b")
	require.ErrorIs(t, err, lattice.ErrInvalid)
}
