package sockets

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// disconnect makes a UDP socket one without a peer. It may lose its port.
func (d *descriptor) disconnect() error {
	// Linux asks for an address without a family, which x/sys cannot write.
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	return d.do(func(fd int) error {
		if _, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none)); errno != 0 {
			return errno
		}
		return nil
	})
}
