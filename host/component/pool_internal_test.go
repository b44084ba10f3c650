package component

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/internal/refuse"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/test/hostile/guests"
)

// What newRuntime and goleak check holds for all of these: after whatever went
// wrong no memory, no mapping and no goroutine is left.

const wasmPage = 64 << 10

// idleOf takes n instances at a time and gives them back, and waits until they
// are all reset.
func idleOf(t *testing.T, tm *Template, n int) {
	t.Helper()
	var out []*Instance
	for range n {
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		out = append(out, i)
	}
	for _, i := range out {
		require.NoError(t, i.Release())
	}
	requireIdle(t, tm, n)
}

// requireIdle waits until so many instances are idle: one that is being reset is in no
// list.
func requireIdle(t *testing.T, tm *Template, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return tm.Pool().Idle == n }, time.Minute, time.Millisecond, "%d are to be idle", n)
}

// TestPoolsWhereTheSystemRefuses repeats the comparison with fresh instances on
// a kernel that has less to offer.
func TestPoolsWhereTheSystemRefuses(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"scan", "pagemap"}, {"memfd"}, {"scan", "pagemap", "madvise", "memfd"}} {
		t.Run(fmt.Sprint(names), func(t *testing.T) {
			t.Parallel()
			refuse.Rerun(t, "^(TestPooledInstancesAreFresh|TestPoolUnderManyCallers|TestPristine.*)$", names...)
		})
	}
}

// TestPoolsWhereAddressSpaceIsShort is what a process meets at RLIMIT_AS, as at
// vm.max_map_count.
func TestPoolsWhereAddressSpaceIsShort(t *testing.T) {
	t.Parallel()
	refuse.Rerun(t, "^TestIdleInstancesGiveTheirMappings$", "space")
}

func TestIdleInstancesGiveTheirMappings(t *testing.T) {
	if !refuse.Refused("space") {
		t.Skip("SKIPPED: address space is not short (TestPoolsWhereAddressSpaceIsShort makes it so)")
	}
	rt := newRuntime(t, Config{})
	a := linkedTo(t, rt, "testdata/state.wasm", PoolConfig{})
	idleOf(t, a, 3) // of 256 MiB each; there is 1 GiB
	b := linkedTo(t, rt, "testdata/wild.wasm", PoolConfig{Reuse: Sticky})
	var out []*Instance
	for {
		i, err := a.Take(t.Context())
		if err != nil {
			require.ErrorIs(t, err, ErrNoMemory)
			break
		}
		out = append(out, i)
		require.Less(t, len(out), 10)
	}
	require.GreaterOrEqual(t, len(out), 3)
	require.NoError(t, out[0].Release())
	require.NoError(t, out[1].Release())
	i, err := b.Take(t.Context())
	require.NoError(t, err, "what waits makes room")
	require.NoError(t, i.Release())
	for _, i := range out[2:] {
		require.NoError(t, i.Release())
	}
}

// state.wasm has 3 pages, wild.wasm 2 and 3 that grow by 2 when it starts.

func TestIdleInstancesMakeRoom(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t, Config{MemoryLimit: 10 * wasmPage})
	a := linkedTo(t, rt, "testdata/state.wasm", PoolConfig{})
	b := linkedTo(t, rt, "testdata/wild.wasm", PoolConfig{})
	idleOf(t, a, 3)
	require.EqualValues(t, 9*wasmPage, rt.MemoryIdle())
	require.Zero(t, rt.MemoryInUse())

	i, err := b.Take(during(1))
	require.NoError(t, err)
	require.EqualValues(t, 7*wasmPage, rt.MemoryInUse())
	require.EqualValues(t, 3*wasmPage, rt.MemoryIdle())
	requireIdle(t, a, 1)

	v, err := callExpr(i, "grow(4)")
	require.NoError(t, err)
	require.EqualValues(t, 0xffffffff, uint32(v.Bits), "all that waits is not enough")
	requireIdle(t, a, 1) // so nobody loses it
	v, err = callExpr(i, "grow(3)")
	require.NoError(t, err)
	require.EqualValues(t, 5, v.Bits, "a guest that grows finds room too")
	require.Zero(t, a.Pool().Idle)

	_, err = a.Take(t.Context())
	require.ErrorIs(t, err, ErrNoMemory)
	require.NoError(t, i.Release())
	c, err := a.Take(t.Context())
	require.NoError(t, err, "the instance that grew is reset, or closed")
	require.NoError(t, c.Release())
}

// TestInstancesUnderResetMakeRoom has callers of two pools for whom there is
// room one at a time.
func TestInstancesUnderResetMakeRoom(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t, Config{MemoryLimit: 7 * wasmPage})
	pools := []*Template{linkedTo(t, rt, "testdata/state.wasm", PoolConfig{}), linkedTo(t, rt, "testdata/wild.wasm", PoolConfig{})}
	for round := range 200 {
		i, err := pools[round%2].Take(t.Context())
		require.NoError(t, err, "round %d", round)
		require.NoError(t, i.Release())
	}
	require.NotZero(t, pools[0].Pool().Discarded)
}

// TestFillingTakesNothingFromOthers has two pools that want more than there is:
// neither takes it from the other, over and over.
func TestFillingTakesNothingFromOthers(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t, Config{MemoryLimit: 9 * wasmPage})
	a := linkedTo(t, rt, "testdata/state.wasm", PoolConfig{Min: 3})
	require.Eventually(t, func() bool { return a.Pool().Idle == 3 }, time.Minute, time.Millisecond)
	b := linkedTo(t, rt, "testdata/state.wasm", PoolConfig{Min: 1})
	require.Eventually(t, func() bool { return rt.budget.Stats().Refused > 1 }, time.Minute, time.Millisecond)
	require.Equal(t, 3, a.Pool().Idle)
	i, err := b.Take(t.Context())
	require.NoError(t, err, "but who is called does")
	require.NoError(t, i.Release())
	require.Equal(t, 2, a.Pool().Idle)
}

func TestFailedFillsBackOff(t *testing.T) {
	t.Parallel()
	wasm, err := guests.Component("start-objects")
	require.NoError(t, err)
	var tries atomic.Int64
	host := thingHost(func() { tries.Add(1) })
	host.Name = "hostile:test/host"
	c, err := newRuntime(t, Config{}).Compile(wasm)
	require.NoError(t, err)
	start := time.Now()
	tm, err := c.Link(t.Context(), LinkConfig{Host: []HostInterface{host}, Pool: PoolConfig{Min: 5}})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return tries.Load() >= 2*3 }, time.Minute, time.Millisecond)
	require.GreaterOrEqual(t, time.Since(start), 3*firstWait, "the third try comes after two waits")
	require.NoError(t, tm.Close(context.Background()))
	require.Zero(t, tries.Load()%2, "what a start that fails has opened is dropped")
}

func TestTheLeastAreMadeAgain(t *testing.T) {
	t.Parallel()
	tm := linked(t, "testdata/wild.wasm", PoolConfig{Min: 2})
	full := func() bool { return tm.Pool().Idle == 2 }
	require.Eventually(t, full, time.Minute, time.Millisecond)
	for range 3 {
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		_, err = callExpr(i, "fail()")
		require.ErrorIs(t, err, &trap.Error{Code: trap.Unreachable})
		require.NoError(t, i.Release())
		require.Eventually(t, full, time.Minute, time.Millisecond)
	}
}

// TestResourcesThatCannotBeOpenedAgain fails the opening of what an instance had
// when it started: the next one is made, which fails likewise, or not.
func TestResourcesThatCannotBeOpenedAgain(t *testing.T) {
	t.Parallel()
	tm := linked(t, "testdata/wild.wasm", PoolConfig{})
	idleOf(t, tm, 2)
	_, err := tm.Take(context.WithValue(during(3), refusedKey{}, true))
	require.ErrorIs(t, err, errRefused)
	require.Zero(t, tm.Pool().Idle, "neither could be had")
	i, err := tm.Take(during(4))
	require.NoError(t, err)
	requireOpened(t, i, 4)
	require.NoError(t, i.Release())
}

func TestResourcesThatPanicInDrop(t *testing.T) {
	t.Parallel()
	wasm, err := newRuntime(t, Config{}).Compile(wildBytes(t))
	require.NoError(t, err)
	var bad atomic.Bool
	tm, err := wasm.Link(t.Context(), LinkConfig{Host: []HostInterface{thingHost(func() {
		if bad.Load() {
			panic("no end")
		}
	})}})
	require.NoError(t, err)
	defer func() { require.NoError(t, tm.Close(context.Background())) }()
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	bad.Store(true)
	require.ErrorContains(t, i.Release(), "no end")
	bad.Store(false)
	require.Zero(t, tm.Pool().Idle)
}

// TestUnkeptStartsSaySo is about start functions that open what cannot be opened
// again.
func TestUnkeptStartsSaySo(t *testing.T) {
	t.Parallel()
	c, err := newRuntime(t, Config{}).Compile(wildBytes(t))
	require.NoError(t, err)
	host := thingHost(func() {})
	make := host.Funcs[0].Call
	host.Funcs[0].Call = func(inv *Invocation, stack []uint64) {
		make(inv, stack)
		list := inv.inst.objects.list
		list[len(list)-1] = once{list[len(list)-1]}
	}
	tm, err := c.Link(t.Context(), LinkConfig{Host: []HostInterface{host}, Pool: PoolConfig{Min: 1}})
	require.NoError(t, err)
	defer func() { require.NoError(t, tm.Close(context.Background())) }()
	want := []string{"opens a resource of the host when it starts that cannot be opened again (thing)"}
	require.Eventually(t, func() bool { return tm.Unpoolable() != nil }, time.Minute, time.Millisecond)
	require.Equal(t, want, tm.Unpoolable())
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	require.NoError(t, i.Release())
	require.Zero(t, tm.Pool().Idle)
}

// once hides that an object can be opened again.
type once struct{ Resource }

func TestTakeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	wasm, err := guests.Component("start")
	require.NoError(t, err)
	c, err := newRuntime(t, Config{}).Compile(wasm)
	require.NoError(t, err)
	tm, err := c.Link(t.Context(), LinkConfig{})
	require.NoError(t, err)
	defer func() { require.NoError(t, tm.Close(context.Background())) }()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = tm.Take(ctx)
	require.ErrorIs(t, err, &trap.Error{Code: trap.Cancelled})
}

// TestClosingAmongCalls closes templates while others take, call, give back and
// reset: those fail, and nothing is left.
func TestClosingAmongCalls(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t, Config{})
	c, err := rt.Compile(wildBytes(t))
	require.NoError(t, err)
	for round := range 20 {
		tm, err := c.Link(t.Context(), LinkConfig{Host: []HostInterface{thingHost(func() {})}, Pool: PoolConfig{Min: round % 3, Max: 4}})
		require.NoError(t, err)
		var calls sync.WaitGroup
		var made atomic.Int64
		for range 4 {
			calls.Go(func() {
				for {
					i, err := tm.Take(t.Context())
					if err != nil {
						return // it is closed
					}
					_, err = callExpr(i, "poke(70000, 1)")
					assert.NoError(t, errors.Join(err, i.Release()))
					made.Add(1)
				}
			})
		}
		require.Eventually(t, func() bool { return made.Load() > int64(round) }, time.Minute, 100*time.Microsecond)
		require.NoError(t, tm.Close(context.Background()))
		calls.Wait()
	}
}

// TestManyPoolsAreReset has more pools than processors: the instances of each are
// reset, however many calls the others have.
func TestManyPoolsAreReset(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t, Config{})
	c, err := rt.Compile(wildBytes(t))
	require.NoError(t, err)
	var pools [12]*Template
	var calls sync.WaitGroup
	for n := range pools {
		pools[n], err = c.Link(t.Context(), LinkConfig{Host: []HostInterface{thingHost(func() {})}})
		require.NoError(t, err)
		defer func() { require.NoError(t, pools[n].Close(context.Background())) }()
		calls.Go(func() {
			for range 50 {
				_, err := pools[n].Call(t.Context(), pools[n].Export("", "first"), nil, nil)
				assert.NoError(t, err)
			}
		})
	}
	calls.Wait()
	require.Eventually(t, func() bool {
		for _, tm := range pools {
			if tm.Pool().Resets < 50 {
				return false
			}
		}
		return true
	}, time.Minute, time.Millisecond)
	for _, tm := range pools {
		s := tm.Pool()
		require.EqualValues(t, 50, s.Hits+s.Misses)
		require.EqualValues(t, 50, s.Resets)
		require.Positive(t, s.ResetTime)
		require.LessOrEqual(t, s.Misses, uint64(2))
	}
}
