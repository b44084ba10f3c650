package workload

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/lattice/wrpc"
)

type keyOfTest struct{}

func TestCallContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorkload(Config{})
		defer w.cut()
		parent, cancel := context.WithTimeout(context.WithValue(t.Context(), keyOfTest{}, 1), time.Minute)
		defer cancel()
		begun := time.Now()

		// The earlier of both deadlines counts.
		for most, want := range map[time.Duration]time.Duration{0: time.Minute, time.Hour: time.Minute, time.Second: time.Second} {
			c := w.newCallContext(parent, most)
			at, ok := c.Deadline()
			require.True(t, ok)
			require.Equal(t, want, at.Sub(begun))
			require.NoError(t, c.Err())
			require.Nil(t, c.live.Load(), "nobody asked for its end")
			require.Equal(t, 1, c.Value(keyOfTest{}))
			c.end()
			<-c.Done()
			require.ErrorIs(t, c.Err(), context.Canceled, "over is over, also for who asks first now")
			require.Equal(t, 1, c.Value(keyOfTest{}))
		}

		// It ends at its own deadline.
		first, second := w.newCallContext(parent, time.Second), w.newCallContext(parent, time.Second)
		_, _ = second.Deadline()
		<-first.Done()
		require.Equal(t, time.Second, time.Since(begun))
		for _, c := range []*callContext{first, second} {
			<-c.Done()
			require.ErrorIs(t, c.Err(), context.DeadlineExceeded)
			c.end()
			require.ErrorIs(t, c.Err(), context.DeadlineExceeded)
		}

		// Contexts that are made of it end with it, without a goroutine of theirs.
		c := w.newCallContext(parent, 0)
		child, done := context.WithTimeout(c, time.Hour)
		defer done()
		w.cut()
		<-child.Done()
		require.ErrorIs(t, context.Cause(child), errStopping)
		require.ErrorIs(t, c.Err(), context.Canceled)
		c.end()

		// And with its caller.
		w = newWorkload(Config{})
		defer w.cut()
		why := errors.New("why")
		caller, abort := context.WithCancelCause(parent)
		c = w.newCallContext(caller, time.Hour)
		defer c.end()
		abort(why)
		require.ErrorIs(t, c.Err(), context.Canceled)
		<-c.Done()
		require.ErrorIs(t, context.Cause(c), why)
	})
}

// A call has an own run, not its caller's, and keeps its meta.
func TestCallContextHasItsOwnRun(t *testing.T) {
	t.Parallel()
	w := newWorkload(Config{})
	defer w.cut()
	outer, end := wasi.WithRun(wrpc.ContextWithMeta(t.Context(), wrpc.Meta{SourceID: "a"}))
	defer end()
	c := w.newCallContext(outer, time.Minute)
	defer c.end()
	meta, ok := wrpc.MetaFromContext(c)
	require.True(t, ok)
	require.Equal(t, "a", meta.SourceID)
	require.Nil(t, c.run.Load(), "nobody asked for the run")
	require.Empty(t, wasi.LastLines(c))
	require.NotNil(t, c.run.Load())
	<-func() <-chan struct{} { c.end(); return c.Done() }()
	meta, _ = wrpc.MetaFromContext(c)
	require.Equal(t, "a", meta.SourceID)
}

func TestCallContextFromManySides(t *testing.T) {
	t.Parallel()
	for range 200 {
		w := newWorkload(Config{})
		parent, cancel := context.WithCancel(t.Context())
		c := w.newCallContext(parent, time.Minute)
		var all sync.WaitGroup
		for _, f := range []func(){
			func() { <-c.Done() }, func() { _ = c.Err() }, func() { wasi.LastLines(c) }, c.end, cancel, w.cut,
			func() { context.AfterFunc(c, func() {})() },
		} {
			all.Go(f)
		}
		all.Wait()
		require.ErrorIs(t, c.Err(), context.Canceled)
	}
}
