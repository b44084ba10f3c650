//go:build linux || darwin

package sockets

import (
	"context"

	"golang.org/x/sys/unix"

	wasiclocks "github.com/lathhost/lath/wit/wasi/clocks"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// usable checks that the socket has options: all but a failed one, and one
// whose fate is not known yet.
func (t *tcpSocket) usable() error {
	if t.state == tcpConnecting || t.state == tcpClosed {
		return contract.ErrorCodeInvalidState
	}
	return nil
}

// SetListenBacklogSize implements the contract. Sizes above 4096 are 4096.
func (t *tcpSocket) SetListenBacklogSize(_ context.Context, value uint64) error {
	if value == 0 {
		return contract.ErrorCodeInvalidArgument
	}
	if t.state == tcpConnected || t.usable() != nil {
		return contract.ErrorCodeInvalidState
	}
	t.backlog = int(min(value, maxBacklog))
	if t.state == tcpListening || t.state == tcpStartingListen {
		return t.d.listen(t.backlog)
	}
	return nil
}

// KeepAliveEnabled implements the contract.
func (t *tcpSocket) KeepAliveEnabled(context.Context) (bool, error) {
	if err := t.usable(); err != nil {
		return false, err
	}
	v, err := t.d.option(unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	return v != 0, err
}

// SetKeepAliveEnabled implements the contract.
func (t *tcpSocket) SetKeepAliveEnabled(_ context.Context, value bool) error {
	if err := t.usable(); err != nil {
		return err
	}
	v := 0
	if value {
		v = 1
	}
	return t.d.setOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, v)
}

// KeepAliveIdleTime implements the contract.
func (t *tcpSocket) KeepAliveIdleTime(context.Context) (wasiclocks.Duration, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	return t.d.keepAliveTime(keepIdle)
}

// SetKeepAliveIdleTime implements the contract, in seconds from 1 to 32767.
func (t *tcpSocket) SetKeepAliveIdleTime(_ context.Context, value wasiclocks.Duration) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.d.setKeepAliveTime(keepIdle, value)
}

// KeepAliveInterval implements the contract.
func (t *tcpSocket) KeepAliveInterval(context.Context) (wasiclocks.Duration, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	return t.d.keepAliveTime(unix.TCP_KEEPINTVL)
}

// SetKeepAliveInterval implements the contract, in seconds from 1 to 32767.
func (t *tcpSocket) SetKeepAliveInterval(_ context.Context, value wasiclocks.Duration) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.d.setKeepAliveTime(unix.TCP_KEEPINTVL, value)
}

// KeepAliveCount implements the contract.
func (t *tcpSocket) KeepAliveCount(context.Context) (uint32, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	v, err := t.d.option(unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
	return uint32(v), err
}

// SetKeepAliveCount implements the contract, from 1 to 127.
func (t *tcpSocket) SetKeepAliveCount(_ context.Context, value uint32) error {
	if err := t.usable(); err != nil {
		return err
	}
	if value == 0 {
		return contract.ErrorCodeInvalidArgument
	}
	return t.d.setOption(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, int(min(value, maxKeepAliveCount)))
}

// HopLimit implements the contract.
func (t *tcpSocket) HopLimit(context.Context) (uint8, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	return t.d.hopLimit()
}

// SetHopLimit implements the contract.
func (t *tcpSocket) SetHopLimit(_ context.Context, value uint8) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.d.setHopLimit(value)
}

// ReceiveBufferSize implements the contract.
func (t *tcpSocket) ReceiveBufferSize(context.Context) (uint64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	return t.d.bufferSize(unix.SO_RCVBUF)
}

// SetReceiveBufferSize implements the contract.
func (t *tcpSocket) SetReceiveBufferSize(_ context.Context, value uint64) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.d.setBufferSize(unix.SO_RCVBUF, value)
}

// SendBufferSize implements the contract.
func (t *tcpSocket) SendBufferSize(context.Context) (uint64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	return t.d.bufferSize(unix.SO_SNDBUF)
}

// SetSendBufferSize implements the contract.
func (t *tcpSocket) SetSendBufferSize(_ context.Context, value uint64) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.d.setBufferSize(unix.SO_SNDBUF, value)
}
