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
		l := newLimiter(1)
		require.NoError(t, l.acquire(t.Context(), "a", nil))
		var order []int
		var mu sync.Mutex
		for i := range 3 {
			go func() {
				if l.acquire(context.Background(), "a", nil) == nil {
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
		require.Zero(t, l.inFlight())
	})
}

func TestLimiterRefusesACallCycle(t *testing.T) {
	t.Parallel()
	l := newLimiter(1)
	require.NoError(t, l.acquire(t.Context(), "a", nil))
	err := l.acquire(t.Context(), "a", []string{"a", "b"})
	require.ErrorIs(t, err, lattice.ErrBusy)
	require.ErrorContains(t, err, "call cycle: a → b → a")

	// Two instances: the second is not on the path, so the call gets it.
	l.resize(2)
	require.NoError(t, l.acquire(t.Context(), "a", []string{"a", "b"}))
}

func TestLimiterGivesUpAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		require.NoError(t, l.acquire(t.Context(), "a", nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.acquire(ctx, "a", nil), lattice.ErrBusy)
		l.release()
		require.NoError(t, l.acquire(t.Context(), "a", nil), "the room of the call that gave up is free")
	})
}

func TestLimiterBoundsItsQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		require.NoError(t, l.acquire(t.Context(), "a", nil))
		ctx, cancel := context.WithCancel(t.Context())
		for range maxWaiting {
			go func() { _ = l.acquire(ctx, "a", nil) }()
		}
		synctest.Wait()
		require.ErrorIs(t, l.acquire(t.Context(), "a", nil), lattice.ErrBusy)
		cancel()
		synctest.Wait()
	})
}

func TestLimiterDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1)
		require.NoError(t, l.acquire(t.Context(), "a", nil))
		var refused atomic.Bool
		go func() { refused.Store(l.acquire(context.Background(), "a", nil) != nil) }()
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- l.drain(context.Background()) }()
		synctest.Wait()
		require.True(t, refused.Load(), "a waiting call is told at once")
		require.ErrorIs(t, l.acquire(t.Context(), "a", nil), lattice.ErrBusy)
		select {
		case <-done:
			t.Fatal("drained while a call runs")
		default:
		}
		l.release()
		require.NoError(t, <-done)
	})
}
