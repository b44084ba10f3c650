package lattice_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// A component that traps is told of, by one event for many calls, where v1's
// readers do not hear it.
func TestTrapsAreTold(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Start("c", "types", 4))
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	defer cancel()
	v1, err := l.Conn.SubscribeSync(lattice.AllEvents(harness.Name))
	require.NoError(t, err)
	own, err := event.Subscribe(ctx, l.Conn, harness.Name, event.ComponentTrappedName, event.ComponentCrashLoopName)
	require.NoError(t, err)
	defer own.Close()

	const calls = 200
	began := time.Now()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range calls / 4 {
				_, _, err := l.Calls.Call(ctx, wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "c"), Instance: "example:types/failures", Func: "trap"},
					wrpc.Meta{SourceID: "someone"}, nil)
				if !isTrap(err) {
					t.Errorf("not a trap: %v", err)
				}
			}
		})
	}
	wg.Wait()
	var told, counted uint64
	var loop *event.ComponentCrashLoop
	for counted < calls || loop == nil {
		e, err := own.Next(ctx)
		require.NoError(t, err, "%d of %d calls were told, a crash loop: %v", counted, calls, loop)
		require.Equal(t, n.ID, e.Source)
		switch d := e.Data.(type) {
		case event.ComponentTrapped:
			told++
			counted += d.Count
			require.Equal(t, "example:types/failures.trap", d.Function)
			require.Equal(t, "unreachable", d.Code)
			require.Equal(t, "someone", d.SourceID)
			require.Equal(t, "c: example:types/failures.trap: unreachable (trace "+d.TraceID+")", d.Cause)
			require.Len(t, d.TraceID, 32)
		case event.ComponentCrashLoop:
			loop = &d
		}
	}
	require.EqualValues(t, calls, counted)
	require.LessOrEqual(t, told, 2+uint64(time.Since(began)/time.Second), "at most one a second")
	require.GreaterOrEqual(t, loop.Traps, uint64(10))
	_, err = v1.NextMsg(time.Millisecond)
	require.Error(t, err, "v1's readers hear nothing of it")
}

func isTrap(err error) bool {
	return err != nil && strings.Contains(err.Error(), "example:types/failures.trap: unreachable")
}

// Whoever may publish can tell anything in the name of any host. Nothing that he
// tells takes a host, what runs on it, its links or its configs away.
func TestEventsThatLie(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a, b := l.Host(nil), l.Host(nil)
	require.NoError(t, a.Start("caller", "chain", 4))
	require.NoError(t, b.Start("callee", "chain", 4))
	require.NoError(t, l.Link("caller", "callee", "example:chain/step"))
	require.NoError(t, l.Control.PutConfig(t.Context(), "c", map[string]string{"k": "v"}))
	beat := l.Events() // to be replayed
	liar, err := event.NewPublisher(event.PublisherConfig{Conn: l.Conn, Lattice: harness.Name, HostID: b.ID})
	require.NoError(t, err)
	link := lattice.Link{SourceID: "caller", Target: "nobody", Name: "default", WITNamespace: "example", WITPackage: "chain", Interfaces: []string{"step"}}
	lies := []event.Data{
		event.HostStopped{},
		event.HostHeartbeat{Inventory: lattice.Inventory{HostID: b.ID, FriendlyName: "b", Version: "0.0.0"}}, // it runs nothing
		event.HostStarted{FriendlyName: "b", Version: "0.0.0"},
		event.ComponentScaled{HostID: b.ID, ComponentID: "callee"},
		event.ComponentScaled{HostID: "NNOBODY", ComponentID: "callee", MaxInstances: 1},
		event.ComponentScaleFailed{HostID: b.ID, ComponentID: "callee", Error: "no"},
		event.ProviderStarted{HostID: b.ID, ProviderID: "callee"},
		event.ProviderStopped{HostID: b.ID, ProviderID: "callee", Reason: "stop"},
		event.LinkDeleted{SourceID: "caller", Name: "default", WITNamespace: "example", WITPackage: "chain"},
		event.LinkSet{Link: link},
		event.ConfigDeleted{ConfigName: "c"},
		event.LabelsChanged{HostID: b.ID},
		event.ComponentCrashLoop{HostID: b.ID, ComponentID: "callee"},
	}
	for _, lie := range lies {
		for range 3 {
			require.NoError(t, liar.Publish(lie))
		}
	}
	for range lies { // as they were, once more, and in pieces
		was := beat.Next()
		raw := fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"type":%q,"source":%q,"data":%s}`, was.ID, was.Type, was.Source, was.Data)
		require.NoError(t, l.Conn.Publish(was.Subject, raw))
		require.NoError(t, l.Conn.Publish(was.Subject, raw[:len(raw)/2]))
	}
	require.NoError(t, lattice.Flush(t.Context(), l.Conn))

	for range 20 {
		got, err := l.Call(t.Context(), a, "caller", "example:chain/step.go(1, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(2)", got.WAVE)
	}
	hosts, err := l.Control.PingHosts(t.Context())
	require.NoError(t, err)
	require.Len(t, hosts, 2)
	inv, err := l.Control.Inventory(t.Context(), b.ID)
	require.NoError(t, err)
	require.Equal(t, "callee", inv.Components[0].ID)
	links, err := l.Control.Links(t.Context())
	require.NoError(t, err)
	require.Len(t, links, 1)
	require.Equal(t, "callee", links[0].Target)
	config, err := l.Control.Config(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, config)
}
