//go:build linux || darwin

package sockets

import (
	"cmp"
	"context"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

type udpState uint8

const (
	udpUnbound udpState = iota
	udpBinding
	udpBound
)

// udpSocket is the resource udp-socket.
type udpSocket struct {
	s     *Sockets
	d     *descriptor
	state udpState
	// local is what was bound, which a connection may narrow.
	local   netip.AddrPort
	remote  netip.AddrPort // the zero one: not connected
	in      *incoming      // the streams of the last call of stream
	out     *outgoing
	access  *access
	options udpOptions
}

var _ contract.UDPSocket = (*udpSocket)(nil)

func (s *Sockets) createUDP(ctx context.Context, family contract.IPAddressFamily) (contract.UDPSocket, error) {
	done, err := s.reserve(ctx)
	if err != nil {
		return nil, err
	}
	d, err := newDescriptor(family, unix.SOCK_DGRAM, done)
	if err != nil {
		return nil, err
	}
	return &udpSocket{s: s, d: d}, nil
}

// StartBind implements the contract. A bind does not block: it is done here.
func (u *udpSocket) StartBind(_ context.Context, n contract.Network, local contract.IPSocketAddress) error {
	a := addrOf(local)
	switch {
	case u.state == udpBinding:
		return contract.ErrorCodeConcurrencyConflict
	case u.state != udpUnbound:
		return contract.ErrorCodeInvalidState
	}
	if err := cmp.Or(checkNetwork(n), checkFamily(a.Addr(), u.d.family)); err != nil {
		return err
	}
	if err := u.s.mayBind(egress.UDP, a); err != nil {
		return err
	}
	if err := u.d.bind(a, false); err != nil {
		return err
	}
	bound, err := u.d.localAddr()
	if err != nil {
		return err
	}
	u.local, u.state = bound, udpBinding
	u.access = &access{s: u.s, served: u.s.rules.Listen(egress.UDP, bound) == nil}
	return nil
}

// FinishBind implements the contract.
func (u *udpSocket) FinishBind(context.Context) error {
	if u.state != udpBinding {
		return contract.ErrorCodeNotInProgress
	}
	u.state = udpBound
	return nil
}

// Stream implements the contract. The streams of an earlier call answer
// invalid-state from now on.
func (u *udpSocket) Stream(_ context.Context, remote wit.Option[contract.IPSocketAddress]) (streams contract.TupleIncomingDatagramStreamOutgoingDatagramStream, _ error) {
	if u.state != udpBound {
		return streams, contract.ErrorCodeInvalidState
	}
	var to netip.AddrPort
	if remote.OK {
		to = addrOf(remote.Value)
		if err := checkRemote(to, u.d.family); err != nil {
			return streams, err
		}
		if err := u.access.send(to); err != nil {
			return streams, u.s.deny(err)
		}
	}
	u.end()
	if err := u.associate(to); err != nil {
		return streams, err
	}
	u.d.resume()
	u.in, u.out = newIncoming(u.d, u.access, u.remote), newOutgoing(u.d, u.access, u.remote)
	streams.F0, streams.F1 = u.in, u.out
	return streams, nil
}

// end ends the streams of the last call of stream.
func (u *udpSocket) end() {
	if u.in != nil {
		u.in.end()
		u.out.end()
		u.in, u.out = nil, nil
	}
}

// associate connects the socket to a peer, or to none. A connected socket hears
// that its peer is not there, and knows its own address on the way to it.
func (u *udpSocket) associate(to netip.AddrPort) error {
	if u.remote.IsValid() {
		if err := u.renew(); err != nil {
			return err
		}
	}
	if !to.IsValid() {
		return nil
	}
	if err := u.d.do(func(fd int) error { return unix.Connect(fd, sockaddr(to)) }); err != nil {
		return code(err)
	}
	u.remote = to
	return nil
}

// renew puts a socket without a peer in the place of a connected one. Systems
// have ways to let a peer go, but each its own, and none keeps the local address
// in all cases. What is still in the old one's queue was for streams that have
// ended. Where another program takes the port in between, the socket is as it
// was before it was bound.
func (u *udpSocket) renew() error {
	d, err := newDescriptor(u.d.family, unix.SOCK_DGRAM, func() {})
	if err != nil {
		return err
	}
	d.done, u.d.done = u.d.done, d.done // there is one socket to count
	u.d.release()
	u.d, u.remote = d, netip.AddrPort{}
	u.options.apply(d)
	if err := d.bind(u.local, false); err != nil {
		u.state = udpUnbound
		return err
	}
	return nil
}

// udpOptions are what a guest has set; zeroes are the system's.
type udpOptions struct {
	hops          uint8
	receive, send uint64
}

// apply sets the options of a new socket, which took them before.
func (o udpOptions) apply(d *descriptor) {
	if o.hops != 0 {
		_ = d.setHopLimit(o.hops)
	}
	if o.receive != 0 {
		_ = d.setBufferSize(unix.SO_RCVBUF, o.receive)
	}
	if o.send != 0 {
		_ = d.setBufferSize(unix.SO_SNDBUF, o.send)
	}
}

// LocalAddress implements the contract.
func (u *udpSocket) LocalAddress(context.Context) (contract.IPSocketAddress, error) {
	if u.state == udpUnbound {
		return contract.IPSocketAddress{}, contract.ErrorCodeInvalidState
	}
	a, err := u.d.localAddr()
	return addrFor(a), err
}

// RemoteAddress implements the contract.
func (u *udpSocket) RemoteAddress(context.Context) (contract.IPSocketAddress, error) {
	if !u.remote.IsValid() {
		return contract.IPSocketAddress{}, contract.ErrorCodeInvalidState
	}
	return addrFor(u.remote), nil
}

// AddressFamily implements the contract.
func (u *udpSocket) AddressFamily(context.Context) (contract.IPAddressFamily, error) {
	return u.d.family, nil
}

// UnicastHopLimit implements the contract.
func (u *udpSocket) UnicastHopLimit(context.Context) (uint8, error) { return u.d.hopLimit() }

// SetUnicastHopLimit implements the contract.
func (u *udpSocket) SetUnicastHopLimit(_ context.Context, value uint8) error {
	err := u.d.setHopLimit(value)
	if err == nil {
		u.options.hops = value
	}
	return err
}

// ReceiveBufferSize implements the contract.
func (u *udpSocket) ReceiveBufferSize(context.Context) (uint64, error) {
	return u.d.bufferSize(unix.SO_RCVBUF)
}

// SetReceiveBufferSize implements the contract.
func (u *udpSocket) SetReceiveBufferSize(_ context.Context, value uint64) error {
	err := u.d.setBufferSize(unix.SO_RCVBUF, value)
	if err == nil {
		u.options.receive = value
	}
	return err
}

// SendBufferSize implements the contract.
func (u *udpSocket) SendBufferSize(context.Context) (uint64, error) {
	return u.d.bufferSize(unix.SO_SNDBUF)
}

// SetSendBufferSize implements the contract.
func (u *udpSocket) SetSendBufferSize(_ context.Context, value uint64) error {
	err := u.d.setBufferSize(unix.SO_SNDBUF, value)
	if err == nil {
		u.options.send = value
	}
	return err
}

// Subscribe implements the contract: no operation of the socket itself takes
// time.
func (u *udpSocket) Subscribe(context.Context) (wasiio.Pollable, error) {
	return io.NewPollable(always{}), nil
}

// always is the condition that always holds.
type always struct{}

// Ready implements [io.Condition].
func (always) Ready() bool { return true }

// Subscribe implements [io.Condition].
func (always) Subscribe(*io.Waiter) (stop func()) { return func() {} }

// Drop implements the contract. The streams live on.
func (u *udpSocket) Drop() { u.d.release() }

// maxSenders bounds the senders that a served socket may answer.
const maxSenders = 1024

// access says with whom a socket may speak.
type access struct {
	s      *Sockets
	served bool // the place was granted, not only some peers
	// senders may be answered: those who sent to a served socket, the last ones.
	senders map[netip.AddrPort]struct{}
	ring    []netip.AddrPort // oldest at next, once it is full
	next    int
}

// send checks whether a peer may be sent to. The error is for deny.
func (a *access) send(to netip.AddrPort) error {
	if _, ok := a.senders[to]; ok {
		return nil
	}
	return a.s.reach(egress.UDP, to)
}

// receive tells whether a datagram may be received.
func (a *access) receive(from netip.AddrPort) bool {
	return a.served || a.s.reach(egress.UDP, from) == nil
}

// received notes that a guest got a datagram.
func (a *access) received(from netip.AddrPort) {
	if _, ok := a.senders[from]; ok || !a.served {
		return
	}
	if a.senders == nil {
		a.senders = map[netip.AddrPort]struct{}{}
	}
	if len(a.ring) < maxSenders {
		a.ring = append(a.ring, from)
	} else {
		delete(a.senders, a.ring[a.next])
		a.ring[a.next] = from
		a.next = (a.next + 1) % maxSenders
	}
	a.senders[from] = struct{}{}
}
