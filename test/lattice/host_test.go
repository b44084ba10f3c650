package lattice_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// What v1's tools read of a host, to the field.
func TestHostEventsAndAnswers(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	told := l.Events()
	n := l.Host(func(c *host.Config) {
		c.Version, c.Labels = "1.2.3", map[string]string{"zone": "a"}
		c.Heartbeat = 50 * time.Millisecond
	})
	started := told.Next()
	require.Equal(t, "wasmbus.evt.default.host_started", started.Subject)
	require.Equal(t, "1.0", started.SpecVersion)
	require.Equal(t, "com.wasmcloud.lattice.host_started", started.Type)
	require.Equal(t, n.ID, started.Source)
	require.Equal(t, "application/json", started.DataContentType)
	require.Len(t, started.ID, 36)
	require.WithinDuration(t, time.Now(), started.Time, time.Minute)
	require.Equal(t, []string{"friendly_name", "labels", "uptime_seconds", "version"}, keys(t, started.Data))

	hosts, err := l.Control.PingHosts(t.Context())
	require.NoError(t, err)
	require.Len(t, hosts, 1)
	require.Equal(t, n.ID, hosts[0].ID)
	require.Equal(t, "1.2.3", hosts[0].Version)
	require.Equal(t, "a", hosts[0].Labels["zone"])
	require.Subset(t, slices.Collect(maps.Keys(hosts[0].Labels)), []string{"hostcore.arch", "hostcore.os", "hostcore.osfamily"})
	require.Equal(t, l.URL, hosts[0].CtlHost)

	require.NoError(t, n.Start("c", "chain", 2))
	var beat harness.Event
	l.Eventually("a heartbeat that has the component", func() bool {
		beat = told.Next()
		return beat.Type == "com.wasmcloud.lattice.host_heartbeat" && jsonHas(beat.Data, "components")
	})
	require.Equal(t, []string{"components", "friendly_name", "host_id", "labels", "providers", "uptime_human", "uptime_seconds", "version"}, keys(t, beat.Data))
	var inv struct {
		Components []json.RawMessage `json:"components"`
		Providers  []json.RawMessage `json:"providers"`
	}
	require.NoError(t, json.Unmarshal(beat.Data, &inv))
	require.JSONEq(t, `{"id":"c","image_ref":"`+l.Image("chain")+`","annotations":{},"revision":0,"max_instances":2,"limits":null}`, string(inv.Components[0]))
	require.NotNil(t, inv.Providers, "never null")

	require.NoError(t, l.Control.StopHost(t.Context(), n.ID, 0))
	require.NoError(t, n.Ended())
	last := told.Next()
	for last.Type == "com.wasmcloud.lattice.host_heartbeat" || last.Type == "com.wasmcloud.lattice.component_scaled" {
		last = told.Next()
	}
	require.Equal(t, "com.wasmcloud.lattice.host_stopped", last.Type)
	require.Equal(t, []string{"labels"}, keys(t, last.Data))
	_, err = l.Control.Inventory(t.Context(), n.ID)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.EqualError(t, err, "host.get: no host "+n.ID+" answers at "+l.URL)
}

func keys(t *testing.T, data json.RawMessage) []string {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &m))
	return slices.Sorted(maps.Keys(m))
}

// jsonHas says whether a list in an object has anything in it.
func jsonHas(data json.RawMessage, list string) bool {
	var m map[string]json.RawMessage
	return json.Unmarshal(data, &m) == nil && len(m[list]) > 2
}

func TestHostDrains(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	gate := newGate()
	n := l.Host(gate.offer)
	require.NoError(t, n.Start("source", "greeter", 4))
	require.NoError(t, n.Start("target", "counter", 4))
	require.NoError(t, n.StartProvider("kv", "gate"))
	require.NoError(t, l.Link("source", "target", "example:counter/counter"))
	require.NoError(t, l.Link("target", "kv", "wasi:keyvalue/store,atomics"))
	greet := func() (harness.Answer, error) {
		return l.Call(context.Background(), n, "source", `example:greeter/greeter.greet("Ada")`)
	}
	type outcome struct {
		harness.Answer
		err error
	}
	running := make(chan outcome, 1)
	go func() {
		got, err := greet()
		running <- outcome{got, err}
	}()
	<-gate.reached // source → target → kv, and there it waits
	require.NoError(t, l.Control.StopHost(t.Context(), n.ID, harness.Wait))
	l.Eventually("new calls are refused", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := l.Calls.Call(ctx, wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "source"), Instance: "example:greeter/greeter", Func: "greet"}, wrpc.Meta{}, []byte{0})
		return err != nil
	})
	select {
	case o := <-running:
		t.Fatalf("the running call was cut off: %v %v", o.Answer, o.err)
	default:
	}
	close(gate.open)
	o := <-running
	require.NoError(t, o.err)
	require.Contains(t, o.WAVE, "Ada", "the call that ran has found all it needed")
	require.Contains(t, o.WAVE, "ok(")
	require.NoError(t, n.Ended())
	require.Zero(t, n.Runtime.MemoryInUse())
}

// What outlives the time to drain is cut off, and the caller is told.
func TestHostDrainEnds(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a := l.Host(nil)
	require.NoError(t, a.Start("source", "chain", 2))
	require.NoError(t, a.Start("target", "chain", 2))
	require.NoError(t, l.Link("source", "target", "example:chain/step"))
	running := make(chan error, 1)
	go func() {
		_, err := l.Call(context.Background(), a, "source", "example:chain/step.run(1, spin)")
		running <- err
	}()
	l.Eventually("it spins", func() bool { return a.Runtime.MemoryInUse() > 0 })
	require.NoError(t, l.Control.StopHost(t.Context(), a.ID, 100*time.Millisecond))
	err := <-running
	require.ErrorIs(t, err, wrpc.ErrLost)
	require.ErrorContains(t, err, "host is leaving")
	require.ErrorContains(t, a.Ended(), "deadline exceeded", "not all went well")
	require.Zero(t, a.Runtime.MemoryInUse())
}

// Requests that take long leave what runs half of the time to drain.
func TestHostDrainsPastItsRequests(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Start("c", "chain", 1))
	asked := make(chan struct{}, 1000)
	_, err := l.Conn.Subscribe(lattice.WITSubject(harness.Name, "silent"), func(*nats.Msg) { asked <- struct{}{} })
	require.NoError(t, err)
	require.NoError(t, l.Conn.Flush())
	ctx, cancel := context.WithCancel(t.Context())
	var putting sync.WaitGroup
	defer func() { cancel(); putting.Wait() }()
	for i := range 100 { // each waits for the silent one's contract
		putting.Go(func() {
			_ = l.Control.PutLink(ctx, lattice.Link{SourceID: "c", Name: fmt.Sprint(i), Target: "silent",
				WITNamespace: "example", WITPackage: "chain", Interfaces: []string{"step"}})
		})
	}
	<-asked
	require.NoError(t, l.Control.StopHost(t.Context(), n.ID, 4*time.Second))
	require.NoError(t, n.Ended())
}

func TestTwoHostsShareCalls(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a, b := l.Host(nil), l.Host(nil)
	for _, n := range []*harness.Node{a, b} {
		require.NoError(t, n.Start("c", "chain", 1))
	}
	// With one instance each, two calls that do not end need both hosts.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 2)
	spin := func(n *harness.Node) {
		_, err := l.Call(ctx, n, "c", "example:chain/step.run(0, spin)")
		ended <- err
	}
	go spin(a)
	l.Eventually("a is busy", func() bool { return a.Runtime.MemoryInUse() > 0 })
	require.Zero(t, b.Runtime.MemoryInUse(), "a direct subject reaches one host only")
	l.Eventually("calls reach b too", func() bool {
		short, done := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer done()
		got, err := l.Call(short, nil, "c", "example:chain/step.go(0, finish)")
		return err == nil && got.WAVE == "ok(1)"
	})
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	// One host leaves in the middle of calls: none of them is lost.
	stop := make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				failed <- nil
				return
			default:
			}
			if _, err := l.Call(t.Context(), nil, "c", "example:chain/step.go(0, finish)"); err != nil {
				failed <- err
				return
			}
		}
	}()
	a.Stop()
	close(stop)
	require.NoError(t, <-failed)
}
