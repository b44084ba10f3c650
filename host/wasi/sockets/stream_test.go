//go:build linux || darwin

package sockets_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/host/component/trap"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// fill writes what a guest can write until there is no room, and returns it.
// The peer reads nothing.
func (w *world) fill(out wasiio.OutputStream) (sent []byte) {
	w.t.Helper()
	for quiet := 0; quiet < 20; {
		n, err := out.CheckWrite(w.ctx())
		require.NoError(w.t, err)
		if n == 0 { // or the goroutine that writes is not done yet
			quiet++
			ctx, cancel := context.WithTimeout(w.ctx(), 5*time.Millisecond)
			p, err := out.Subscribe(ctx)
			require.NoError(w.t, err)
			_ = p.Block(ctx)
			cancel()
			continue
		}
		quiet = 0
		b := bytes.Repeat([]byte{byte(len(sent) % 251)}, int(n))
		require.NoError(w.t, out.Write(w.ctx(), b))
		sent = append(sent, b...)
		require.Less(w.t, len(sent), 64<<20, "nothing holds the guest back")
	}
	return sent
}

func TestASlowReaderHoldsTheWriterBack(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	guest, peer := w.dial()
	require.NoError(t, guest.socket.SetSendBufferSize(w.ctx(), 16<<10))
	sent := w.fill(guest.out)
	require.False(t, w.ready(guest.out))

	// It goes on when the peer reads, and nothing is lost.
	var all errgroup.Group
	all.Go(func() error {
		got, err := io.ReadAll(peer)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got), "%d bytes were sent, %d received", len(sent), len(got))
		return err
	})
	w.block(guest.out)
	require.NoError(t, guest.out.BlockingFlush(w.ctx()))
	require.NoError(t, guest.socket.Shutdown(w.ctx(), contract.ShutdownTypeSend))
	require.NoError(t, all.Wait())
	guest.drop()
}

func TestASlowGuestHoldsThePeerBack(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	guest, peer := w.dial()
	defer guest.drop()
	require.NoError(t, peer.SetWriteBuffer(16<<10))
	require.False(t, w.subscribed(guest.in))
	// The kernel's buffers fill up, and the host reads no more than one chunk.
	sent := 0
	for {
		require.NoError(t, peer.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		n, err := peer.Write(make([]byte, 64<<10))
		sent += n
		if err != nil {
			break
		}
		require.Less(t, sent, 64<<20, "nothing holds the peer back")
	}
	require.NoError(t, peer.CloseWrite())
	require.Len(t, w.readAll(guest.in), sent)
}

func TestShutdownEndsOneDirection(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	guest, peer := w.dial()
	defer guest.drop()
	require.NoError(t, guest.out.BlockingWriteAndFlush(w.ctx(), []byte("question")))
	require.NoError(t, guest.socket.Shutdown(w.ctx(), contract.ShutdownTypeSend))
	require.True(t, w.ready(guest.out))
	_, err := guest.out.CheckWrite(w.ctx())
	closed(t, err)
	closed(t, guest.out.Flush(w.ctx()))
	b, err := io.ReadAll(peer)
	require.NoError(t, err)
	require.Equal(t, "question", string(b))

	_, err = peer.Write([]byte("answer, and something that nobody reads"))
	require.NoError(t, err)
	b, err = guest.in.BlockingRead(w.ctx(), 6)
	require.NoError(t, err)
	require.Equal(t, "answer", string(b))
	require.NoError(t, guest.socket.Shutdown(w.ctx(), contract.ShutdownTypeReceive))
	for _, n := range []uint64{10, 0} {
		_, err = guest.in.Read(w.ctx(), n)
		closed(t, err)
	}
	require.True(t, w.ready(guest.in))
	require.NoError(t, guest.socket.Shutdown(w.ctx(), contract.ShutdownTypeBoth), "again does no harm")
}

func TestShutdownLosesNothing(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	guest, peer := w.dial()
	require.NoError(t, guest.socket.SetSendBufferSize(w.ctx(), 1024))
	n, err := guest.out.CheckWrite(w.ctx())
	require.NoError(t, err)
	require.NoError(t, guest.out.Write(w.ctx(), make([]byte, n)))
	require.NoError(t, guest.socket.Shutdown(w.ctx(), contract.ShutdownTypeSend))
	closed(t, guest.out.Write(w.ctx(), []byte("more")))
	b, err := io.ReadAll(iotest.HalfReader(peer))
	require.NoError(t, err)
	require.Len(t, b, int(n))
	guest.drop()
}

func TestThePeersEndClosesTheInput(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		client, server := w.pair(family)
		defer client.drop()
		require.NoError(t, server.socket.Shutdown(w.ctx(), contract.ShutdownTypeBoth))
		server.drop()
		w.block(client.in)
		for _, n := range []uint64{10, 0} {
			_, err := client.in.Read(w.ctx(), n)
			closed(t, err)
		}
	})
}

func TestAResetFailsBothStreams(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	guest, peer := w.dial()
	defer guest.drop()
	require.NoError(t, peer.SetLinger(0))
	require.NoError(t, peer.Close())
	w.block(guest.in)
	_, err := guest.in.Read(w.ctx(), 1)
	require.Contains(t, failed(t, err), "connection reset by peer")
	_, err = guest.in.Read(w.ctx(), 1)
	closed(t, err)
	closed(t, guest.out.BlockingWriteAndFlush(w.ctx(), []byte("x")))
}

func TestDropSendsWhatTheSystemTakes(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	for range 50 { // the goroutine that writes may not have begun
		guest, peer := w.dial()
		n, err := guest.out.CheckWrite(w.ctx())
		require.NoError(t, err)
		require.NoError(t, guest.out.Write(w.ctx(), make([]byte, n)))
		guest.drop()
		b, err := io.ReadAll(peer)
		require.NoError(t, err)
		require.Len(t, b, int(n))
	}
}

func TestDropOfMoreThanTheSystemTakesIsSeenByThePeer(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	guest, peer := w.dial()
	require.NoError(t, guest.socket.SetSendBufferSize(w.ctx(), 16<<10))
	sent := w.fill(guest.out)
	began := time.Now()
	guest.drop()
	require.Less(t, time.Since(began), 10*time.Second, "a drop waits for nobody")
	got, err := io.ReadAll(peer)
	require.Less(t, len(got), len(sent))
	require.ErrorContains(t, err, "connection reset by peer", "a part is not the whole")
}

// Each of these waits would last for ever.
func TestWaitsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	guest, _ := w.dial()
	defer guest.drop()
	require.NoError(t, guest.socket.SetSendBufferSize(w.ctx(), 16<<10))
	w.fill(guest.out)
	l, _ := w.listener(v4)
	defer l.Drop()
	stuck := w.stuck()
	defer stuck.Drop()
	u := w.udp(v4)
	defer u.Drop()
	in, out := w.stream(u, nil)
	defer in.Drop()
	defer out.Drop()
	for name, wait := range map[string]func(context.Context) error{
		"read":       func(ctx context.Context) error { _, err := guest.in.BlockingRead(ctx, 1); return err },
		"flush":      guest.out.BlockingFlush,
		"accept":     blocking(l),
		"connect":    blocking(stuck),
		"datagrams":  blocking(in),
		"next write": blocking(guest.out),
	} {
		ctx, cancel := context.WithCancel(w.ctx())
		time.AfterFunc(10*time.Millisecond, cancel)
		require.ErrorIs(t, wait(ctx), &trap.Error{Code: trap.Cancelled}, name)
	}
}

type subscriber interface {
	Subscribe(context.Context) (wasiio.Pollable, error)
}

func blocking(s subscriber) func(context.Context) error {
	return func(ctx context.Context) error {
		p, err := s.Subscribe(ctx)
		if err != nil {
			return err
		}
		defer p.Drop()
		return p.Block(ctx)
	}
}

// stuck is a socket that connects for ever: to a listener whose queue is full.
func (w *world) stuck() contract.TCPSocket {
	w.t.Helper()
	l := w.tcp(v4)
	require.NoError(w.t, w.bind(l, addr(netip.AddrPortFrom(loopback[v4], 0))))
	require.NoError(w.t, l.SetListenBacklogSize(w.ctx(), 1))
	w.listen(l)
	w.t.Cleanup(l.Drop)
	a, err := l.LocalAddress(w.ctx())
	require.NoError(w.t, err)
	for range 8 {
		s := w.tcp(v4)
		require.NoError(w.t, s.StartConnect(w.ctx(), w.net, a))
		ctx, cancel := context.WithTimeout(w.ctx(), 50*time.Millisecond)
		err := blocking(s)(ctx)
		cancel()
		if err != nil {
			_, err := s.FinishConnect(w.ctx())
			code(w.t, contract.ErrorCodeWouldBlock, err)
			_, err = s.LocalAddress(w.ctx())
			code(w.t, contract.ErrorCodeInvalidState, err)
			code(w.t, contract.ErrorCodeConcurrencyConflict, s.StartListen(w.ctx()))
			return s
		}
		w.t.Cleanup(s.Drop)
	}
	w.t.Skip("this system's queue of connections has no end")
	return nil
}

// A goroutine waits for each when it is dropped; goleak and the race detector
// look on.
func TestDropWhileWaiting(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	for range 20 {
		guest, _ := w.dial()
		require.False(t, w.subscribed(guest.in))
		guest.drop()

		l, _ := w.listener(v4)
		require.False(t, w.subscribed(l))
		l.Drop()

		u := w.udp(v4)
		in, out := w.stream(u, nil)
		require.False(t, w.subscribed(in))
		in.Drop()
		out.Drop()
		u.Drop()
	}
	stuck := w.stuck()
	require.False(t, w.subscribed(stuck))
	stuck.Drop()

	// A connection that nobody accepted is closed with its listener.
	l, a := w.listener(v4)
	c, err := net.Dial("tcp", addrPort(a).String())
	require.NoError(t, err)
	defer c.Close()
	w.block(l)
	l.Drop()
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
}

// subscribed lets the goroutine of s begin to wait, and tells whether it found
// something.
func (w *world) subscribed(s subscriber) bool {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx(), time.Millisecond)
	defer cancel()
	return blocking(s)(ctx) == nil
}
