package io_test

import (
	"bytes"
	goio "io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/io"
)

// half is a direction of a connection: a pipe whose reader learns of the end.
// Its Close leaves it so that nothing blocks any more.
type half struct {
	w        *goio.PipeWriter
	finished atomic.Int32
	closed   atomic.Bool
	late     bytes.Buffer // what was written after Close
}

func (h *half) Write(b []byte) (int, error) {
	if h.closed.Load() {
		return h.late.Write(b)
	}
	return h.w.Write(b)
}

func (h *half) Finish() error {
	h.finished.Add(1)
	return h.w.Close()
}

func (h *half) Close() error {
	h.closed.Store(true)
	return h.w.CloseWithError(goio.ErrClosedPipe)
}

func TestEndClosesForTheGuestAndLosesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := goio.Pipe()
		h := &half{w: w}
		out := io.NewOutputStream(h)
		n, err := out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.NoError(t, out.Write(t.Context(), make([]byte, n-1)))
		p, err := out.Subscribe(t.Context())
		require.NoError(t, err)
		synctest.Wait() // the goroutine is in Write

		out.End()
		out.End()
		requireClosed(t, out.Write(t.Context(), []byte("more than was allowed")))
		requireClosed(t, out.Flush(t.Context()))
		_, err = out.CheckWrite(t.Context())
		requireClosed(t, err)
		require.NoError(t, p.Block(t.Context()))

		b, err := goio.ReadAll(r)
		require.NoError(t, err)
		require.Len(t, b, int(n-1))
		out.Drop()
		require.EqualValues(t, 1, h.finished.Load())
	})
}

func TestDropLeavesAFinisherWhatItTakesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, w := goio.Pipe()
		h := &half{w: w}
		out := io.NewOutputStream(h)
		_, err := out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.NoError(t, out.Write(t.Context(), []byte("one")))
		synctest.Wait() // the goroutine is in Write, which Drop will end
		require.NoError(t, out.Write(t.Context(), []byte("two")))
		out.Drop()
		require.Empty(t, h.late.String(), "after a failed write the rest would be a gap")

		h = &half{w: w}
		h.closed.Store(true)
		out = io.NewOutputStream(h)
		_, err = out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.NoError(t, out.Write(t.Context(), []byte("one")))
		out.Drop()
		require.Equal(t, "one", h.late.String())
		require.EqualValues(t, 1, h.finished.Load())
	})
}

func TestAClosedPipeClosesAndFailsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := goio.Pipe()
		require.NoError(t, r.Close())
		out := io.NewOutputStream(w)
		defer out.Drop()
		requireClosed(t, out.BlockingWriteAndFlush(t.Context(), []byte("x")))
	})
}
