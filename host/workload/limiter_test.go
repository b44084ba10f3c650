package workload

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

func TestLimiterAdmitsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 0)
		require.NoError(t, l.acquire(t.Context(), "a", nil, false))
		var order []int
		var mu sync.Mutex
		for i := range 3 {
			go func() {
				if l.acquire(context.Background(), "a", nil, false) == nil {
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					l.release()
				}
			}()
			synctest.Wait()
		}
		l.release()
		synctest.Wait()
		require.Equal(t, []int{0, 1, 2}, order)
		running, _ := l.load()
		require.Zero(t, running)
	})
}

func TestLimiterRefusesACallCycle(t *testing.T) {
	t.Parallel()
	l := newLimiter(1, 0)
	require.NoError(t, l.acquire(t.Context(), "a", nil, false))
	err := l.acquire(t.Context(), "a", []string{"a", "b"}, false)
	require.ErrorIs(t, err, lattice.ErrBusy)
	require.ErrorContains(t, err, "call cycle: a → b → a")

	// Two instances: the second is not on the path, so the call gets it.
	l.resize(2)
	require.NoError(t, l.acquire(t.Context(), "a", []string{"a", "b"}, false))
}

func TestLimiterGivesUpAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 0)
		require.NoError(t, l.acquire(t.Context(), "a", nil, false))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.acquire(ctx, "a", nil, false), lattice.ErrBusy)
		l.release()
		require.NoError(t, l.acquire(t.Context(), "a", nil, false), "the room of the call that gave up is free")
	})
}

func TestLimiterBoundsItsQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 0)
		require.NoError(t, l.acquire(t.Context(), "a", nil, false))
		ctx, cancel := context.WithCancel(t.Context())
		for range maxWaiting {
			go func() { _ = l.acquire(ctx, "a", nil, false) }()
		}
		synctest.Wait()
		require.ErrorIs(t, l.acquire(t.Context(), "a", nil, false), lattice.ErrBusy)
		cancel()
		synctest.Wait()
	})
}

func TestLimiterDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 0)
		require.NoError(t, l.acquire(t.Context(), "a", nil, false))
		var refused atomic.Bool
		go func() { refused.Store(l.acquire(context.Background(), "a", nil, false) != nil) }()
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- l.drain(context.Background()) }()
		synctest.Wait()
		require.True(t, refused.Load(), "a waiting call is told at once")
		require.ErrorIs(t, l.acquire(t.Context(), "a", nil, false), lattice.ErrBusy)
		select {
		case <-done:
			t.Fatal("drained while a call runs")
		default:
		}
		l.release()
		require.NoError(t, <-done)
	})
}

// Nobody waits longer than the bound, however many there are; who cannot be told
// waits on.
func TestLimiterBoundsTheWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, time.Second)
		for range 2 {
			require.NoError(t, l.acquire(t.Context(), "a", nil, false))
		}
		var shed, patient atomic.Int32
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i := range 200 {
			go func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				begun := time.Now()
				err := l.acquire(ctx, "a", nil, i == 0)
				if i == 0 {
					require.NoError(t, err)
					patient.Add(1)
					return
				}
				require.ErrorIs(t, err, lattice.ErrBusy)
				require.ErrorContains(t, err, `no instance of "a" became free within 1s`)
				require.Equal(t, time.Second, time.Since(begun))
				shed.Add(1)
			}()
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, int32(199), shed.Load())
		require.Zero(t, patient.Load())
		l.release()
		synctest.Wait()
		require.Equal(t, int32(1), patient.Load())
		begun := time.Now()
		require.ErrorContains(t, l.acquire(ctx, "a", nil, true), "within 30s")
		require.Equal(t, patience, time.Since(begun), "nobody waits for ever")
		l.release()

		// The load is over: the next call does not wait at all.
		at := time.Now()
		require.NoError(t, l.acquire(t.Context(), "a", nil, false))
		require.Equal(t, at, time.Now())
		running, waiting := l.load()
		require.Equal(t, [2]int{2, 0}, [2]int{running, waiting})
	})
}

// Calls that come, go, give up and are cut off in any order leave no place taken,
// and there are never more than the limit.
func TestLimiterCountsRight(t *testing.T) {
	t.Parallel()
	const limit = 3
	l := newLimiter(limit, 50*time.Microsecond)
	var running, admitted, most atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			for n := range 2000 {
				ctx, cancel := context.WithCancel(context.Background())
				if (i+n)%5 == 0 {
					go cancel()
				}
				if l.acquire(ctx, "a", nil, n%3 == 0) == nil {
					now := running.Add(1)
					for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
					}
					admitted.Add(1)
					running.Add(-1)
					l.release()
				}
				cancel()
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, most.Load(), int32(limit))
	require.Positive(t, admitted.Load())
	require.Zero(t, l.state.Load(), "nobody runs, and nobody waits")
	require.NoError(t, l.drain(t.Context()))
	require.ErrorIs(t, l.acquire(t.Context(), "a", nil, false), lattice.ErrBusy)
}

func BenchmarkLimiter(b *testing.B) {
	l := newLimiter(1<<20, 0)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if l.acquire(context.Background(), "a", nil, false) == nil {
				l.release()
			}
		}
	})
}
