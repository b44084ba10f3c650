//go:build linux || darwin

package sockets

import (
	"errors"
	"math"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

func (d *descriptor) option(level, name int) (v int, err error) {
	err = d.do(func(fd int) error {
		v, err = unix.GetsockoptInt(fd, level, name)
		return err
	})
	return v, code(err)
}

func (d *descriptor) setOption(level, name, value int) error {
	return code(d.do(func(fd int) error { return unix.SetsockoptInt(fd, level, name, value) }))
}

// hopLimitOption is where a family keeps its hop limit.
func (d *descriptor) hopLimitOption() (level, name int) {
	if d.family == contract.IPAddressFamilyIPv6 {
		return unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	return unix.IPPROTO_IP, unix.IP_TTL
}

func (d *descriptor) hopLimit() (uint8, error) {
	v, err := d.option(d.hopLimitOption())
	return uint8(v), err
}

func (d *descriptor) setHopLimit(value uint8) error {
	if value == 0 {
		return contract.ErrorCodeInvalidArgument
	}
	level, name := d.hopLimitOption()
	return d.setOption(level, name, int(value))
}

// bufferSize returns unix.SO_RCVBUF or SO_SNDBUF as a program that set it
// expects it: Linux doubles what is set, for its own needs.
func (d *descriptor) bufferSize(name int) (uint64, error) {
	v, err := d.option(unix.SOL_SOCKET, name)
	if runtime.GOOS == "linux" {
		v /= 2
	}
	return uint64(v), err
}

// setBufferSize suggests a size: what the system does not like, it changes.
func (d *descriptor) setBufferSize(name int, value uint64) error {
	if value == 0 {
		return contract.ErrorCodeInvalidArgument
	}
	err := d.setOption(unix.SOL_SOCKET, name, int(min(value, math.MaxInt32/2)))
	if errors.Is(err, contract.ErrorCodeOutOfMemory) {
		return nil // too much for a BSD
	}
	return err
}

// The most that Linux takes, which takes the least.
const (
	maxKeepAliveSeconds = 32767
	maxKeepAliveCount   = 127
)

// keepAliveTime returns keepIdle or unix.TCP_KEEPINTVL in nanoseconds.
func (d *descriptor) keepAliveTime(name int) (uint64, error) {
	v, err := d.option(unix.IPPROTO_TCP, name)
	return uint64(v) * uint64(time.Second), err
}

// setKeepAliveTime sets it in whole seconds, at least one.
func (d *descriptor) setKeepAliveTime(name int, value uint64) error {
	if value == 0 {
		return contract.ErrorCodeInvalidArgument
	}
	seconds := max(1, min(value/uint64(time.Second), maxKeepAliveSeconds))
	return d.setOption(unix.IPPROTO_TCP, name, int(seconds))
}
