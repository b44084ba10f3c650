//go:build linux || darwin

package sockets_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// everything is what most tests may do.
var everything = []string{"127.0.0.1", "[::1]", "0.0.0.0", "[::]", "192.0.2.0", "224.0.0.0/4", "255.255.255.255"}

func TestTCPBind(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		wildcard := map[contract.IPAddressFamily]netip.Addr{v4: netip.IPv4Unspecified(), v6: netip.IPv6Unspecified()}
		for _, ip := range []netip.Addr{loopback[family], wildcard[family]} {
			s := w.tcp(family)
			require.NoError(t, w.bind(s, addr(netip.AddrPortFrom(ip, 0))))
			a, err := s.LocalAddress(w.ctx())
			require.NoError(t, err)
			require.Equal(t, ip, addrPort(a).Addr())
			require.NotZero(t, addrPort(a).Port())
			w.listen(s)

			other := w.tcp(family)
			code(t, contract.ErrorCodeAddressInUse, w.bind(other, a))
			s.Drop()
			require.NoError(t, w.bind(other, a), "a failed bind can be tried again")
			other.Drop()
		}
		s := w.tcp(family)
		defer s.Drop()
		away := map[contract.IPAddressFamily]string{v4: "192.0.2.0:0", v6: "[2001:db8::]:0"}[family]
		code(t, contract.ErrorCodeAddressNotBindable, w.bind(s, at(away)))
	})
}

func TestTCPServerStartsAgainOnItsPort(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	l, a := w.listener(v4)
	client, err := w.connect(w.tcp(v4), a)
	require.NoError(t, err)
	server := w.accept(l)
	server.drop() // first: its end of the connection is the one that lingers
	require.Empty(t, w.readAll(client.in))
	client.drop()
	l.Drop()
	again := w.tcp(v4)
	defer again.Drop()
	require.NoError(t, w.bind(again, a))
	w.listen(again)
}

func TestTCPArguments(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	four, six := w.tcp(v4), w.tcp(v6)
	defer four.Drop()
	defer six.Drop()
	for _, c := range []struct {
		s contract.TCPSocket
		a string
	}{
		{four, "[::1]:0"}, {four, "255.255.255.255:0"}, {four, "224.254.0.0:0"},
		{six, "127.0.0.1:0"}, {six, "[ff00::]:0"}, {six, "[::ffff:127.0.0.1]:0"}, {six, "[::7f00:1]:0"},
	} {
		code(t, contract.ErrorCodeInvalidArgument, w.bind(c.s, at(c.a)))
	}
	for _, c := range []struct {
		s contract.TCPSocket
		a string
	}{
		{four, "[::1]:80"}, {four, "255.255.255.255:80"}, {four, "224.254.0.0:80"}, {four, "0.0.0.0:80"}, {four, "127.0.0.1:0"},
		{six, "127.0.0.1:80"}, {six, "[ff00::]:80"}, {six, "[::ffff:127.0.0.1]:80"}, {six, "[::7f00:1]:80"}, {six, "[::]:80"}, {six, "[::1]:0"},
	} {
		_, err := w.connect(c.s, at(c.a))
		code(t, contract.ErrorCodeInvalidArgument, err)
	}
	require.Empty(t, w.said())
}

// outcomes of every operation of a TCP socket that does not change its state.
func TestTCPStates(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		anyPort := addr(netip.AddrPortFrom(loopback[family], 0))
		some := addr(netip.AddrPortFrom(loopback[family], 9))
		const invalid, conflict = contract.ErrorCodeInvalidState, contract.ErrorCodeConcurrencyConflict
		check := func(s contract.TCPSocket, start contract.ErrorCode, hasLocal, hasRemote, listening, options bool) {
			t.Helper()
			code(t, start, s.StartBind(w.ctx(), w.net, anyPort))
			code(t, contract.ErrorCodeNotInProgress, s.FinishBind(w.ctx()))
			_, err := s.FinishConnect(w.ctx())
			code(t, contract.ErrorCodeNotInProgress, err)
			code(t, contract.ErrorCodeNotInProgress, s.FinishListen(w.ctx()))
			if !listening {
				_, err = s.Accept(w.ctx())
				code(t, invalid, err)
			}
			_, err = s.LocalAddress(w.ctx())
			require.Equal(t, hasLocal, err == nil, err)
			_, err = s.RemoteAddress(w.ctx())
			require.Equal(t, hasRemote, err == nil, err)
			is, err := s.IsListening(w.ctx())
			require.NoError(t, err)
			require.Equal(t, listening, is)
			f, err := s.AddressFamily(w.ctx())
			require.NoError(t, err)
			require.Equal(t, family, f)
			for _, err := range tcpOptions(w, s) {
				if options {
					require.NoError(t, err)
				} else {
					code(t, invalid, err)
				}
			}
		}

		s := w.tcp(family)
		code(t, invalid, s.StartListen(w.ctx()))
		code(t, invalid, s.Shutdown(w.ctx(), contract.ShutdownTypeBoth))
		require.NoError(t, s.SetListenBacklogSize(w.ctx(), 32))
		require.NoError(t, s.StartBind(w.ctx(), w.net, anyPort))
		code(t, conflict, s.StartBind(w.ctx(), w.net, anyPort))
		code(t, conflict, s.StartConnect(w.ctx(), w.net, some))
		code(t, conflict, s.StartListen(w.ctx()))
		require.NoError(t, s.FinishBind(w.ctx()))
		check(s, invalid, true, false, false, true)
		code(t, invalid, s.Shutdown(w.ctx(), contract.ShutdownTypeBoth))

		require.NoError(t, s.StartListen(w.ctx()))
		code(t, conflict, s.StartListen(w.ctx()))
		code(t, conflict, s.StartConnect(w.ctx(), w.net, some))
		require.NoError(t, s.FinishListen(w.ctx()))
		check(s, invalid, true, false, true, true)
		code(t, invalid, s.StartListen(w.ctx()))
		code(t, invalid, s.StartConnect(w.ctx(), w.net, some))
		code(t, invalid, s.Shutdown(w.ctx(), contract.ShutdownTypeBoth))
		require.NoError(t, s.SetListenBacklogSize(w.ctx(), 64))
		_, err := s.Accept(w.ctx())
		code(t, contract.ErrorCodeWouldBlock, err)
		require.False(t, w.ready(s))

		a, err := s.LocalAddress(w.ctx())
		require.NoError(t, err)
		client, err := w.connect(w.tcp(family), a)
		require.NoError(t, err)
		server := w.accept(s)
		for _, e := range []end{client, server} {
			check(e.socket, invalid, true, true, false, true)
			code(t, invalid, e.socket.StartListen(w.ctx()))
			code(t, invalid, e.socket.StartConnect(w.ctx(), w.net, some))
			code(t, invalid, e.socket.SetListenBacklogSize(w.ctx(), 64))
			require.True(t, w.ready(e.socket))
		}
		remote, err := client.socket.RemoteAddress(w.ctx())
		require.NoError(t, err)
		require.Equal(t, a, remote)
		local, err := client.socket.LocalAddress(w.ctx())
		require.NoError(t, err)
		remote, err = server.socket.RemoteAddress(w.ctx())
		require.NoError(t, err)
		require.Equal(t, local, remote)
		client.drop()
		server.drop()
		s.Drop()

		failed := w.tcp(family)
		defer failed.Drop()
		_, err = w.connect(failed, a)
		code(t, contract.ErrorCodeConnectionRefused, err)
		check(failed, invalid, false, false, false, false)
		code(t, invalid, failed.StartConnect(w.ctx(), w.net, a))
		require.True(t, w.ready(failed))
	})
}

// tcpOptions tries every option, with values that are right.
func tcpOptions(w *world, s contract.TCPSocket) []error {
	_, keep := s.KeepAliveEnabled(w.ctx())
	_, idle := s.KeepAliveIdleTime(w.ctx())
	_, interval := s.KeepAliveInterval(w.ctx())
	_, count := s.KeepAliveCount(w.ctx())
	_, hops := s.HopLimit(w.ctx())
	_, receive := s.ReceiveBufferSize(w.ctx())
	_, send := s.SendBufferSize(w.ctx())
	return []error{
		keep, idle, interval, count, hops, receive, send,
		s.SetKeepAliveEnabled(w.ctx(), true), s.SetKeepAliveIdleTime(w.ctx(), 1), s.SetKeepAliveInterval(w.ctx(), 1),
		s.SetKeepAliveCount(w.ctx(), 1), s.SetHopLimit(w.ctx(), 255), s.SetReceiveBufferSize(w.ctx(), 16000), s.SetSendBufferSize(w.ctx(), 16000),
	}
}

func TestTCPOptions(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		s := w.tcp(family)
		defer s.Drop()
		const second = uint64(time.Second)
		for _, err := range []error{
			s.SetListenBacklogSize(w.ctx(), 0), s.SetKeepAliveIdleTime(w.ctx(), 0), s.SetKeepAliveInterval(w.ctx(), 0), s.SetKeepAliveCount(w.ctx(), 0),
			s.SetHopLimit(w.ctx(), 0), s.SetReceiveBufferSize(w.ctx(), 0), s.SetSendBufferSize(w.ctx(), 0),
		} {
			code(t, contract.ErrorCodeInvalidArgument, err)
		}
		const most = ^uint64(0)
		for _, err := range []error{
			s.SetListenBacklogSize(w.ctx(), most), s.SetKeepAliveIdleTime(w.ctx(), most), s.SetKeepAliveInterval(w.ctx(), most),
			s.SetKeepAliveCount(w.ctx(), ^uint32(0)), s.SetReceiveBufferSize(w.ctx(), most), s.SetSendBufferSize(w.ctx(), most),
			s.SetReceiveBufferSize(w.ctx(), 1), s.SetSendBufferSize(w.ctx(), 1), s.SetKeepAliveIdleTime(w.ctx(), 1), s.SetKeepAliveInterval(w.ctx(), 1),
		} {
			require.NoError(t, err)
		}
		requireOption(w, second, s.KeepAliveIdleTime)
		requireOption(w, second, s.KeepAliveInterval)

		set := func(s contract.TCPSocket, v uint64) {
			require.NoError(t, s.SetKeepAliveEnabled(w.ctx(), true))
			require.NoError(t, s.SetKeepAliveIdleTime(w.ctx(), v*second))
			require.NoError(t, s.SetKeepAliveInterval(w.ctx(), v*second))
			require.NoError(t, s.SetKeepAliveCount(w.ctx(), uint32(v)))
			require.NoError(t, s.SetHopLimit(w.ctx(), uint8(v)))
			require.NoError(t, s.SetReceiveBufferSize(w.ctx(), v<<10))
			require.NoError(t, s.SetSendBufferSize(w.ctx(), v<<10))
		}
		get := func(s contract.TCPSocket, v uint64) {
			requireOption(w, true, s.KeepAliveEnabled)
			requireOption(w, v*second, s.KeepAliveIdleTime)
			requireOption(w, v*second, s.KeepAliveInterval)
			requireOption(w, uint32(v), s.KeepAliveCount)
			requireOption(w, uint8(v), s.HopLimit)
			requireOption(w, v<<10, s.ReceiveBufferSize)
			requireOption(w, v<<10, s.SendBufferSize)
		}
		set(s, 42)
		get(s, 42)

		// An accepted socket has the options of its listener, and its own from then on.
		l, a := w.listener(family)
		defer l.Drop()
		set(l, 64)
		client, err := w.connect(w.tcp(family), a)
		require.NoError(t, err)
		defer client.drop()
		server := w.accept(l)
		defer server.drop()
		set(l, 65)
		requireOption(w, uint32(64), server.socket.KeepAliveCount)
		requireOption(w, uint8(64), server.socket.HopLimit)
		requireOption(w, 64*second, server.socket.KeepAliveIdleTime)
	})
}

func requireOption[T any](w *world, want T, get func(ctx context.Context) (T, error)) {
	w.t.Helper()
	got, err := get(w.ctx())
	require.NoError(w.t, err)
	require.Equal(w.t, want, got)
}

func TestTCPStreamsBothWaysInAnyOrderOfDrops(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
			client, server := w.pair(family)
			for _, ends := range [][2]end{{client, server}, {server, client}} {
				require.NoError(t, ends[0].out.BlockingWriteAndFlush(w.ctx(), []byte("hello")))
				b, err := ends[1].in.BlockingRead(w.ctx(), 100)
				require.NoError(t, err)
				require.Equal(t, "hello", string(b))
			}
			for _, e := range []end{client, server} {
				parts := []interface{ Drop() }{e.socket, e.in, e.out}
				for _, i := range order {
					parts[i].Drop()
				}
			}
		}
	})
}

func TestTCPAcceptsWhatWaits(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	l, a := w.listener(v4)
	defer l.Drop()
	var peers []net.Conn
	for range 5 {
		c, err := net.Dial("tcp", addrPort(a).String())
		require.NoError(t, err)
		defer c.Close()
		peers = append(peers, c)
	}
	for _, c := range peers {
		server := w.accept(l)
		remote, err := server.socket.RemoteAddress(w.ctx())
		require.NoError(t, err)
		require.Equal(t, c.LocalAddr().String(), addrPort(remote).String())
		server.drop()
	}
	_, err := l.Accept(w.ctx())
	code(t, contract.ErrorCodeWouldBlock, err)
}

func TestSocketsAreLimited(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	var all []interface{ Drop() }
	for {
		s, err := w.CreateUDPSocket(w.ctx(), v4)
		if err != nil {
			code(t, contract.ErrorCodeNewSocketLimit, err)
			break
		}
		all = append(all, s)
	}
	require.LessOrEqual(t, len(all), 1000)
	_, err := w.CreateTCPSocket(w.ctx(), v4)
	code(t, contract.ErrorCodeNewSocketLimit, err)
	for _, s := range all {
		s.Drop()
	}

	// What has streams is a socket until they are dropped, too.
	l, a := w.listener(v4)
	defer l.Drop()
	var clients []end
	for range len(all) - 1 {
		e, err := w.connect(w.tcp(v4), a)
		require.NoError(t, err)
		e.socket.Drop()
		clients = append(clients, e)
		if len(clients) == 100 {
			break
		}
	}
	var fill []interface{ Drop() }
	for range 1000 - 1 - len(clients) {
		s, err := w.CreateUDPSocket(w.ctx(), v4)
		require.NoError(t, err)
		fill = append(fill, s)
	}
	w.block(l)
	_, err = l.Accept(w.ctx())
	code(t, contract.ErrorCodeNewSocketLimit, err)
	fill[0].Drop()
	w.accept(l).drop()
	for _, s := range fill[1:] {
		s.Drop()
	}
	for _, e := range clients {
		e.in.Drop()
		e.out.Drop()
	}
}
