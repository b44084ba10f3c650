package sockets

import (
	"errors"

	"golang.org/x/sys/unix"

	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// disconnect makes a UDP socket one without a peer.
func (d *descriptor) disconnect() error {
	// A connect to nowhere fails, and has let the peer go by then.
	var none unix.Sockaddr = &unix.SockaddrInet4{}
	if d.family == contract.IPAddressFamilyIPv6 {
		none = &unix.SockaddrInet6{}
	}
	err := d.do(func(fd int) error { return unix.Connect(fd, none) })
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.EAFNOSUPPORT) {
		return nil
	}
	return err
}
