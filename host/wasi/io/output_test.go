package io_test

import (
	"bytes"
	"context"
	goio "io"
	"math"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/io"
)

// outputs are the two kinds of stream, on one writer.
var outputs = map[string]func(goio.Writer) *io.OutputStream{"pumped": io.NewOutputStream, "direct": io.DirectOutputStream}

func TestOutputWritesInOrder(t *testing.T) {
	t.Parallel()
	for name, open := range outputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got, want bytes.Buffer
			out := open(&got)
			for i := range 200 {
				n, err := out.CheckWrite(t.Context())
				require.NoError(t, err)
				p, err := out.Subscribe(t.Context())
				require.NoError(t, err)
				if n == 0 {
					require.NoError(t, p.Block(t.Context()))
					n, err = out.CheckWrite(t.Context())
					require.NoError(t, err)
				}
				b := bytes.Repeat([]byte{byte(i)}, int(min(n, 5000)))
				want.Write(b)
				require.NoError(t, out.Write(t.Context(), b))
				clear(b) // the stream may not keep it
			}
			require.NoError(t, out.BlockingFlush(t.Context()))
			require.Equal(t, want.Bytes(), got.Bytes())
			out.Drop()
		})
	}
}

func TestOutputBoundsAreTraps(t *testing.T) {
	t.Parallel()
	for name, open := range outputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			out := open(&got)
			defer out.Drop()
			ctx := t.Context()
			requireTrap(t, out.Write(ctx, []byte("x")), "check-write allowed 0")
			n, err := out.CheckWrite(ctx)
			require.NoError(t, err)
			requireTrap(t, out.Write(ctx, make([]byte, n+1)), "check-write allowed")
			require.NoError(t, out.WriteZeroes(ctx, n))
			requireTrap(t, out.WriteZeroes(ctx, 1), "check-write allowed 0")
			requireTrap(t, out.WriteZeroes(ctx, math.MaxUint64), "check-write allowed 0")
			requireTrap(t, out.BlockingWriteAndFlush(ctx, make([]byte, 4097)), "more than 4096")
			requireTrap(t, out.BlockingWriteZeroesAndFlush(ctx, math.MaxUint64), "more than 4096")
			require.NoError(t, out.BlockingWriteAndFlush(ctx, []byte("after")))
			require.NoError(t, out.BlockingWriteZeroesAndFlush(ctx, 2))
			require.Equal(t, strings.Repeat("\x00", int(n))+"after\x00\x00", got.String())
		})
	}
}

func TestOutputTellsItsFailureOnce(t *testing.T) {
	t.Parallel()
	for name, open := range outputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := open(writerFunc(func([]byte) (int, error) { return 0, errDisk }))
			defer out.Drop()
			requireFailed(t, out.BlockingWriteAndFlush(t.Context(), []byte("x")))
			_, err := out.CheckWrite(t.Context())
			requireClosed(t, err)
			requireClosed(t, out.BlockingFlush(t.Context()))
			p, err := out.Subscribe(t.Context())
			require.NoError(t, err)
			require.NoError(t, p.Block(t.Context()), "a closed stream is ready")
		})
	}
}

func TestShortWriteIsAFailure(t *testing.T) {
	t.Parallel()
	out := io.DirectOutputStream(writerFunc(func(b []byte) (int, error) { return len(b) - 1, nil }))
	defer out.Drop()
	require.ErrorContains(t, out.BlockingWriteAndFlush(t.Context(), []byte("x")), "last-operation-failed")
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestBackpressure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := goio.Pipe()
		out := io.NewOutputStream(w)
		room, err := out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.NoError(t, out.WriteZeroes(t.Context(), room))
		n, err := out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.Zero(t, n, "all room is taken, also while the bytes are on their way")
		p, err := out.Subscribe(t.Context())
		require.NoError(t, err)
		ready, err := p.Ready(t.Context())
		require.NoError(t, err)
		require.False(t, ready)
		go func() { _, _ = goio.CopyN(goio.Discard, r, int64(room)) }()
		require.NoError(t, p.Block(t.Context()))
		synctest.Wait() // it may be written in pieces
		n, err = out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.Equal(t, room, n)
		out.Drop()
		_ = r.Close()
	})
}

// flushes is a writer that says when it is flushed.
type flushes struct {
	bytes.Buffer
	asked, done chan struct{}
}

func (f *flushes) Flush() error { close(f.asked); <-f.done; return nil }

func TestNothingIsWrittenDuringAFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &flushes{asked: make(chan struct{}), done: make(chan struct{})}
		out := io.NewOutputStream(w)
		_, err := out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.NoError(t, out.Write(t.Context(), []byte("x")))
		require.NoError(t, out.Flush(t.Context()))
		<-w.asked
		n, err := out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		close(w.done)
		p, err := out.Subscribe(t.Context())
		require.NoError(t, err)
		require.NoError(t, p.Block(t.Context()))
		n, err = out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.NotZero(t, n)
		require.Equal(t, "x", w.String())
		out.Drop()
	})
}

func TestSplice(t *testing.T) {
	t.Parallel()
	for name, open := range outputs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Repeat("splice", 50_000)
			var got bytes.Buffer
			out, in := open(&got), input(strings.NewReader(text))
			splice := map[bool]func(context.Context, contract.InputStream, uint64) (uint64, error){true: out.BlockingSplice, false: out.Splice}
			var moved uint64
			for i := 0; ; i++ {
				n, err := splice[i%2 == 0](t.Context(), in, math.MaxUint64)
				if err != nil {
					requireClosed(t, err)
					break
				}
				moved += n
			}
			require.NoError(t, out.BlockingFlush(t.Context()))
			require.EqualValues(t, len(text), moved)
			require.Equal(t, text, got.String())
			n, err := out.Splice(t.Context(), in, 0)
			require.NoError(t, err)
			require.Zero(t, n)
			in.Drop()
			out.Drop()
		})
	}
}
