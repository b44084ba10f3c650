//go:build linux || darwin

package sockets

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// The loopback never keeps a datagram waiting, so that a socket has to be told
// that the system took no more.
func TestASocketThatWasFullSendsAgain(t *testing.T) {
	t.Parallel()
	rules, err := egress.Parse([]string{"127.0.0.1"})
	require.NoError(t, err)
	ctx := t.Context()
	s, err := New(rules, nil).CreateUDPSocket(ctx, contract.IPAddressFamilyIPv4)
	require.NoError(t, err)
	defer s.Drop()
	require.NoError(t, s.StartBind(ctx, network{}, addrFor(netip.MustParseAddrPort("127.0.0.1:0"))))
	require.NoError(t, s.FinishBind(ctx))
	streams, err := s.Stream(ctx, wit.None[contract.IPSocketAddress]())
	require.NoError(t, err)
	defer streams.F0.Drop()
	defer streams.F1.Drop()
	o := streams.F1.(*outgoing)

	o.full = true
	n, err := o.CheckSend(ctx)
	require.NoError(t, err)
	require.EqualValues(t, maxDatagrams, n)
	require.False(t, o.full)

	o.full = true
	w := io.NewWaiter()
	defer sendable{o}.Subscribe(w)()
	require.NoError(t, w.Wait(ctx))
	require.True(t, sendable{o}.Ready())
	o.room.now = func() (_ struct{}, _ error, ok bool) { return }
	o.room.kept = nil
	n, err = o.CheckSend(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = o.Send(ctx, make([]contract.OutgoingDatagram, 1))
	require.ErrorContains(t, err, "check-send allowed 0")
}

func TestSendersAreForgotten(t *testing.T) {
	t.Parallel()
	a := &access{s: New(nil, nil), served: true}
	peer := func(i int) netip.AddrPort { return netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(i)) }
	for i := range maxSenders + 10 {
		a.received(peer(i))
		a.received(peer(i))
	}
	require.Len(t, a.senders, maxSenders)
	for i := range maxSenders + 10 {
		require.Equal(t, i >= 10, a.send(peer(i)) == nil, i)
	}
	client := &access{s: New(nil, nil)}
	client.received(peer(1))
	require.Error(t, client.send(peer(1)))
	require.False(t, client.receive(peer(1)))
}
