//go:build linux || darwin

package sockets

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/io"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// tcpState is where a TCP socket is on its way. Those of a half-done operation
// end with its finish function.
type tcpState uint8

const (
	tcpUnbound tcpState = iota
	tcpBinding
	tcpBound
	tcpStartingListen
	tcpListening
	tcpConnecting
	tcpConnected
	tcpClosed // a failed connect leaves a socket good for nothing
)

const (
	defaultBacklog = 128
	maxBacklog     = 4096
)

// tcpSocket is the resource tcp-socket.
type tcpSocket struct {
	s       *Sockets
	d       *descriptor
	state   tcpState
	backlog int
	remote  netip.AddrPort

	connecting *ahead[struct{}]
	accepting  *ahead[accepted]
	in         *tcpInput // of a connected socket, also after they are dropped
	out        *tcpOutput
}

var _ contract.TCPSocket = (*tcpSocket)(nil)

func (s *Sockets) createTCP(ctx context.Context, family contract.IPAddressFamily) (contract.TCPSocket, error) {
	done, err := s.reserve(ctx)
	if err != nil {
		return nil, err
	}
	d, err := newDescriptor(family, unix.SOCK_STREAM, done)
	if err != nil {
		return nil, err
	}
	return &tcpSocket{s: s, d: d, backlog: defaultBacklog}, nil
}

// allow checks that an operation can start in the state.
func (t *tcpSocket) allow(states ...tcpState) error {
	switch t.state {
	case tcpBinding, tcpStartingListen, tcpConnecting:
		return contract.ErrorCodeConcurrencyConflict
	}
	if !slices.Contains(states, t.state) {
		return contract.ErrorCodeInvalidState
	}
	return nil
}

// StartBind implements the contract. A bind does not block: it is done here.
func (t *tcpSocket) StartBind(_ context.Context, n contract.Network, local contract.IPSocketAddress) error {
	a := addrOf(local)
	if err := cmp.Or(checkNetwork(n), t.allow(tcpUnbound)); err != nil {
		return err
	}
	if err := cmp.Or(checkFamily(a.Addr(), t.d.family), checkUnicast(a.Addr())); err != nil {
		return err
	}
	if err := t.s.mayBind(egress.TCP, a); err != nil {
		return err
	}
	// A server that starts again finds its port free (WASI).
	if err := t.d.bind(a, true); err != nil {
		return err
	}
	t.state = tcpBinding
	return nil
}

// mayBind checks whether a place may be bound. One that the system chooses is
// granted with any rule of the transport; the socket would not exist without.
func (s *Sockets) mayBind(proto egress.Proto, a netip.AddrPort) error {
	if a.Port() == 0 && a.Addr().Zone() == "" {
		return nil
	}
	if err := s.rules.Listen(proto, a); err != nil {
		return s.deny(err)
	}
	return nil
}

// FinishBind implements the contract.
func (t *tcpSocket) FinishBind(context.Context) error { return t.finish(tcpBinding, tcpBound) }

func (t *tcpSocket) finish(from, to tcpState) error {
	if t.state != from {
		return contract.ErrorCodeNotInProgress
	}
	t.state = to
	return nil
}

// StartConnect implements the contract.
func (t *tcpSocket) StartConnect(_ context.Context, n contract.Network, remote contract.IPSocketAddress) error {
	a := addrOf(remote)
	if err := cmp.Or(checkNetwork(n), t.allow(tcpUnbound, tcpBound)); err != nil {
		return err
	}
	if err := cmp.Or(checkRemote(a, t.d.family), checkUnicast(a.Addr())); err != nil {
		return err
	}
	if err := t.s.reach(egress.TCP, a); err != nil {
		return t.s.deny(err)
	}
	t.state, t.remote = tcpConnecting, a
	t.connecting = t.d.connect(a)
	return nil
}

// FinishConnect implements the contract.
func (t *tcpSocket) FinishConnect(context.Context) (streams contract.TupleInputStreamOutputStream, _ error) {
	if t.state != tcpConnecting {
		return streams, contract.ErrorCodeNotInProgress
	}
	_, err, ok := t.connecting.peek()
	if !ok {
		return streams, contract.ErrorCodeWouldBlock
	}
	t.connecting.join()
	if err != nil {
		t.state = tcpClosed
		return streams, err
	}
	t.connected()
	return contract.TupleInputStreamOutputStream{F0: t.in, F1: t.out}, nil
}

func (t *tcpSocket) connected() {
	t.state = tcpConnected
	t.in, t.out = newTCPInput(t.d), newTCPOutput(t.d)
}

// StartListen implements the contract.
func (t *tcpSocket) StartListen(context.Context) error {
	if err := t.allow(tcpBound); err != nil {
		return err
	}
	local, err := t.d.localAddr()
	if err != nil {
		return err
	}
	if err := t.s.rules.Listen(egress.TCP, local); err != nil {
		return t.s.deny(err)
	}
	if err := t.d.listen(t.backlog); err != nil {
		return err
	}
	t.state, t.accepting = tcpStartingListen, t.d.accepts()
	return nil
}

// FinishListen implements the contract.
func (t *tcpSocket) FinishListen(context.Context) error {
	return t.finish(tcpStartingListen, tcpListening)
}

// Accept implements the contract. Connections that are not accepted wait in the
// system's queue, but for one.
func (t *tcpSocket) Accept(ctx context.Context) (all contract.TupleTCPSocketInputStreamOutputStream, _ error) {
	if t.state != tcpListening {
		return all, contract.ErrorCodeInvalidState
	}
	done, err := t.s.reserve(ctx)
	if err != nil {
		return all, err
	}
	c, err, ok := t.accepting.take()
	if !ok {
		err = contract.ErrorCodeWouldBlock
	}
	if err != nil {
		done()
		return all, err
	}
	d, err := wrap(c.fd, t.d.family, nil, done)
	if err != nil {
		return all, err
	}
	client := &tcpSocket{s: t.s, d: d, remote: c.from}
	client.connected()
	return contract.TupleTCPSocketInputStreamOutputStream{F0: client, F1: client.in, F2: client.out}, nil
}

// LocalAddress implements the contract.
func (t *tcpSocket) LocalAddress(context.Context) (contract.IPSocketAddress, error) {
	switch t.state {
	case tcpUnbound, tcpConnecting, tcpClosed:
		return contract.IPSocketAddress{}, contract.ErrorCodeInvalidState
	}
	a, err := t.d.localAddr()
	return addrFor(a), err
}

// RemoteAddress implements the contract.
func (t *tcpSocket) RemoteAddress(context.Context) (contract.IPSocketAddress, error) {
	if t.state != tcpConnected {
		return contract.IPSocketAddress{}, contract.ErrorCodeInvalidState
	}
	return addrFor(t.remote), nil
}

// IsListening implements the contract.
func (t *tcpSocket) IsListening(context.Context) (bool, error) { return t.state == tcpListening, nil }

// AddressFamily implements the contract.
func (t *tcpSocket) AddressFamily(context.Context) (contract.IPAddressFamily, error) {
	return t.d.family, nil
}

// Shutdown implements the contract. What was written before is still sent;
// what was received and not read is lost.
func (t *tcpSocket) Shutdown(_ context.Context, how contract.ShutdownType) error {
	if t.state != tcpConnected {
		return contract.ErrorCodeInvalidState
	}
	if how != contract.ShutdownTypeSend {
		t.in.end()
	}
	if how != contract.ShutdownTypeReceive {
		t.out.End()
	}
	return nil
}

// Subscribe implements the contract.
func (t *tcpSocket) Subscribe(context.Context) (wasiio.Pollable, error) {
	return io.NewPollable(tcpReady{t}), nil
}

// tcpReady is the condition that a socket's operation under way, whichever it
// is at the time, can be finished.
type tcpReady struct{ t *tcpSocket }

func (r tcpReady) condition() io.Condition {
	switch r.t.state {
	case tcpConnecting:
		return r.t.connecting
	case tcpListening:
		return r.t.accepting
	}
	return nil
}

// Ready implements [io.Condition].
func (r tcpReady) Ready() bool {
	c := r.condition()
	return c == nil || c.Ready()
}

// Subscribe implements [io.Condition].
func (r tcpReady) Subscribe(w *io.Waiter) (stop func()) {
	if c := r.condition(); c != nil {
		return c.Subscribe(w)
	}
	return func() {}
}

// Drop implements the contract. The streams live on.
func (t *tcpSocket) Drop() {
	if t.connecting != nil && t.state == tcpConnecting {
		t.connecting.close()
	}
	if t.accepting != nil {
		t.accepting.close()
	}
	t.d.release()
}
