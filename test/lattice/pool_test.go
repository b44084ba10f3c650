package lattice_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// stateful is a component whose function bump adds one to a global, and to some
// more places, and returns the sum: 1121 the first time, and 7 more each time.
func stateful(l *harness.Lattice) string {
	l.T.Helper()
	wasm, err := os.ReadFile("../../host/component/testdata/state.wasm")
	require.NoError(l.T, err)
	return l.File("state.wasm", wasm)
}

// root calls a function of a component's world that takes up to one number.
func root(ctx context.Context, l *harness.Lattice, n *harness.Node, id, fn string, args ...byte) (uint64, error) {
	out, _, err := l.Calls.Call(ctx, wrpc.Target{Prefix: lattice.DirectPrefix(harness.Name, n.ID, id), Func: fn}, wrpc.Meta{SourceID: "test"}, args)
	if err != nil {
		return 0, err
	}
	v, _ := binary.Uvarint(out)
	return v, nil
}

func bumps(t *testing.T, l *harness.Lattice, n *harness.Node, id string, times int) (sums []uint64) {
	t.Helper()
	for range times {
		v, err := root(t.Context(), l, n, id, "bump")
		require.NoError(t, err)
		sums = append(sums, v)
	}
	return sums
}

// inTurn is bumps, each of which waits until the instance of the last one is back:
// that is given up after the answer.
func inTurn(t *testing.T, l *harness.Lattice, n *harness.Node, id string, times int) (sums []uint64) {
	t.Helper()
	for range times {
		sums = append(sums, bumps(t, l, n, id, 1)...)
		l.Eventually("the instance is back", func() bool { return statsOf(t, n, id).Pool.Idle == 1 })
	}
	return sums
}

func statsOf(t *testing.T, n *harness.Node, id string) lattice.ComponentStats {
	t.Helper()
	for _, s := range n.Host.Stats().Components {
		if s.ID == id {
			return s
		}
	}
	require.Fail(t, "it does not run", id)
	return lattice.ComponentStats{}
}

// What a call finds of the calls before it.
func TestReuse(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	ref := stateful(l)
	start := func(id string, annotations map[string]string) {
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: ref, MaxInstances: 4, Annotations: annotations}))
	}
	same := []uint64{1121, 1121, 1121, 1121, 1121}
	start("default", nil)
	require.Equal(t, same, inTurn(t, l, n, "default", 5))
	s := statsOf(t, n, "default")
	require.Equal(t, "pristine", s.Pool.Reuse)
	require.Equal(t, uint64(1), s.Pool.Misses, "calls one after the other need one instance")
	require.Equal(t, uint64(4), s.Pool.Hits)

	start("fresh", map[string]string{lattice.AnnotationReuse: "fresh"})
	require.Equal(t, same, bumps(t, l, n, "fresh", 5))
	require.Equal(t, lattice.PoolStats{Reuse: "fresh"}, statsOf(t, n, "fresh").Pool)

	start("sticky", map[string]string{lattice.AnnotationReuse: "sticky"})
	require.Equal(t, []uint64{1121, 1128, 1135}, inTurn(t, l, n, "sticky", 3))
	// The same again changes nothing; another reuse is another component.
	start("sticky", map[string]string{lattice.AnnotationReuse: "sticky"})
	require.Equal(t, []uint64{1142}, bumps(t, l, n, "sticky", 1))
	start("sticky", nil)
	require.Equal(t, same, bumps(t, l, n, "sticky", 5))

	inv, err := l.Control.Inventory(t.Context(), n.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{lattice.AnnotationReuse: "fresh"}, inv.Components[1].Annotations)
	err = n.Scale(ctl.ScaleComponent{ComponentID: "default", ComponentRef: ref, MaxInstances: 4, Annotations: map[string]string{lattice.AnnotationReuse: "dirty"}})
	require.EqualError(t, err, `start component "default": annotation lath.reuse: invalid: "dirty": want pristine (every call finds a new state), sticky (state is kept) or fresh (a new instance for every call)`)
	require.Equal(t, same, bumps(t, l, n, "default", 5), "a bad command changes nothing")
}

func TestTheOperatorsPoolCountsMore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "grants.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`components: {state: {pool: {reuse: pristine, min: 2}}}`), 0o600))
	policy, err := grant.ReadFile(file)
	require.NoError(t, err)
	l := harness.New(t)
	n := l.Host(func(c *host.Config) { c.Grants = policy })
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "state", ComponentRef: stateful(l), MaxInstances: 4,
		Annotations: map[string]string{lattice.AnnotationReuse: "sticky"}}))
	require.Equal(t, []uint64{1121, 1121, 1121}, bumps(t, l, n, "state", 3))
}

// Instances are there before the first call, and gone with the component.
func TestWarm(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	warm := ctl.ScaleComponent{ComponentID: "state", ComponentRef: stateful(l), MaxInstances: 4, Annotations: map[string]string{lattice.AnnotationWarm: "3"}}
	require.NoError(t, n.Scale(warm))
	l.Eventually("three wait", func() bool { return statsOf(t, n, "state").Pool.Idle == 3 })
	require.Positive(t, n.Runtime.MemoryIdle())
	require.Equal(t, []uint64{1121}, bumps(t, l, n, "state", 1))
	require.Zero(t, statsOf(t, n, "state").Pool.Misses)

	// Fewer calls at a time need fewer, and none of them is used after it.
	warm.MaxInstances, warm.Annotations = 1, map[string]string{lattice.AnnotationWarm: "1"}
	require.NoError(t, n.Scale(warm))
	l.Eventually("one waits", func() bool { return statsOf(t, n, "state").Pool.Idle == 1 })
	warm.MaxInstances = 0
	require.NoError(t, n.Scale(warm))
	require.Zero(t, n.Runtime.MemoryInUse()+n.Runtime.MemoryIdle())
}

// A component whose state cannot be brought back has a new instance for each
// call, and says why.
func TestUnpoolable(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	wasm, err := os.ReadFile("../../host/component/testdata/table-writer.wasm")
	require.NoError(t, err)
	ref := l.File("table.wasm", wasm)
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "table", ComponentRef: ref, MaxInstances: 1}))
	s := statsOf(t, n, "table")
	require.Equal(t, "pristine", s.Pool.Reuse)
	require.NotEmpty(t, s.Pool.Unpoolable)
	require.Contains(t, s.Pool.Unpoolable[0], "core module 0 ")
}

// An update replaces the pool, loses no call, and goes on counting.
func TestUpdateReplacesThePool(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	one := stateful(l)
	wasm, err := os.ReadFile("../../host/component/testdata/state.wasm")
	require.NoError(t, err)
	two := l.File("state2.wasm", wasm)
	req := ctl.ScaleComponent{ComponentID: "state", ComponentRef: one, MaxInstances: 8, AllowUpdate: true, Annotations: map[string]string{lattice.AnnotationWarm: "2"}}
	require.NoError(t, n.Scale(req))
	ctx, stop := context.WithCancel(t.Context())
	var calling sync.WaitGroup
	counts, failed := make([]uint64, 4), make([]error, 4)
	for k := range counts {
		calling.Go(func() {
			for ctx.Err() == nil && failed[k] == nil {
				v, err := root(context.Background(), l, n, "state", "bump")
				if err == nil && v != 1121 {
					err = fmt.Errorf("%d", v)
				}
				counts[k]++
				failed[k] = err
			}
		})
	}
	before := uint64(0)
	for i := range 10 {
		req.ComponentRef = []string{two, one}[i%2]
		require.NoError(t, n.Scale(req))
		s := statsOf(t, n, "state")
		require.Equal(t, req.ComponentRef, s.ImageRef)
		require.GreaterOrEqual(t, s.Pool.Hits+s.Pool.Misses, before, "counters never go down")
		before = s.Pool.Hits + s.Pool.Misses
	}
	stop()
	calling.Wait()
	require.NoError(t, errors.Join(failed...))
	s := statsOf(t, n, "state")
	require.Equal(t, counts[0]+counts[1]+counts[2]+counts[3], s.Calls)
	require.Equal(t, s.Calls, s.Pool.Hits+s.Pool.Misses)
	require.Empty(t, s.Errors)
	req.MaxInstances = 0
	require.NoError(t, n.Scale(req))
	require.Zero(t, n.Runtime.MemoryInUse()+n.Runtime.MemoryIdle())
}

// Hundreds of callers of a component that takes two at a time: who does not get
// in within the bound is told so, and as soon as it is over the next call is
// answered.
func TestOverload(t *testing.T) {
	t.Parallel()
	const wait = 300 * time.Millisecond
	l := harness.New(t)
	n := l.Host(func(c *host.Config) { c.MaxWait = wait })
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "state", ComponentRef: stateful(l), MaxInstances: 2}))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var spinning sync.WaitGroup
	for range 2 {
		spinning.Go(func() { _, _ = root(ctx, l, n, "state", "spin") })
	}
	l.Eventually("both instances are taken", func() bool { return statsOf(t, n, "state").Running == 2 })
	const callers = 400
	var calling sync.WaitGroup
	errs := make([]error, callers)
	for k := range errs {
		calling.Go(func() { _, errs[k] = root(context.Background(), l, n, "state", "bump") })
	}
	calling.Wait()
	for _, err := range errs {
		require.ErrorIs(t, err, wrpc.ErrBusy)
		require.NotErrorIs(t, err, wrpc.ErrMayHaveRun)
		require.ErrorContains(t, err, `no instance of "state" became free within 300ms`)
	}
	s := statsOf(t, n, "state")
	require.Equal(t, map[string]uint64{"busy": callers}, s.Errors)
	require.Equal(t, [2]int{2, 0}, [2]int{s.Running, s.Waiting})

	stop()
	spinning.Wait()
	l.Eventually("the spinning calls are gone", func() bool { return statsOf(t, n, "state").Running == 0 })
	require.Equal(t, []uint64{1121, 1121}, bumps(t, l, n, "state", 2))
	require.Equal(t, uint64(callers+4), statsOf(t, n, "state").Calls)
}

// A host that has no memory left turns calls away, and takes them again as soon
// as there is some. What only waits for calls is given up before that.
func TestMemoryOfTheHostIsOut(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	rt, err := component.New(t.Context(), component.Config{MemoryLimit: 7 << 16}) // two instances of three pages
	require.NoError(t, err)
	n := l.Host(func(c *host.Config) { c.Runtime = rt })
	t.Cleanup(func() {
		n.Stop()
		require.NoError(t, rt.Close(context.Background()))
	})
	ref := stateful(l)
	for _, id := range []string{"one", "two", "three"} {
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: ref, MaxInstances: 100}))
		require.Equal(t, []uint64{1121, 1121}, bumps(t, l, n, id, 2), "idle instances of the others make room")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var spinning sync.WaitGroup
	for range 2 {
		spinning.Go(func() { _, _ = root(ctx, l, n, "one", "spin") })
	}
	l.Eventually("all memory is taken", func() bool { return rt.MemoryInUse() == 6<<16 })
	for _, id := range []string{"one", "two"} {
		_, err := root(t.Context(), l, n, id, "bump")
		require.ErrorIs(t, err, wrpc.ErrBusy)
		require.NotErrorIs(t, err, wrpc.ErrTrap)
		require.ErrorContains(t, err, `component "`+id+`": no memory is left on this host for an instance`)
		require.Equal(t, uint64(1), statsOf(t, n, id).Errors["busy"])
	}
	stop()
	spinning.Wait()
	l.Eventually("the spinning calls are gone", func() bool { return statsOf(t, n, "one").Running == 0 })
	require.Equal(t, []uint64{1121}, bumps(t, l, n, "two", 1))
}

// What is counted, and told to who asks over NATS.
func TestStats(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "state", ComponentRef: stateful(l), MaxInstances: 2}))
	require.NoError(t, n.Start("types", "types", 2))
	bumps(t, l, n, "state", 10)
	_, err := root(t.Context(), l, n, "state", "grow", 4)
	require.NoError(t, err)
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = root(short, l, n, "state", "spin")
	require.Error(t, err)
	_, err = l.Call(t.Context(), n, "types", "example:types/failures.trap()")
	require.ErrorIs(t, err, wrpc.ErrTrap)

	l.Eventually("all has ended", func() bool { return statsOf(t, n, "state").Calls == 12 })
	told, err := l.Control.Stats(t.Context(), n.ID, "state")
	require.NoError(t, err)
	require.Equal(t, n.ID, told.HostID)
	require.Len(t, told.Components, 1)
	s := told.Components[0]
	require.Equal(t, uint64(12), s.Calls)
	require.Len(t, s.Errors, 1, "the deadline came, or the caller left first: %v", s.Errors)
	require.Equal(t, uint64(1), s.Errors["deadline exceeded"]+s.Errors["cancelled"])
	require.Greater(t, s.CPUNanoseconds, uint64(1_000_000), "it spun")
	require.Equal(t, uint64(7<<16), s.MemoryPeak)
	require.Equal(t, uint64(12), s.Pool.Hits+s.Pool.Misses)
	require.Positive(t, s.Pool.Resets)
	require.Positive(t, s.Pool.ResetNanoseconds)
	require.WithinDuration(t, time.Now(), s.Since, time.Minute)
	require.Equal(t, map[string]uint64{"unreachable": 1}, statsOf(t, n, "types").Errors)
}
