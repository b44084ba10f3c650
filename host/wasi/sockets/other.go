//go:build !linux && !darwin

package sockets

import (
	"context"
	"runtime"

	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

func (s *Sockets) createTCP(context.Context, contract.IPAddressFamily) (contract.TCPSocket, error) {
	return nil, s.unsupported()
}

func (s *Sockets) createUDP(context.Context, contract.IPAddressFamily) (contract.UDPSocket, error) {
	return nil, s.unsupported()
}

func (s *Sockets) unsupported() error {
	s.refused("wasi:sockets: sockets are not supported on " + runtime.GOOS + " yet")
	return contract.ErrorCodeNotSupported
}
