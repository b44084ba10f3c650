//go:build linux || darwin

package sockets

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// descriptor is a socket of the system's, which does not block, shared by a
// resource and its streams. Methods that are named after system calls make
// one, and return would-block for EAGAIN; those named await… park their
// goroutine until it would not block, or until a stop… call.
type descriptor struct {
	file   *os.File // and with it, the runtime's poller
	raw    syscall.RawConn
	family contract.IPAddressFamily
	users  atomic.Int32
	done   func()
}

// errWouldBlock is EAGAIN, which on some systems has a twin.
var errWouldBlock = contract.ErrorCodeWouldBlock

// newDescriptor makes a socket of a type, unix.SOCK_STREAM or SOCK_DGRAM, with
// one user. done is called when it is closed, also if it cannot be made.
func newDescriptor(family contract.IPAddressFamily, kind int, done func()) (*descriptor, error) {
	domain := unix.AF_INET
	if family == contract.IPAddressFamilyIPv6 {
		domain = unix.AF_INET6
	}
	// Not every system takes the flags along: no child may be made in between.
	syscall.ForkLock.RLock()
	fd, err := unix.Socket(domain, kind, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		done()
		return nil, code(err)
	}
	if family == contract.IPAddressFamilyIPv6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	return wrap(fd, family, err, done)
}

// wrap makes a descriptor of a new socket, unless err says that it failed.
func wrap(fd int, family contract.IPAddressFamily, err error, done func()) (*descriptor, error) {
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		_ = unix.Close(fd)
		done()
		return nil, code(err)
	}
	d := &descriptor{file: os.NewFile(uintptr(fd), "socket"), family: family, done: done}
	d.users.Store(1)
	if d.raw, err = d.file.SyscallConn(); err != nil {
		d.release()
		return nil, code(err)
	}
	return d, nil
}

func (d *descriptor) retain() { d.users.Add(1) }

// release gives up one use. The last one closes the socket.
func (d *descriptor) release() {
	if d.users.Add(-1) == 0 {
		_ = d.file.Close() // nobody is left to be told
		d.done()
	}
}

// do runs f on the socket.
func (d *descriptor) do(f func(fd int) error) error {
	var err error
	if closed := d.raw.Control(func(fd uintptr) {
		for err = f(int(fd)); errors.Is(err, unix.EINTR); {
			err = f(int(fd))
		}
	}); closed != nil {
		return closed
	}
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EWOULDBLOCK) {
		return errWouldBlock
	}
	return err
}

// await runs f until it would not block, in the direction of park: d.raw.Read
// or d.raw.Write. The error is f's, or why it waits no longer.
func (d *descriptor) await(park func(func(uintptr) bool) error, f func(fd int) error) error {
	var err error
	if stopped := park(func(fd uintptr) bool {
		for err = f(int(fd)); errors.Is(err, unix.EINTR); {
			err = f(int(fd))
		}
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EWOULDBLOCK)
	}); stopped != nil {
		return stopped
	}
	return err
}

// past is a deadline that ends every wait.
var past = time.Unix(1, 0)

// stopReading ends a wait to read that is under way and all that follow;
// stopWriting, one to write; resume lets waits begin again.
func (d *descriptor) stopReading() { _ = d.file.SetReadDeadline(past) }
func (d *descriptor) stopWriting() { _ = d.file.SetWriteDeadline(past) }
func (d *descriptor) resume()      { _ = d.file.SetDeadline(time.Time{}) }

func (d *descriptor) bind(a netip.AddrPort, reuse bool) error {
	return code(d.do(func(fd int) error {
		if reuse {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
				return err
			}
		}
		return unix.Bind(fd, sockaddr(a))
	}))
}

// localAddr returns the address that the socket is bound to.
func (d *descriptor) localAddr() (a netip.AddrPort, err error) {
	err = d.do(func(fd int) error {
		sa, err := unix.Getsockname(fd)
		a = addrPort(sa)
		return err
	})
	return a, code(err)
}

// sockaddr returns an address for the system.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	zone, _ := strconv.ParseUint(a.Addr().Zone(), 10, 32) // 0 if there is none
	return &unix.SockaddrInet6{Port: int(a.Port()), ZoneId: uint32(zone), Addr: a.Addr().As16()}
}

// addrPort returns an address of the system's, the zero one for nil.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(sa.ZoneId), 10))
		}
		return netip.AddrPortFrom(ip, uint16(sa.Port))
	}
	return netip.AddrPort{}
}
