package io_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/io"
)

// gate is a writer that takes nothing and flushes nothing until it is open.
type gate struct {
	open chan struct{}
	// asks gets a value for each flush that has begun.
	asks chan struct{}

	mu    sync.Mutex
	taken bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.taken.Write(b)
}

func (g *gate) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.taken.Len()
}

// A guest may open its standard output anew as often as it has handles, and be
// told of the same room each time.
func TestManyStreamsOfADrainShareItsRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		d := io.NewDrain(g)
		var streams []*io.OutputStream
		for range 100 {
			s := io.SharedOutputStream(d)
			room, err := s.CheckWrite(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 64<<10, room)
			streams = append(streams, s)
		}
		chunk := make([]byte, 32<<10)
		for _, s := range streams[:2] {
			require.NoError(t, s.Write(t.Context(), chunk))
		}
		for _, s := range streams[2:] {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			require.ErrorIs(t, s.Write(ctx, chunk), &trap.Error{Code: trap.Deadline})
			require.ErrorIs(t, s.WriteZeroes(ctx, 1), &trap.Error{Code: trap.Deadline})
			cancel()
		}
		late := make(chan error, 1)
		go func() { late <- streams[0].Write(t.Context(), chunk) }() // the rest of what it was allowed
		synctest.Wait()
		close(g.open)
		require.NoError(t, <-late)
		require.NoError(t, d.Written(t.Context()))
		require.Equal(t, 3*len(chunk), g.len())
	})
}

// flushGate is a gate for flushes only.
type flushGate struct{ gate }

func (g *flushGate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.taken.Write(b)
}

func (g *flushGate) Flush() error {
	g.asks <- struct{}{}
	<-g.open
	return nil
}

func TestAFlushDuringAnothersIsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &flushGate{gate{open: make(chan struct{}), asks: make(chan struct{}, 10)}}
		d := io.NewDrain(g)
		a, b := io.SharedOutputStream(d), io.SharedOutputStream(d)
		_, err := b.CheckWrite(t.Context())
		require.NoError(t, err)
		require.NoError(t, a.Flush(t.Context()))
		<-g.asks
		require.NoError(t, b.Flush(t.Context()))
		done := make(chan error, 1)
		go func() { done <- b.BlockingFlush(t.Context()) }()
		synctest.Wait()
		g.open <- struct{}{} // of the first flush alone
		synctest.Wait()
		require.Len(t, g.asks, 1, "the second has begun")
		require.Empty(t, done)
		close(g.open)
		require.NoError(t, <-done)
		require.NoError(t, d.Written(t.Context()))
	})
}

// costly is a condition that takes time to ask.
type costly struct{ ask func() }

func (c costly) Ready() bool               { c.ask(); return false }
func (costly) Subscribe(*io.Waiter) func() { return func() {} }

func TestALongPollEndsBetweenItsQuestions(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := 0
	list := make([]contract.Pollable, 1<<16)
	for i := range list {
		list[i] = io.NewPollable(costly{func() { asked++; cancel() }})
	}
	_, err := io.Poll{}.Poll(ctx, list)
	require.ErrorIs(t, err, &trap.Error{Code: trap.Cancelled})
	require.LessOrEqual(t, asked, 1024)
}
