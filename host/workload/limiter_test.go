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
