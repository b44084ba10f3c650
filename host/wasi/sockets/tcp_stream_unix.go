//go:build linux || darwin

package sockets

import (
	"errors"
	goio "io"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// connect starts to connect and returns the condition that it is decided.
func (d *descriptor) connect(to netip.AddrPort) *ahead[struct{}] {
	a := &ahead[struct{}]{stop: d.stopWriting}
	err := d.do(func(fd int) error { return unix.Connect(fd, sockaddr(to)) })
	if !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EALREADY) {
		a.kept = &got[struct{}]{err: connectCode(err)}
		return a
	}
	a.now = func() (_ struct{}, err error, ok bool) {
		err = d.do(decided)
		return struct{}{}, connectCode(err), !errors.Is(err, errWouldBlock)
	}
	a.wait = func() (struct{}, error) { return struct{}{}, connectCode(d.await(d.raw.Write, decided)) }
	return a
}

// decided returns how a connect ended, or EAGAIN.
func decided(fd int) error {
	v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return err
	case v != 0:
		return unix.Errno(v)
	}
	if _, err = unix.Getpeername(fd); errors.Is(err, unix.ENOTCONN) {
		return unix.EAGAIN
	}
	return err
}

// connectCode is code for a connect, which may have run out of ports.
func connectCode(err error) error {
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, errWouldBlock) {
		return contract.ErrorCodeAddressInUse
	}
	return code(err)
}

func (d *descriptor) listen(backlog int) error {
	return code(d.do(func(fd int) error { return unix.Listen(fd, backlog) }))
}

// accepted is a connection that a peer made.
type accepted struct {
	fd   int
	from netip.AddrPort
}

// accepts returns the connections that peers make.
func (d *descriptor) accepts() *ahead[accepted] {
	var c accepted
	accept := func(fd int) (err error) {
		c, err = accept(fd)
		return err
	}
	return &ahead[accepted]{
		now: func() (accepted, error, bool) {
			err := d.do(accept)
			return c, code(err), !errors.Is(err, errWouldBlock)
		},
		wait: func() (accepted, error) {
			err := d.await(d.raw.Read, accept)
			return c, code(err)
		},
		stop: d.stopReading,
		lost: func(c accepted) { _ = unix.Close(c.fd) },
	}
}

func accept(listener int) (accepted, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, sa, err := unix.Accept(listener)
	switch {
	case err == nil:
		unix.CloseOnExec(fd)
		return accepted{fd, addrPort(sa)}, nil
	case errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.EPROTO), errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EHOSTDOWN),
		errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.ECONNRESET):
		err = unix.ECONNABORTED // Linux: the new connection's, not the listener's
	}
	return accepted{}, err
}

// tcpInput is the input-stream of a connection.
type tcpInput struct {
	*io.InputStream
	src *io.Source
	d   *descriptor
}

func newTCPInput(d *descriptor) *tcpInput {
	d.retain()
	src := io.NewSource(reader{d})
	return &tcpInput{io.NewInputStream(src), src, d}
}

// end closes the stream for its guest.
func (i *tcpInput) end() { _ = i.src.Close() }

// Drop implements the contract.
func (i *tcpInput) Drop() {
	i.InputStream.Drop()
	i.d.release()
}

// reader is the receiving direction of a connection.
type reader struct{ d *descriptor }

// Read implements [goio.Reader].
func (r reader) Read(b []byte) (int, error) { return r.d.file.Read(b) }

// Close implements [goio.Closer]: it ends a Read.
func (r reader) Close() error {
	r.d.stopReading()
	return r.d.shutdown(unix.SHUT_RD)
}

func (d *descriptor) shutdown(how int) error {
	return d.do(func(fd int) error { return unix.Shutdown(fd, how) })
}

// tcpOutput is the output-stream of a connection.
type tcpOutput struct {
	*io.OutputStream
	w *writer
}

func newTCPOutput(d *descriptor) *tcpOutput {
	d.retain()
	w := &writer{d: d}
	return &tcpOutput{io.NewOutputStream(w), w}
}

// Drop implements the contract. What the system does not take at once is lost,
// and the connection is reset then: its peer must not take a part for the
// whole.
func (o *tcpOutput) Drop() {
	o.OutputStream.Drop()
	if o.w.cut {
		_ = o.w.d.do(func(fd int) error {
			return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		})
	}
	o.w.d.release()
}

// writer is the sending direction of a connection, an [io.Finisher].
type writer struct {
	d *descriptor
	// cut tells that not everything was written when it was closed. Of the
	// goroutine that writes.
	cut bool
}

// Write implements [goio.Writer]. After Close it writes what the system takes.
func (w *writer) Write(b []byte) (n int, _ error) {
	for n < len(b) {
		var m int
		write := func(fd int) (err error) {
			m, err = unix.Write(fd, b[n:])
			return err
		}
		err := w.d.do(write)
		if errors.Is(err, errWouldBlock) {
			err = w.d.await(w.d.raw.Write, write)
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			w.cut = true
			return n, err
		case errors.Is(err, unix.EPIPE):
			return n, goio.ErrClosedPipe
		case err != nil:
			return n, os.NewSyscallError("write", err)
		}
		n += m
	}
	return n, nil
}

// Finish implements [io.Finisher].
func (w *writer) Finish() error { return w.d.shutdown(unix.SHUT_WR) }

// Close implements [goio.Closer]: no Write waits from now on.
func (w *writer) Close() error {
	w.d.stopWriting()
	return nil
}
