//go:build linux || darwin

package sockets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/wasi/io"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

const (
	// maxDatagram is the most bytes of a datagram.
	maxDatagram = 64 << 10
	// maxDatagrams is the most datagrams of one receive or send.
	maxDatagrams = 16
	// maxSkipped is how many datagrams that are not for the guest one look at
	// the socket passes over.
	maxSkipped = 64
)

// errStopped ends a wait that a flood of datagrams, none for the guest, keeps
// from parking.
var errStopped = errors.New("stopped")

// datagram is one that came in.
type datagram struct {
	data []byte
	from netip.AddrPort
}

// incoming is the resource incoming-datagram-stream.
type incoming struct {
	d      *descriptor
	access *access
	from   netip.AddrPort // the only sender, if valid
	next   *ahead[datagram]
	buf    []byte
	ended  atomic.Bool
}

var _ contract.IncomingDatagramStream = (*incoming)(nil)

func newIncoming(d *descriptor, access *access, from netip.AddrPort) *incoming {
	d.retain()
	i := &incoming{d: d, access: access, from: from}
	var g datagram
	i.next = &ahead[datagram]{
		now: func() (datagram, error, bool) {
			err := d.do(func(fd int) (err error) {
				g, err = i.receive(fd, maxSkipped)
				return err
			})
			return g, code(err), !errors.Is(err, errWouldBlock)
		},
		wait: func() (datagram, error) {
			err := d.await(d.raw.Read, func(fd int) (err error) {
				g, err = i.receive(fd, -1)
				return err
			})
			return g, code(err)
		},
		stop: d.stopReading,
	}
	return i
}

// receive takes the next datagram for the guest from the system, passing over
// at most skip others; a negative number has no end.
func (i *incoming) receive(fd, skip int) (g datagram, _ error) {
	if i.buf == nil {
		i.buf = make([]byte, maxDatagram)
	}
	for ; skip != 0; skip-- {
		n, sa, err := unix.Recvfrom(fd, i.buf, 0)
		if err != nil {
			return g, err
		}
		from := addrPort(sa)
		// What came before the socket was connected is still in its queue.
		if (!i.from.IsValid() || from == i.from) && i.access.receive(from) {
			return datagram{bytes.Clone(i.buf[:n]), from}, nil
		}
		if i.ended.Load() {
			return g, errStopped
		}
	}
	return g, unix.EAGAIN
}

// Receive implements the contract: at most 16 datagrams, and 64 KiB and a
// datagram, at a time.
func (i *incoming) Receive(_ context.Context, maxResults uint64) (all []contract.IncomingDatagram, _ error) {
	if i.ended.Load() {
		return nil, contract.ErrorCodeInvalidState
	}
	for size := 0; uint64(len(all)) < min(maxResults, maxDatagrams) && size < maxDatagram; {
		g, err, ok := i.next.take()
		if !ok || err != nil && len(all) > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		i.access.received(g.from)
		all = append(all, contract.IncomingDatagram{Data: g.data, RemoteAddress: addrFor(g.from)})
		size += len(g.data)
	}
	return all, nil
}

// Subscribe implements the contract.
func (i *incoming) Subscribe(context.Context) (wasiio.Pollable, error) {
	return io.NewPollable(i.next), nil
}

// end makes the stream one that works no more. Idempotent.
func (i *incoming) end() {
	if !i.ended.Swap(true) {
		i.next.close()
		i.d.release()
	}
}

// Drop implements the contract.
func (i *incoming) Drop() { i.end() }

// outgoing is the resource outgoing-datagram-stream.
type outgoing struct {
	d      *descriptor
	access *access
	to     netip.AddrPort // the only receiver, if valid
	permit int
	// full tells that the system took no more; room, that it does again.
	full  bool
	room  *ahead[struct{}]
	ended bool
}

var _ contract.OutgoingDatagramStream = (*outgoing)(nil)

func newOutgoing(d *descriptor, access *access, to netip.AddrPort) *outgoing {
	d.retain()
	return &outgoing{d: d, access: access, to: to, room: &ahead[struct{}]{
		now: func() (_ struct{}, err error, ok bool) {
			err = d.do(writable)
			return struct{}{}, nil, !errors.Is(err, errWouldBlock)
		},
		// What keeps from sending, the next send tells.
		wait: func() (_ struct{}, _ error) { return struct{}{}, ignore(d.await(d.raw.Write, writable)) },
		stop: d.stopWriting,
	}}
}

func ignore(error) error { return nil }

// writable returns EAGAIN while the system takes no datagram.
func writable(fd int) error {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	if n, err := unix.Poll(fds, 0); n > 0 || err != nil {
		return err
	}
	return unix.EAGAIN
}

// CheckSend implements the contract.
func (o *outgoing) CheckSend(context.Context) (uint64, error) {
	if o.ended {
		return 0, contract.ErrorCodeInvalidState
	}
	o.permit = 0
	if o.full {
		if _, _, ok := o.room.take(); !ok {
			return 0, nil
		}
		o.full = false
	}
	o.permit = maxDatagrams
	return maxDatagrams, nil
}

// Send implements the contract. A refusal is the error of the datagram that was
// refused, where it is the first.
func (o *outgoing) Send(_ context.Context, datagrams []contract.OutgoingDatagram) (sent uint64, _ error) {
	switch {
	case o.ended:
		return 0, contract.ErrorCodeInvalidState
	case len(datagrams) > o.permit:
		return 0, fmt.Errorf("send of %d datagrams where check-send allowed %d", len(datagrams), o.permit)
	}
	o.permit = 0
	for _, g := range datagrams {
		err := o.send(g)
		if errors.Is(err, errWouldBlock) {
			o.full = true
			return sent, nil
		}
		if err != nil && sent == 0 {
			return 0, err
		}
		if err != nil {
			return sent, nil
		}
		sent++
	}
	return sent, nil
}

func (o *outgoing) send(g contract.OutgoingDatagram) error {
	if len(g.Data) > maxDatagram {
		return contract.ErrorCodeDatagramTooLarge
	}
	if !g.RemoteAddress.OK && !o.to.IsValid() {
		return contract.ErrorCodeInvalidArgument
	}
	var to unix.Sockaddr // nil: where the socket is connected to
	if g.RemoteAddress.OK {
		a := addrOf(g.RemoteAddress.Value)
		if err := checkRemote(a, o.d.family); err != nil {
			return err
		}
		if o.to.IsValid() && a != o.to {
			return contract.ErrorCodeInvalidArgument
		}
		if !o.to.IsValid() {
			if err := o.access.send(a); err != nil {
				return o.access.s.deny(err)
			}
			to = sockaddr(a)
		}
	}
	return code(o.d.do(func(fd int) error { return unix.Sendto(fd, g.Data, 0, to) }))
}

// Subscribe implements the contract.
func (o *outgoing) Subscribe(context.Context) (wasiio.Pollable, error) {
	return io.NewPollable(sendable{o}), nil
}

// sendable is the condition that datagrams can be sent.
type sendable struct{ o *outgoing }

// Ready implements [io.Condition].
func (s sendable) Ready() bool { return !s.o.full || s.o.room.Ready() }

// Subscribe implements [io.Condition].
func (s sendable) Subscribe(w *io.Waiter) (stop func()) { return s.o.room.Subscribe(w) }

// end makes the stream one that works no more. Idempotent.
func (o *outgoing) end() {
	if !o.ended {
		o.ended = true
		o.room.close()
		o.d.release()
	}
}

// Drop implements the contract.
func (o *outgoing) Drop() { o.end() }
