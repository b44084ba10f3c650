package wrpc_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
)

// knows are hosts that a test knows of.
type knows struct {
	suspect bool
	hosts   []string
}

func (k knows) Suspect(string) bool        { return k.suspect }
func (k knows) Candidates(string) []string { return k.hosts }

// callee is a host that serves echo and counts who asks.
type callee struct{ asked, ran atomic.Int32 }

// newCallee starts a host; full: it turns every call away. group: it is in the
// queue group, too.
func newCallee(t testing.TB, srv *natsserver.Server, host string, group bool, full error) *callee {
	t.Helper()
	c := &callee{}
	e := echoExport(t, func(ctx context.Context, req *wrpc.Request) ([]byte, error) {
		c.ran.Add(1)
		return echo(ctx, req)
	})
	e.Admit = func(context.Context, *wrpc.Request) (func(), error) {
		c.asked.Add(1)
		return func() {}, full
	}
	e.Direct = lattice.DirectPrefix("default", host, "echo")
	if !group {
		e.Prefix, e.Direct = e.Direct, ""
	}
	newServer(t, srv, wrpc.ServerConfig{Host: host}, e)
	return c
}

var bare = wrpc.Target{Instance: echoInstance, Func: "echo"}

func TestTriesElsewhere(t *testing.T) {
	t.Parallel()
	busy := &wrpc.Error{Code: wrpc.Busy, Detail: "full"}
	t.Run("busy", func(t *testing.T) {
		t.Parallel()
		srv := startNATS(t, 0)
		a := newCallee(t, srv, "A", true, busy)
		b := newCallee(t, srv, "B", false, nil)
		c := wrpc.NewCaller(newClient(t, srv, wrpc.ClientConfig{}), "default", knows{hosts: []string{"A", "gone", "B"}})
		out, info, err := c.Call(testContext(t), "echo", bare, wrpc.Meta{}, []byte{1, 7})
		require.NoError(t, err)
		require.True(t, info.Lath)
		require.Equal(t, []byte{1, 7}, out)
		require.Equal(t, []int32{1, 1, 1}, []int32{a.asked.Load(), b.asked.Load(), b.ran.Load()}, "no host is asked twice")
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		srv := startNATS(t, 0)
		newCallee(t, srv, "A", true, &wrpc.Error{Code: wrpc.Refused})
		b := newCallee(t, srv, "B", false, nil)
		c := wrpc.NewCaller(newClient(t, srv, wrpc.ClientConfig{}), "default", knows{hosts: []string{"B"}})
		_, _, err := c.Call(testContext(t), "echo", bare, wrpc.Meta{}, []byte{0})
		require.NoError(t, err)
		require.EqualValues(t, 1, b.ran.Load())
	})
	t.Run("all busy", func(t *testing.T) {
		t.Parallel()
		srv := startNATS(t, 0)
		var all []*callee
		list := []string{"A", "B", "C", "D", "E"}
		for _, host := range list {
			all = append(all, newCallee(t, srv, host, host == "A", &wrpc.Error{Code: wrpc.Busy, Detail: host}))
		}
		c := wrpc.NewCaller(newClient(t, srv, wrpc.ClientConfig{}), "default", knows{hosts: list})
		_, _, err := c.Call(testContext(t), "echo", bare, wrpc.Meta{}, []byte{0})
		require.ErrorIs(t, err, wrpc.ErrBusy)
		require.NotErrorIs(t, err, wrpc.ErrMayHaveRun)
		require.Equal(t, "A", asError(t, err).Detail, "the first one's reason")
		for i, c := range all {
			require.Equal(t, int32(min(1, 4-i)), c.asked.Load(), "host %s; a few attempts, not all", list[i])
		}
	})
	t.Run("nobody in the group", func(t *testing.T) {
		t.Parallel()
		srv := startNATS(t, 0)
		newCallee(t, srv, "B", false, nil)
		client := newClient(t, srv, wrpc.ClientConfig{})
		_, _, err := wrpc.NewCaller(client, "default", knows{hosts: []string{"gone", "B"}}).Call(testContext(t), "echo", bare, wrpc.Meta{}, []byte{0})
		require.NoError(t, err)
		for _, hosts := range []wrpc.Hosts{nil, knows{}, knows{hosts: []string{"gone"}}, knows{suspect: true, hosts: []string{"gone"}}} {
			_, _, err = wrpc.NewCaller(client, "default", hosts).Call(testContext(t), "echo", bare, wrpc.Meta{}, []byte{0})
			require.ErrorIs(t, err, wrpc.ErrNotConnected, "%v", hosts)
		}
	})
	t.Run("not what has run", func(t *testing.T) {
		t.Parallel()
		srv := startNATS(t, 0)
		newServer(t, srv, wrpc.ServerConfig{}, echoExport(t, func(context.Context, *wrpc.Request) ([]byte, error) { return nil, busy }))
		b := newCallee(t, srv, "B", false, nil)
		c := wrpc.NewCaller(newClient(t, srv, wrpc.ClientConfig{}), "default", knows{hosts: []string{"B"}})
		_, _, err := c.Call(testContext(t), "echo", bare, wrpc.Meta{}, []byte{0})
		require.ErrorIs(t, err, wrpc.ErrBusy)
		require.ErrorIs(t, err, wrpc.ErrMayHaveRun, "it said busy after it had accepted")
		require.Zero(t, b.asked.Load())
	})
	t.Run("within the time of one call", func(t *testing.T) {
		t.Parallel()
		srv := startNATS(t, 0)
		newCallee(t, srv, "A", true, busy)
		newRaw(t, srv, lattice.DirectSubject("default", "B", "echo", echoInstance, "echo")) // never answers
		c := wrpc.NewCaller(newClient(t, srv, wrpc.ClientConfig{Timeout: time.Second}), "default", knows{hosts: []string{"B"}})
		_, _, err := c.Call(context.Background(), "echo", bare, wrpc.Meta{}, []byte{0})
		require.ErrorIs(t, err, wrpc.ErrTimeout)
		require.ErrorIs(t, err, wrpc.ErrMayHaveRun)
	})
}

func TestSteersRoundSuspects(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	dead := newRaw(t, srv, echoSubject) // in no group, but hears what goes to it
	b := newCallee(t, srv, "B", true, nil)
	client := newClient(t, srv, wrpc.ClientConfig{})
	_, _, err := wrpc.NewCaller(client, "default", knows{suspect: true, hosts: []string{"gone", "B"}}).Call(testContext(t), "echo", bare, wrpc.Meta{}, []byte{0})
	require.NoError(t, err)
	dead.quiet()
	_, _, err = wrpc.NewCaller(client, "default", knows{suspect: true, hosts: []string{"gone"}}).Call(testContext(t), "echo", bare, wrpc.Meta{}, []byte{0})
	require.NoError(t, err, "where no host that is known has it, the group may")
	require.Equal(t, echoSubject, dead.next().Subject)
	require.EqualValues(t, 2, b.ran.Load())
}

// Calls end when their host is unreachable, and no others.
func TestLost(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, 0)
	direct := lattice.DirectSubject("default", "A", "echo", echoInstance, "echo")
	a, b := newRaw(t, srv, echoSubject, direct), newRaw(t, srv)
	client := newClient(t, srv, wrpc.ClientConfig{})
	ended := map[string]chan error{}
	start := func(name string, target wrpc.Target) (reply string) {
		done := make(chan error, 1)
		ended[name] = done
		go func() {
			_, _, err := client.Call(testContext(t), target, wrpc.Meta{}, []byte{0})
			done <- err
		}()
		return a.next().Reply
	}
	accepted := start("accepted by A", echoTarget)
	a.send(accepted, a.in+".1", nil, lattice.HeaderLath, "1")
	atB := start("accepted by B", echoTarget)
	b.send(atB, b.in+".1", nil, lattice.HeaderLath, "1")
	start("given to A", wrpc.Target{Subject: direct})
	start("given to the group", echoTarget)
	lateB := start("in line at B", echoTarget)
	stream, err := client.Invoke(testContext(t), echoTarget, wrpc.Meta{}, []byte{0})
	require.NoError(t, err)
	a.send(a.next().Reply, a.in+".2", nil, lattice.HeaderLath, "1")
	_, err = stream.Accepted()
	require.NoError(t, err)
	for a.next().Subject != a.in+".2.params" { // everything before has arrived at the client
	}

	client.Lost("default", "A", a.in, []string{"other", "echo"})
	b.send(lateB, b.in+".2", nil, lattice.HeaderLath, "1")
	for _, name := range []string{"accepted by A", "given to A", "given to the group"} {
		err := <-ended[name]
		require.ErrorIs(t, err, wrpc.ErrLost, name)
		require.ErrorIs(t, err, wrpc.ErrMayHaveRun, name)
		require.ErrorIs(t, err, wrpc.ErrUnreachable, name)
		require.Equal(t, "A", asError(t, err).Host)
		require.ErrorContains(t, err, "lost: the host is unreachable (may have run)")
	}
	require.ErrorIs(t, stream.Wait(), wrpc.ErrUnreachable)
	require.NoError(t, stream.Close())
	cancels := map[string]bool{}
	for len(cancels) < 2 { // should A only have been away, it need not go on
		cancels[a.next().Subject] = true
	}
	require.Equal(t, map[string]bool{a.in + ".1.cancel": true, a.in + ".2.cancel": true}, cancels)

	for _, at := range []string{atB, lateB} {
		b.send(lattice.ResultsSubject(at), "", []byte{0})
		b.send(lattice.ResultsSubject(at), "", nil, lattice.HeaderStatus, "ok")
	}
	require.NoError(t, <-ended["accepted by B"])
	require.NoError(t, <-ended["in line at B"])
}
