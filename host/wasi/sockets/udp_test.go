//go:build linux || darwin

package sockets_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// udp is a socket on a loopback port of the system's choice.
func (w *world) udp(family contract.IPAddressFamily) contract.UDPSocket {
	w.t.Helper()
	s, err := w.CreateUDPSocket(w.ctx(), family)
	require.NoError(w.t, err)
	require.NoError(w.t, w.bindUDP(s, addr(netip.AddrPortFrom(loopback[family], 0))))
	return s
}

func (w *world) bindUDP(s contract.UDPSocket, a contract.IPSocketAddress) error {
	if err := s.StartBind(w.ctx(), w.net, a); err != nil {
		return err
	}
	w.block(s)
	return s.FinishBind(w.ctx())
}

func (w *world) stream(s contract.UDPSocket, to *contract.IPSocketAddress) (contract.IncomingDatagramStream, contract.OutgoingDatagramStream) {
	w.t.Helper()
	remote := wit.None[contract.IPSocketAddress]()
	if to != nil {
		remote = wit.Some(*to)
	}
	streams, err := s.Stream(w.ctx(), remote)
	require.NoError(w.t, err)
	return streams.F0, streams.F1
}

func (w *world) local(s contract.UDPSocket) contract.IPSocketAddress {
	w.t.Helper()
	a, err := s.LocalAddress(w.ctx())
	require.NoError(w.t, err)
	return a
}

func to(a contract.IPSocketAddress, data string) contract.OutgoingDatagram {
	return contract.OutgoingDatagram{Data: []byte(data), RemoteAddress: wit.Some(a)}
}

func plain(data string) contract.OutgoingDatagram {
	return contract.OutgoingDatagram{Data: []byte(data)}
}

func (w *world) send(out contract.OutgoingDatagramStream, all ...contract.OutgoingDatagram) error {
	w.t.Helper()
	w.block(out)
	n, err := out.CheckSend(w.ctx())
	require.NoError(w.t, err)
	require.GreaterOrEqual(w.t, n, uint64(len(all)))
	n, err = out.Send(w.ctx(), all)
	if err == nil {
		require.EqualValues(w.t, len(all), n)
	}
	return err
}

func (w *world) receive(in contract.IncomingDatagramStream) contract.IncomingDatagram {
	w.t.Helper()
	w.block(in)
	all, err := in.Receive(w.ctx(), 1)
	require.NoError(w.t, err)
	require.Len(w.t, all, 1)
	return all[0]
}

func TestUDPBind(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		wildcard := map[contract.IPAddressFamily]netip.Addr{v4: netip.IPv4Unspecified(), v6: netip.IPv6Unspecified()}
		for _, ip := range []netip.Addr{loopback[family], wildcard[family]} {
			s, err := w.CreateUDPSocket(w.ctx(), family)
			require.NoError(t, err)
			require.NoError(t, w.bindUDP(s, addr(netip.AddrPortFrom(ip, 0))))
			a := w.local(s)
			require.Equal(t, ip, addrPort(a).Addr())
			other, err := w.CreateUDPSocket(w.ctx(), family)
			require.NoError(t, err)
			code(t, contract.ErrorCodeAddressInUse, w.bindUDP(other, a))
			s.Drop()
			require.NoError(t, w.bindUDP(other, a))
			other.Drop()
		}
		s, err := w.CreateUDPSocket(w.ctx(), family)
		require.NoError(t, err)
		defer s.Drop()
		away := map[contract.IPAddressFamily]string{v4: "192.0.2.0:0", v6: "[2001:db8::]:0"}[family]
		code(t, contract.ErrorCodeAddressNotBindable, w.bindUDP(s, at(away)))
		for _, wrong := range map[contract.IPAddressFamily][]string{v4: {"[::1]:0"}, v6: {"127.0.0.1:0", "[::ffff:127.0.0.1]:0", "[::7f00:1]:0"}}[family] {
			code(t, contract.ErrorCodeInvalidArgument, w.bindUDP(s, at(wrong)))
		}
	})
}

func TestUDPStates(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		const invalid = contract.ErrorCodeInvalidState
		anyPort := addr(netip.AddrPortFrom(loopback[family], 0))
		peer := addr(netip.AddrPortFrom(loopback[family], 54321))
		s, err := w.CreateUDPSocket(w.ctx(), family)
		require.NoError(t, err)
		defer s.Drop()
		options := func() {
			t.Helper()
			f, err := s.AddressFamily(w.ctx())
			require.NoError(t, err)
			require.Equal(t, family, f)
			require.NoError(t, s.SetUnicastHopLimit(w.ctx(), 42))
			requireOption(w, 42, s.UnicastHopLimit)
			require.NoError(t, s.SetReceiveBufferSize(w.ctx(), 1<<16))
			requireOption(w, 1<<16, s.ReceiveBufferSize)
			require.NoError(t, s.SetSendBufferSize(w.ctx(), 1<<16))
			requireOption(w, 1<<16, s.SendBufferSize)
			code(t, contract.ErrorCodeNotInProgress, s.FinishBind(w.ctx()))
			require.True(t, w.ready(s))
		}
		options()
		for _, err := range []error{s.SetUnicastHopLimit(w.ctx(), 0), s.SetReceiveBufferSize(w.ctx(), 0), s.SetSendBufferSize(w.ctx(), 0)} {
			code(t, contract.ErrorCodeInvalidArgument, err)
		}
		for _, err := range []error{s.SetReceiveBufferSize(w.ctx(), 1), s.SetSendBufferSize(w.ctx(), ^uint64(0))} {
			require.NoError(t, err)
		}
		_, err = s.LocalAddress(w.ctx())
		code(t, invalid, err)
		_, err = s.RemoteAddress(w.ctx())
		code(t, invalid, err)
		_, err = s.Stream(w.ctx(), wit.None[contract.IPSocketAddress]())
		code(t, invalid, err)
		_, err = s.Stream(w.ctx(), wit.Some(peer))
		code(t, invalid, err)

		require.NoError(t, s.StartBind(w.ctx(), w.net, anyPort))
		code(t, contract.ErrorCodeConcurrencyConflict, s.StartBind(w.ctx(), w.net, anyPort))
		_, err = s.Stream(w.ctx(), wit.None[contract.IPSocketAddress]())
		code(t, invalid, err)
		require.NoError(t, s.FinishBind(w.ctx()))
		code(t, invalid, s.StartBind(w.ctx(), w.net, anyPort))
		options()
		_, err = s.RemoteAddress(w.ctx())
		code(t, invalid, err)

		in, out := w.stream(s, &peer)
		defer in.Drop()
		defer out.Drop()
		options()
		code(t, invalid, s.StartBind(w.ctx(), w.net, anyPort))
		remote, err := s.RemoteAddress(w.ctx())
		require.NoError(t, err)
		require.Equal(t, peer, remote)
		for _, wrong := range map[contract.IPAddressFamily][]string{
			v4: {"[::1]:1", "0.0.0.0:1", "127.0.0.1:0"}, v6: {"127.0.0.1:1", "[::ffff:127.0.0.1]:1", "[::]:1", "[::1]:0"},
		}[family] {
			_, err := s.Stream(w.ctx(), wit.Some(at(wrong)))
			code(t, contract.ErrorCodeInvalidArgument, err)
			code(t, contract.ErrorCodeInvalidArgument, w.send(out, to(at(wrong), "x")))
		}
	})
}

func TestUDPPeersComeAndGo(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		s, err := w.CreateUDPSocket(w.ctx(), family)
		require.NoError(t, err)
		defer s.Drop()
		wildcard := map[contract.IPAddressFamily]netip.Addr{v4: netip.IPv4Unspecified(), v6: netip.IPv6Unspecified()}[family]
		require.NoError(t, w.bindUDP(s, addr(netip.AddrPortFrom(wildcard, 0))))
		port := addrPort(w.local(s)).Port()
		one, two := w.udp(family), w.udp(family)
		defer one.Drop()
		defer two.Drop()
		a, b := w.local(one), w.local(two)
		for _, peer := range []*contract.IPSocketAddress{nil, nil, &a, &a, &b, nil, &a, nil} {
			in, out := w.stream(s, peer)
			remote, err := s.RemoteAddress(w.ctx())
			require.Equal(t, peer == nil, err != nil)
			if peer != nil {
				require.Equal(t, *peer, remote)
			}
			require.Equal(t, port, addrPort(w.local(s)).Port(), "the socket stays where it is")

			// It speaks with that peer, or with any.
			for _, other := range []contract.UDPSocket{one, two} {
				there := w.local(other)
				err := w.send(out, to(there, "hello"))
				if peer != nil && there != *peer {
					code(t, contract.ErrorCodeInvalidArgument, err)
					continue
				}
				require.NoError(t, err)
				otherIn, otherOut := w.stream(other, nil)
				g := w.receive(otherIn)
				require.Equal(t, "hello", string(g.Data))
				require.Equal(t, port, addrPort(g.RemoteAddress).Port())
				require.NoError(t, w.send(otherOut, to(g.RemoteAddress, "world")))
				g = w.receive(in)
				require.Equal(t, "world", string(g.Data))
				require.Equal(t, there, g.RemoteAddress)
				otherIn.Drop()
				otherOut.Drop()
			}
			in.Drop()
			out.Drop()
		}
	})
}

func TestUDPStreamsOfAnEarlierCallWorkNoMore(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	s := w.udp(v4)
	in1, out1 := w.stream(s, nil)
	require.False(t, w.subscribed(in1))
	in2, out2 := w.stream(s, nil)
	_, err := in1.Receive(w.ctx(), 1)
	code(t, contract.ErrorCodeInvalidState, err)
	_, err = out1.CheckSend(w.ctx())
	code(t, contract.ErrorCodeInvalidState, err)
	_, err = out1.Send(w.ctx(), nil)
	code(t, contract.ErrorCodeInvalidState, err)
	require.True(t, w.ready(in1))

	// Their end is not the end of the others.
	in1.Drop()
	out1.Drop()
	s.Drop()
	other := w.udp(v4)
	defer other.Drop()
	otherIn, otherOut := w.stream(other, nil)
	defer otherIn.Drop()
	defer otherOut.Drop()
	require.NoError(t, w.send(out2, to(w.local(other), "x")))
	g := w.receive(otherIn)
	require.NoError(t, w.send(otherOut, to(g.RemoteAddress, "y")))
	require.Equal(t, "y", string(w.receive(in2).Data))
	in2.Drop()
	out2.Drop()
}

func TestUDPManyAtATime(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	a, b := w.udp(v4), w.udp(v4)
	defer a.Drop()
	defer b.Drop()
	there := w.local(b)
	aIn, aOut := w.stream(a, &there)
	defer aIn.Drop()
	defer aOut.Drop()
	here := w.local(a)
	bIn, bOut := w.stream(b, &here)
	defer bIn.Drop()
	defer bOut.Drop()
	require.NoError(t, w.send(aOut, plain("1"), to(there, "2"), plain("")))
	w.block(bIn)
	none, err := bIn.Receive(w.ctx(), 0)
	require.NoError(t, err)
	require.Empty(t, none)
	all, err := bIn.Receive(w.ctx(), ^uint64(0))
	require.NoError(t, err)
	require.Len(t, all, 3)
	for i, want := range []string{"1", "2", ""} {
		require.Equal(t, want, string(all[i].Data))
		require.Equal(t, here, all[i].RemoteAddress)
	}
	none, err = bIn.Receive(w.ctx(), 1)
	require.NoError(t, err)
	require.Empty(t, none)

	// A guest gets a bounded amount at a time, however much there is.
	require.NoError(t, b.SetReceiveBufferSize(w.ctx(), 1<<20))
	big := string(make([]byte, 60_000))
	require.NoError(t, w.send(aOut, plain(big), plain(big), plain(big)))
	w.block(bIn)
	all, err = bIn.Receive(w.ctx(), 100)
	require.NoError(t, err)
	require.LessOrEqual(t, len(all), 2)
}

func TestUDPSendErrors(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	s := w.udp(v4)
	defer s.Drop()
	in, out := w.stream(s, nil)
	defer in.Drop()
	defer out.Drop()
	code(t, contract.ErrorCodeInvalidArgument, w.send(out, plain("nowhere")))
	there := w.local(s)
	for _, size := range []int{65508, 65537, 1 << 20} {
		code(t, contract.ErrorCodeDatagramTooLarge, w.send(out, to(there, string(make([]byte, size)))))
	}

	_, err := out.Send(w.ctx(), []contract.OutgoingDatagram{to(there, "x")})
	require.ErrorContains(t, err, "send of 1 datagrams where check-send allowed 0")
	_, isCode := contract.ErrorCodeFrom(err)
	require.False(t, isCode, "it is a trap")
	permit, err := out.CheckSend(w.ctx())
	require.NoError(t, err)
	_, err = out.Send(w.ctx(), make([]contract.OutgoingDatagram, permit+1))
	require.ErrorContains(t, err, "check-send allowed")

	_, err = out.CheckSend(w.ctx())
	require.NoError(t, err)
	sent, err := out.Send(w.ctx(), []contract.OutgoingDatagram{to(there, "a"), to(there, "b"), plain("nowhere"), to(there, "c")})
	require.NoError(t, err, "what was sent is told first")
	require.EqualValues(t, 2, sent)
}

func TestUDPPeerThatIsNotThere(t *testing.T) {
	t.Parallel()
	families(t, func(t *testing.T, family contract.IPAddressFamily) {
		w := grant(t, everything...)
		gone := w.udp(family)
		there := w.local(gone)
		gone.Drop()
		s := w.udp(family)
		defer s.Drop()
		in, out := w.stream(s, &there)
		defer in.Drop()
		defer out.Drop()
		require.NoError(t, w.send(out, plain("hello")))
		w.block(in)
		_, err := in.Receive(w.ctx(), 1)
		code(t, contract.ErrorCodeConnectionRefused, err)
	})
}

// What came before the socket had one peer is not of that peer.
func TestUDPReceivesFromItsPeerOnly(t *testing.T) {
	t.Parallel()
	w := grant(t, everything...)
	s, a, b := w.udp(v4), w.udp(v4), w.udp(v4)
	there := w.local(s)
	for i, from := range []contract.UDPSocket{a, b, a} {
		in, out := w.stream(from, &there)
		require.NoError(t, w.send(out, plain([]string{"A", "B", "A"}[i])))
		in.Drop()
		out.Drop()
	}
	peer := w.local(b)
	in, out := w.stream(s, &peer)
	g := w.receive(in)
	require.Equal(t, "B", string(g.Data))
	require.Equal(t, peer, g.RemoteAddress)
	require.False(t, w.subscribed(in))
	in.Drop()
	out.Drop()
	for _, u := range []contract.UDPSocket{s, a, b} {
		u.Drop()
	}
}

func TestUDPClientHearsGrantedPeersOnly(t *testing.T) {
	t.Parallel()
	peer, stranger := listenUDP(t), listenUDP(t)
	w := grant(t, "udp://"+peer.LocalAddr().String())
	s, err := w.CreateUDPSocket(w.ctx(), v4)
	require.NoError(t, err)
	defer s.Drop()
	require.NoError(t, w.bindUDP(s, at("0.0.0.0:0")), "every client does that")
	in, out := w.stream(s, nil)
	defer in.Drop()
	defer out.Drop()
	here := net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback[v4], addrPort(w.local(s)).Port()))
	for range 200 { // more than it passes over at a look
		_, err = stranger.WriteTo([]byte("stranger"), here)
		require.NoError(t, err)
	}
	require.False(t, w.ready(in))
	require.False(t, w.subscribed(in))
	_, err = peer.WriteTo([]byte("peer"), here)
	require.NoError(t, err)
	require.Equal(t, "peer", string(w.receive(in).Data))
	require.Empty(t, w.said())

	require.NoError(t, w.send(out, to(at(peer.LocalAddr().String()), "x")))
	code(t, contract.ErrorCodeAccessDenied, w.send(out, to(at(stranger.LocalAddr().String()), "x")))
	place := stranger.LocalAddr().String()
	require.Equal(t, []string{"wasi:sockets: udp " + place + " is not granted: it is a loopback address; grant it by --allow-net udp://" + place}, w.said())
}

func TestUDPServerAnswersItsSenders(t *testing.T) {
	t.Parallel()
	w := grant(t, "udp://127.0.0.1")
	s := w.udp(v4)
	defer s.Drop()
	in, out := w.stream(s, nil)
	defer in.Drop()
	defer out.Drop()
	client, err := net.ListenPacket("udp4", "127.0.0.2:0")
	if err != nil {
		t.Skip("one loopback address only:", err)
	}
	defer client.Close()
	there := at(client.LocalAddr().String())
	code(t, contract.ErrorCodeAccessDenied, w.send(out, to(there, "unasked")))
	_, err = client.WriteTo([]byte("question"), net.UDPAddrFromAddrPort(addrPort(w.local(s))))
	require.NoError(t, err)
	g := w.receive(in)
	require.Equal(t, there, g.RemoteAddress)
	require.NoError(t, w.send(out, to(there, "answer")))
	b := make([]byte, 10)
	n, _, err := client.ReadFrom(b)
	require.NoError(t, err)
	require.Equal(t, "answer", string(b[:n]))
}

func listenUDP(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}
