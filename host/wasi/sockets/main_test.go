//go:build linux || darwin

package sockets_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/sockets"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	v4 = contract.IPAddressFamilyIPv4
	v6 = contract.IPAddressFamilyIPv6
)

var loopback = map[contract.IPAddressFamily]netip.Addr{v4: netip.MustParseAddr("127.0.0.1"), v6: netip.IPv6Loopback()}

// world is one component's sockets and what was refused to it.
type world struct {
	*sockets.Sockets
	ctx func() context.Context
	t   testing.TB
	net contract.Network

	mu      sync.Mutex
	refused []string
}

func grant(t testing.TB, rules ...string) *world { return grantWith(t, nil, rules...) }

func grantWith(t testing.TB, r sockets.Resolver, rules ...string) *world {
	t.Helper()
	parsed, err := egress.Parse(rules)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: func() context.Context { return ctx }}
	say := func(why string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refused = append(w.refused, why)
	}
	w.Sockets = sockets.New(parsed, say)
	if r != nil {
		w.Sockets = sockets.NewWithResolver(parsed, say, r)
	}
	w.net, err = w.InstanceNetwork(ctx)
	require.NoError(t, err)
	return w
}

// said returns what was refused since the last call.
func (w *world) said() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.refused
	w.refused = nil
	return all
}

// families runs a test for IPv4, and for IPv6 where the machine has it.
func families(t *testing.T, test func(t *testing.T, family contract.IPAddressFamily)) {
	for _, family := range []contract.IPAddressFamily{v4, v6} {
		t.Run(family.String(), func(t *testing.T) {
			t.Parallel()
			if family == v6 {
				l, err := net.Listen("tcp6", "[::1]:0")
				if err != nil {
					t.Skip("no IPv6 here:", err)
				}
				require.NoError(t, l.Close())
			}
			test(t, family)
		})
	}
}

func code(t testing.TB, want contract.ErrorCode, err error) {
	t.Helper()
	got, ok := contract.ErrorCodeFrom(errors.Join(err))
	require.True(t, ok, "%v is no code: %s was wanted", err, want)
	require.Equal(t, want, got)
}

func addr(a netip.AddrPort) contract.IPSocketAddress {
	if a.Addr().Is4() {
		return contract.IPSocketAddress{Tag: contract.IPSocketAddressIPv4, IPv4: contract.IPv4SocketAddress{Port: a.Port(), Address: a.Addr().As4()}}
	}
	s := contract.IPSocketAddress{Tag: contract.IPSocketAddressIPv6, IPv6: contract.IPv6SocketAddress{Port: a.Port()}}
	b := a.Addr().As16()
	for i := range s.IPv6.Address {
		s.IPv6.Address[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return s
}

func at(text string) contract.IPSocketAddress { return addr(netip.MustParseAddrPort(text)) }

func addrPort(a contract.IPSocketAddress) netip.AddrPort {
	if a.Tag == contract.IPSocketAddressIPv4 {
		return netip.AddrPortFrom(netip.AddrFrom4(a.IPv4.Address), a.IPv4.Port)
	}
	var b [16]byte
	for i, g := range a.IPv6.Address {
		binary.BigEndian.PutUint16(b[2*i:], g)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(b), a.IPv6.Port)
}

// block waits as a guest does.
func (w *world) block(s interface {
	Subscribe(context.Context) (wasiio.Pollable, error)
}) {
	w.t.Helper()
	p, err := s.Subscribe(w.ctx())
	require.NoError(w.t, err)
	require.NoError(w.t, p.Block(w.ctx()))
	p.Drop()
}

func (w *world) ready(s interface {
	Subscribe(context.Context) (wasiio.Pollable, error)
}) bool {
	w.t.Helper()
	p, err := s.Subscribe(w.ctx())
	require.NoError(w.t, err)
	ready, err := p.Ready(w.ctx())
	require.NoError(w.t, err)
	return ready
}

func (w *world) tcp(family contract.IPAddressFamily) contract.TCPSocket {
	w.t.Helper()
	s, err := w.CreateTCPSocket(w.ctx(), family)
	require.NoError(w.t, err)
	return s
}

func (w *world) bind(s contract.TCPSocket, a contract.IPSocketAddress) error {
	if err := s.StartBind(w.ctx(), w.net, a); err != nil {
		return err
	}
	w.block(s)
	return s.FinishBind(w.ctx())
}

// listener is a socket that listens on a port of the system's choice.
func (w *world) listener(family contract.IPAddressFamily) (contract.TCPSocket, contract.IPSocketAddress) {
	w.t.Helper()
	s := w.tcp(family)
	require.NoError(w.t, w.bind(s, addr(netip.AddrPortFrom(loopback[family], 0))))
	w.listen(s)
	a, err := s.LocalAddress(w.ctx())
	require.NoError(w.t, err)
	return s, a
}

func (w *world) listen(s contract.TCPSocket) {
	w.t.Helper()
	require.NoError(w.t, s.StartListen(w.ctx()))
	w.block(s)
	require.NoError(w.t, s.FinishListen(w.ctx()))
}

// end is one end of a connection.
type end struct {
	socket contract.TCPSocket
	in     wasiio.InputStream
	out    wasiio.OutputStream
}

// drop drops what is not nil, the streams first.
func (e end) drop() {
	e.in.Drop()
	e.out.Drop()
	e.socket.Drop()
}

func (w *world) connect(s contract.TCPSocket, a contract.IPSocketAddress) (e end, _ error) {
	if err := s.StartConnect(w.ctx(), w.net, a); err != nil {
		return e, err
	}
	w.block(s)
	streams, err := s.FinishConnect(w.ctx())
	return end{s, streams.F0, streams.F1}, err
}

func (w *world) accept(s contract.TCPSocket) end {
	w.t.Helper()
	w.block(s)
	a, err := s.Accept(w.ctx())
	require.NoError(w.t, err)
	return end{a.F0, a.F1, a.F2}
}

// pair is a connection of a guest's with itself.
func (w *world) pair(family contract.IPAddressFamily) (client, server end) {
	w.t.Helper()
	l, a := w.listener(family)
	defer l.Drop()
	client, err := w.connect(w.tcp(family), a)
	require.NoError(w.t, err)
	return client, w.accept(l)
}

// dial connects a guest to a peer of ours.
func (w *world) dial() (guest end, peer *net.TCPConn) {
	w.t.Helper()
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	require.NoError(w.t, err)
	defer l.Close()
	guest, err = w.connect(w.tcp(v4), at(l.Addr().String()))
	require.NoError(w.t, err)
	peer, err = l.AcceptTCP()
	require.NoError(w.t, err)
	w.t.Cleanup(func() { peer.Close() })
	return guest, peer
}

func (w *world) readAll(in wasiio.InputStream) (all []byte) {
	w.t.Helper()
	for {
		b, err := in.BlockingRead(w.ctx(), 1<<20)
		if err != nil {
			closed(w.t, err)
			return all
		}
		all = slices.Concat(all, b)
	}
}

func closed(t testing.TB, err error) {
	t.Helper()
	e, ok := wasiio.StreamErrorFrom(errors.Join(err))
	require.True(t, ok, "%v is no stream error", err)
	require.Equal(t, wasiio.StreamErrorClosed, e.Tag)
}

// failed returns why a stream failed.
func failed(t testing.TB, err error) string {
	t.Helper()
	e, ok := wasiio.StreamErrorFrom(errors.Join(err))
	require.True(t, ok, "%v is no stream error", err)
	require.Equal(t, wasiio.StreamErrorLastOperationFailed, e.Tag)
	text, err := e.LastOperationFailed.ToDebugString(t.Context())
	require.NoError(t, err)
	return text
}
