package io_test

import (
	"bytes"
	"context"
	"errors"
	goio "io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/io"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDisk = errors.New("disk on fire")

// requireClosed and requireFailed check how a stream says that it has ended.
func requireClosed(t *testing.T, err error) {
	t.Helper()
	require.Equal(t, contract.StreamError{Tag: contract.StreamErrorClosed}, err)
}

func requireFailed(t *testing.T, err error) {
	t.Helper()
	var e contract.StreamError
	require.ErrorAs(t, err, &e)
	require.Equal(t, contract.StreamErrorLastOperationFailed, e.Tag)
	text, err := e.LastOperationFailed.ToDebugString(t.Context())
	require.NoError(t, err)
	require.Contains(t, text, errDisk.Error())
	e.LastOperationFailed.Drop()
}

// requireTrap checks that err is none that a guest could handle.
func requireTrap(t *testing.T, err error, msg string) {
	t.Helper()
	require.ErrorContains(t, err, msg)
	_, ok := contract.StreamErrorFrom(err)
	require.False(t, ok)
}

func input(r goio.Reader) *io.InputStream { return io.NewInputStream(io.NewSource(r)) }

func TestInputReadsToItsEnd(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 5_000)
	for name, r := range map[string]goio.Reader{
		"memory": strings.NewReader(text), "halves": iotest.HalfReader(strings.NewReader(text)),
		"data with end": iotest.DataErrReader(strings.NewReader(text)),
	} {
		in := input(r)
		var got []byte
		for {
			b, err := in.BlockingRead(t.Context(), math.MaxUint64)
			if err != nil {
				requireClosed(t, err)
				break
			}
			require.NotEmpty(t, b, name)
			got = append(got, b...)
		}
		require.Equal(t, text, string(got), name)
		_, err := in.Read(t.Context(), 1)
		requireClosed(t, err)
		_, err = in.Read(t.Context(), 0)
		requireClosed(t, err)
		in.Drop()
	}
}

func TestInputNeverBlocksOrReadsUnasked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := goio.Pipe()
		in := input(r)
		defer in.Drop()
		for _, n := range []uint64{0, 10} {
			b, err := in.Read(t.Context(), n)
			require.NoError(t, err)
			require.Empty(t, b)
		}
		p, err := in.Subscribe(t.Context())
		require.NoError(t, err)
		defer p.Drop()
		ready, err := p.Ready(t.Context())
		require.NoError(t, err)
		require.False(t, ready)

		_, err = w.Write([]byte("abc"))
		require.NoError(t, err)
		require.NoError(t, p.Block(t.Context()))
		b, err := in.Read(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, "ab", string(b))
		n, err := in.BlockingSkip(t.Context(), 10)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)

		wrote := make(chan struct{})
		go func() { defer close(wrote); _, _ = w.Write([]byte("x")) }()
		synctest.Wait()
		select {
		case <-wrote:
			t.Fatal("the reader was read although nobody asked")
		default:
		}
		b, err = in.BlockingRead(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, "x", string(b))
		<-wrote
	})
}

func TestInputTellsItsFailureOnce(t *testing.T) {
	t.Parallel()
	in := input(goio.MultiReader(strings.NewReader("last words"), iotest.ErrReader(errDisk)))
	defer in.Drop()
	b, err := in.BlockingRead(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, "last words", string(b))
	_, err = in.BlockingRead(t.Context(), 100)
	requireFailed(t, err)
	_, err = in.BlockingSkip(t.Context(), 100)
	requireClosed(t, err)
}

func TestReaderWithoutProgressFails(t *testing.T) {
	t.Parallel()
	in := input(readerFunc(func([]byte) (int, error) { return 0, nil }))
	defer in.Drop()
	_, err := in.BlockingRead(t.Context(), 1)
	require.ErrorContains(t, err, "last-operation-failed")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestDropEndsABlockedReadAndWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, _ := goio.Pipe()
		in := input(r)
		_, err := in.Read(t.Context(), 1)
		require.NoError(t, err)
		synctest.Wait() // the goroutine is in Read
		in.Drop()
		_, err = in.Read(t.Context(), 1)
		requireClosed(t, err)

		_, w := goio.Pipe()
		out := io.NewOutputStream(w)
		_, err = out.CheckWrite(t.Context())
		require.NoError(t, err)
		require.NoError(t, out.Write(t.Context(), []byte("x")))
		synctest.Wait() // the goroutine is in Write
		out.Drop()
		_, err = out.CheckWrite(t.Context())
		requireClosed(t, err)
	}) // the bubble checks that no goroutine is left
}

func TestSharedInputOutlivesItsStreams(t *testing.T) {
	t.Parallel()
	src := io.NewSource(strings.NewReader("abc"))
	first := io.SharedInputStream(src)
	b, err := first.BlockingRead(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "a", string(b))
	first.Drop()
	second := io.SharedInputStream(src)
	defer second.Drop()
	b, err = second.BlockingRead(t.Context(), 5)
	require.NoError(t, err)
	require.Equal(t, "bc", string(b))
	require.NoError(t, src.Close())
}

func TestEveryWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r, w := goio.Pipe()
	in, full := input(r), io.NewOutputStream(blocked{make(chan struct{})})
	defer in.Drop()
	defer w.Close()
	defer full.Drop()
	never, err := in.Subscribe(t.Context())
	require.NoError(t, err)
	waits := map[string]func(context.Context) error{
		"block": never.Block,
		"poll": func(ctx context.Context) error {
			_, err := io.Poll{}.Poll(ctx, []contract.Pollable{never, never})
			return err
		},
		"read":  func(ctx context.Context) error { _, err := in.BlockingRead(ctx, 1); return err },
		"skip":  func(ctx context.Context) error { _, err := in.BlockingSkip(ctx, 1); return err },
		"flush": full.BlockingFlush,
		"write": func(ctx context.Context) error { return full.BlockingWriteAndFlush(ctx, []byte("x")) },
		"zero":  func(ctx context.Context) error { return full.BlockingWriteZeroesAndFlush(ctx, 1) },
		"splice": func(ctx context.Context) error {
			_, err := io.DirectOutputStream(new(bytes.Buffer)).BlockingSplice(ctx, in, 1)
			return err
		},
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	for name, wait := range waits {
		require.ErrorIs(t, wait(cancelled), &trap.Error{Code: trap.Cancelled}, name)
		require.ErrorIs(t, wait(late), &trap.Error{Code: trap.Deadline}, name)
	}
}

// blocked is a writer that blocks until it is closed.
type blocked struct{ closed chan struct{} }

func (b blocked) Write([]byte) (int, error) { <-b.closed; return 0, errDisk }
func (b blocked) Close() error              { close(b.closed); return nil }

func TestPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := new(flag), new(flag)
		list := []contract.Pollable{io.NewPollable(a), io.NewPollable(b), io.NewPollable(a)}
		time.AfterFunc(time.Second, b.set)
		time.AfterFunc(2*time.Second, a.set)
		start := time.Now()
		ready, err := io.Poll{}.Poll(t.Context(), list)
		require.NoError(t, err)
		require.Equal(t, []uint32{1}, ready)
		require.Equal(t, time.Second, time.Since(start), "it slept once and not longer than needed")
		require.NoError(t, list[0].Block(t.Context()))
		ready, err = io.Poll{}.Poll(t.Context(), list)
		require.NoError(t, err)
		require.Equal(t, []uint32{0, 1, 2}, ready)
		require.Zero(t, a.waiting()+b.waiting(), "subscriptions are left")

		_, err = io.Poll{}.Poll(t.Context(), nil)
		requireTrap(t, err, "empty list")
		_, err = io.Poll{}.Poll(t.Context(), make([]contract.Pollable, 1<<17))
		requireTrap(t, err, "more than 65536")
		_, err = io.Poll{}.Poll(t.Context(), []contract.Pollable{nil})
		requireTrap(t, err, "did not make")
	})
}

// flag is a condition that a test sets.
type flag struct {
	mu      sync.Mutex
	on      bool
	waiters []*io.Waiter
	live    int
}

func (f *flag) Ready() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.on }

func (f *flag) Subscribe(w *io.Waiter) func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiters = append(f.waiters, w)
	f.live++
	return func() { f.mu.Lock(); defer f.mu.Unlock(); f.live-- }
}

func (f *flag) waiting() int { f.mu.Lock(); defer f.mu.Unlock(); return f.live }

func (f *flag) set() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = true
	for _, w := range f.waiters {
		w.Wake()
	}
}
