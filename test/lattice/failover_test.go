package lattice_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// patient has a NATS server that takes minutes to notice that a client is gone, as
// servers do that Lath does not configure.
const patient = `ping_interval: "2m"`

// load makes calls from several goroutines, one after the other, until it is ended.
type load struct {
	stop     context.CancelFunc
	done     sync.WaitGroup
	right    atomic.Int64
	turns    [4]atomic.Int64 // calls of each that have ended
	mu       sync.Mutex
	failures []error
}

// step calls a chain of two through a host.
func step(l *harness.Lattice, on *harness.Node, id string) func(context.Context) error {
	return func(ctx context.Context) error {
		got, err := l.Call(ctx, on, id, "example:chain/step.go(1, finish)")
		if err == nil && got.WAVE != "ok(2)" {
			err = errors.New(got.WAVE)
		}
		return err
	}
}

func underLoad(t *testing.T, call func(context.Context) error) *load {
	ctx, cancel := context.WithCancel(context.Background())
	u := &load{stop: cancel}
	for i := range u.turns {
		u.done.Go(func() {
			for ctx.Err() == nil {
				err := call(context.WithoutCancel(ctx))
				if err == nil {
					u.right.Add(1)
				} else {
					u.mu.Lock()
					u.failures = append(u.failures, err)
					u.mu.Unlock()
				}
				u.turns[i].Add(1)
			}
		})
	}
	t.Cleanup(u.end)
	return u
}

func (u *load) end() {
	u.stop()
	u.done.Wait()
}

// more waits for n more calls that go well.
func (u *load) more(l *harness.Lattice, n int64) {
	l.T.Helper()
	until := u.right.Load() + n
	l.Eventually(fmt.Sprintf("%d more calls", n), func() bool { return u.right.Load() >= until })
}

// settled waits until all calls that run now have ended.
func (u *load) settled(l *harness.Lattice) {
	l.T.Helper()
	for i := range u.turns {
		now := u.turns[i].Load()
		l.Eventually("a call ends", func() bool { return u.turns[i].Load() > now })
	}
}

// failed returns the failures since the last time.
func (u *load) failed() []error {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.failures
	u.failures = nil
	return list
}

// sees reports what a host thinks of another: "" where it has never heard it.
func sees(a, b *harness.Node) string {
	for _, p := range a.Host.Peers() {
		if p.ID == b.ID {
			return p.State.String()
		}
	}
	return ""
}

// runs waits until a host has heard that another runs an id.
func runs(l *harness.Lattice, a, b *harness.Node, id string) {
	l.T.Helper()
	l.Eventually("hosts hear of each other", func() bool {
		for _, p := range a.Host.Peers() {
			for i := range p.Loads {
				if p.ID == b.ID && p.Loads[i].ID == id {
					return true
				}
			}
		}
		return false
	})
}

// pair is a host with a component that calls "back", which two other hosts run.
func pair(l *harness.Lattice) (front, a, b *harness.Node) {
	t := l.T
	front, a, b = l.Host(nil), l.Distant(func(c *host.Config) { c.Restore = true }), l.Distant(nil)
	require.NoError(t, front.Start("front", "chain", 16))
	require.NoError(t, a.Start("back", "chain", 16))
	require.NoError(t, b.Start("back", "chain", 16))
	require.NoError(t, l.Link("front", "back", "example:chain/step"))
	runs(l, front, a, "back")
	runs(l, front, b, "back")
	return front, a, b
}

// One of two hosts that run a component is paused under load. NATS goes on giving
// it calls; the callers go round it. Nothing is deleted, and when it is back, it
// takes part again.
func TestPausedHost(t *testing.T) {
	t.Parallel()
	l := harness.NewWith(t, patient)
	front, a, b := pair(l)
	calls := underLoad(t, step(l, front, "front"))
	calls.more(l, 50)
	require.Empty(t, calls.failed())

	a.Wire.Pause()
	l.Eventually("it is unreachable", func() bool { return sees(front, a) == beat.Unreachable.String() })
	require.Equal(t, beat.Ready.String(), sees(front, b))
	// Those that it had, or may have had, end now and not at their deadlines, which
	// are further away than this test waits.
	calls.settled(l)
	for _, err := range calls.failed() {
		require.ErrorContains(t, err, "lost: host "+a.ID+" is unreachable (may have run)")
	}
	calls.more(l, 200)
	require.Empty(t, calls.failed(), "NATS still has it in the queue group")

	a.Wire.Resume()
	l.Eventually("it is back", func() bool { return sees(front, a) == beat.Ready.String() })
	calls.more(l, 50)
	calls.failed() // its connection may have been found stale by now
	l.Eventually("it takes part again", func() bool {
		got, err := l.Call(t.Context(), a, "back", "example:chain/step.go(0, finish)")
		return err == nil && got.WAVE == "ok(1)"
	})
	calls.more(l, 100)
	calls.end()
	inv, err := l.Control.Inventory(t.Context(), a.ID)
	require.NoError(t, err)
	require.Len(t, inv.Components, 1, "silence deletes nothing")
}

// A host whose machine loses power under load.
func TestKilledHost(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	front, a, _ := pair(l)
	calls := underLoad(t, step(l, front, "front"))
	calls.more(l, 50)
	a.Kill()
	calls.more(l, 200)
	l.Eventually("it is unreachable", func() bool { return sees(front, a) == beat.Unreachable.String() })
	calls.settled(l)
	for _, err := range calls.failed() {
		require.ErrorContains(t, err, "lost: host "+a.ID+" is unreachable (may have run)", "what it had accepted")
	}
	calls.more(l, 200)
	require.Empty(t, calls.failed())

	again := a.Restart()
	l.Eventually("it is back, with what it ran", func() bool { return sees(front, again) == beat.Ready.String() })
	runs(l, front, again, "back")
	calls.more(l, 50)
	require.Empty(t, calls.failed())
}

// A v1 caller knows no beats. The server's pings take the paused host out of the
// queue group.
func TestPausedHostLeavesQueueGroup(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	_, a, _ := pair(l)
	a.Wire.Pause()
	params := []byte{0, 0}
	l.Eventually("only the other one gets calls", func() bool {
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			_, _, err := l.Calls.Call(ctx, wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "back"), Instance: "example:chain/step", Func: "go"}, wrpc.Meta{}, params)
			cancel()
			if err != nil {
				return false
			}
		}
		return true
	})
}

// Hosts are stopped, one after the other, and components updated: no call fails.
func TestNoCallFailsWhenHostsLeave(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	front, a, b := pair(l)
	calls := underLoad(t, step(l, front, "front"))
	calls.more(l, 50)
	chain, err := examples.Component("chain")
	require.NoError(t, err)
	require.NoError(t, b.Scale(ctl.ScaleComponent{ComponentID: "back", ComponentRef: l.File("again.wasm", chain), MaxInstances: 16, AllowUpdate: true}))
	calls.more(l, 100)
	a.Stop()
	l.Eventually("who says that it leaves is forgotten", func() bool { return sees(front, a) == "" })
	calls.more(l, 100)
	calls.end()
	require.Empty(t, calls.failed())
}

// A host that is cut off blames nobody, and the others come back to it.
func TestPartitionedHost(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	front, a, b := pair(l)
	runs(l, a, b, "back")
	a.Wire.Cut()
	l.Eventually("the others miss it", func() bool { return sees(front, a) == beat.Unreachable.String() })
	require.Equal(t, beat.Ready.String(), sees(a, b), "it was not they who fell silent")
	a.Wire.Heal()
	l.Eventually("they have it again", func() bool { return sees(front, a) == beat.Ready.String() })
	require.Equal(t, beat.Ready.String(), sees(a, b))
}

// A host that has more calls than it can run steps aside from its queue group
// where another has room, also for callers that speak v1, and comes back.
func TestSaturatedHostStepsAside(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	slow, quick := newGate(), newGate()
	close(quick.open)
	a := l.Host(func(c *host.Config) {
		c.MaxWait = 2 * harness.Wait // those that wait here do so until the store is opened
		slow.offer(c)
	})
	b := l.Host(quick.offer)
	for _, n := range []*harness.Node{a, b} {
		require.NoError(t, n.StartProvider("kv", "gate"))
		require.NoError(t, n.Start("count", "counter", 2))
	}
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	runs(l, a, b, "count")
	runs(l, b, a, "count")
	isAside := func() bool {
		for _, p := range b.Host.Peers() {
			for i := range p.Loads {
				if p.ID == a.ID && p.Loads[i].ID == "count" {
					return p.Loads[i].Aside
				}
			}
		}
		return false
	}
	call := func(ctx context.Context, prefix string) error {
		_, _, err := l.Calls.Call(ctx, wrpc.Target{Prefix: prefix, Instance: "example:counter/counter", Func: "increment"}, wrpc.Meta{}, []byte{1, 'x'})
		return err
	}
	ended := make(chan error, 4)
	for range cap(ended) {
		go func() { ended <- call(context.Background(), lattice.DirectPrefix(harness.Name, a.ID, "count")) }()
	}
	<-slow.reached
	l.Eventually("it steps aside", isAside)
	l.Eventually("a caller that knows no hosts finds the one with room", func() bool {
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			err := call(ctx, lattice.RPCPrefix(harness.Name, "count"))
			cancel()
			if err != nil {
				return false
			}
		}
		return true
	})
	close(slow.open)
	for range cap(ended) {
		require.NoError(t, <-ended, "those that waited have their turn")
	}
	l.Eventually("it comes back", func() bool { return !isAside() })
	before := slow.answered.Load()
	l.Eventually("and gets calls", func() bool {
		require.NoError(t, call(t.Context(), lattice.RPCPrefix(harness.Name, "count")))
		return slow.answered.Load() > before
	})
}

// A call along a link that meets a full host goes to another, within its deadline;
// and calls that come by NATS are refused there only if they speak Lath.
func TestBusyHostIsPassedBy(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	slow, quick := newGate(), newGate()
	defer close(slow.open)
	close(quick.open)
	hasty := func(c *host.Config) {
		c.MaxWait = time.Millisecond
		slow.offer(c)
	}
	front, a, b := l.Host(nil), l.Host(hasty), l.Host(quick.offer)
	for _, n := range []*harness.Node{a, b} {
		require.NoError(t, n.StartProvider("kv", "gate"))
		require.NoError(t, n.Start("count", "counter", 1))
	}
	require.NoError(t, front.Start("front", "greeter", 8))
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	require.NoError(t, l.Link("front", "count", "example:counter/counter"))
	runs(l, front, a, "count")
	runs(l, front, b, "count")
	ctx, cancel := context.WithCancel(t.Context())
	var held sync.WaitGroup
	held.Go(func() {
		_, _ = l.Call(ctx, a, "count", `example:counter/counter.increment("x")`) // takes a's only instance
	})
	<-slow.reached
	for range 20 { // half of them come to a first
		got, err := l.Call(t.Context(), front, "front", `example:greeter/greeter.greet("Ada")`)
		require.NoError(t, err)
		require.Equal(t, "ok(", got.WAVE[:3], got.WAVE)
	}
	require.EqualValues(t, 20, quick.answered.Load())
	cancel()
	held.Wait()
}

// A link's source config bounds its calls, on both routes, and when it changes.
func TestLinkTimeout(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a, b := l.Host(nil), l.Host(nil)
	require.NoError(t, a.Start("front", "chain", 2))
	require.NoError(t, l.Control.PutConfig(t.Context(), "quick", map[string]string{lattice.ConfigLinkTimeout: "soon"}))
	require.NoError(t, l.Control.PutLink(t.Context(), lattice.Link{SourceID: "front", Target: "back", Name: lattice.DefaultLinkName,
		WITNamespace: "example", WITPackage: "chain", Interfaces: []string{"step"}, SourceConfig: []string{"quick"}}))
	answers := func(n uint32, mode, want string) {
		t.Helper()
		l.Eventually(want, func() bool {
			got, err := l.Call(t.Context(), a, "front", fmt.Sprintf("example:chain/step.go(%d, %s)", n, mode))
			return err == nil && strings.Contains(got.WAVE, want)
		})
	}
	answers(1, "finish", "want a number of milliseconds")
	require.NoError(t, l.Control.PutConfig(t.Context(), "quick", map[string]string{lattice.ConfigLinkTimeout: "300"}))
	for _, where := range []*harness.Node{b, a} {
		require.NoError(t, where.Start("back", "chain", 2))
		answers(1, "finish", "ok(2)")
		answers(1, "spin", "timeout")
	}
}
