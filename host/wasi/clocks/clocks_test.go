package clocks_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi/clocks"
	"github.com/lathhost/lath/host/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/io"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPollableOfTheMonotonicClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clocks.NewMonotonic()
		now, err := c.Now(t.Context())
		require.NoError(t, err)
		require.NotZero(t, now)
		start := time.Now()
		in, err := c.SubscribeDuration(t.Context(), uint64(3*time.Second))
		require.NoError(t, err)
		at, err := c.SubscribeInstant(t.Context(), now+uint64(2*time.Second))
		require.NoError(t, err)
		past, err := c.SubscribeInstant(t.Context(), 0)
		require.NoError(t, err)
		ready, err := past.Ready(t.Context())
		require.NoError(t, err)
		require.True(t, ready)
		which, err := io.Poll{}.Poll(t.Context(), []contract.Pollable{in, at})
		require.NoError(t, err)
		require.Equal(t, []uint32{1}, which)
		require.Equal(t, 2*time.Second, time.Since(start))
		require.NoError(t, in.Block(t.Context()))
		require.Equal(t, 3*time.Second, time.Since(start))
		later, err := c.Now(t.Context())
		require.NoError(t, err)
		require.Equal(t, now+uint64(3*time.Second), later)
	})
}

func TestForeverDoesNotOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := clocks.NewMonotonic()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		for _, d := range []uint64{math.MaxUint64, math.MaxInt64, math.MaxInt64 + 1} {
			p, err := c.SubscribeDuration(t.Context(), d)
			require.NoError(t, err)
			ready, err := p.Ready(t.Context())
			require.NoError(t, err)
			require.False(t, ready)
			require.ErrorIs(t, p.Block(ctx), &trap.Error{Code: trap.Deadline})
		}
	})
}

func TestWallClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(1500 * time.Millisecond) // a bubble starts at midnight of 2000-01-01
		now, err := clocks.Wall{}.Now(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 946684801, now.Seconds)
		require.EqualValues(t, 500_000_000, now.Nanoseconds)
	})
}
