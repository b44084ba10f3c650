package httpserver

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// bounded is a listener with so many connections at a time; others wait in the
// system's queue.
type bounded struct {
	net.Listener
	idle time.Duration
	room chan struct{}
	done chan struct{}
	once sync.Once
}

func newBounded(l net.Listener, most int, idle time.Duration) *bounded {
	return &bounded{Listener: l, idle: idle, room: make(chan struct{}, max(most, 1)), done: make(chan struct{})}
}

// Accept implements [net.Listener].
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.room <- struct{}{}:
	case <-b.done:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.room
		return nil, err
	}
	return &conn{Conn: c, idle: b.idle, leave: func() { <-b.room }}, nil
}

// Close implements [net.Listener].
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.done) })
	return b.Listener.Close()
}

// conn is a connection that has a place. A client that takes nothing of what is
// written to it for the idle time, or a quarter more, loses it: net/http bounds how
// long a client may send nothing, but in HTTP/1 not how long it may take nothing of
// the responses to the requests that it has sent.
type conn struct {
	net.Conn
	idle  time.Duration // 0: no bound
	once  sync.Once
	leave func()

	mu     sync.Mutex
	asked  time.Time // the write deadline that was set from outside; zero: none
	unidle time.Time // that of the idle time
}

// Write implements [net.Conn]. The idle time begins anew with each byte that the
// client takes; a deadline that was set from outside does not.
func (c *conn) Write(b []byte) (n int, err error) {
	for {
		if err := c.begin(); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(b[n:])
		n += m
		if m == 0 || n == len(b) || !errors.Is(err, os.ErrDeadlineExceeded) || c.late() {
			return n, err
		}
	}
}

// begin gives a write the idle time. To set a deadline is not for nothing, and most
// writes are short: the one that is there is kept as long as it leaves time enough.
func (c *conn) begin() error {
	if c.idle <= 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.unidle.Sub(now) >= c.idle {
		return nil
	}
	c.unidle = now.Add(c.idle + c.idle/4)
	return c.set()
}

// late reports whether the deadline that was set from outside is over.
func (c *conn) late() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.asked.IsZero() && !time.Now().Before(c.asked)
}

// SetWriteDeadline implements [net.Conn]. The server takes deadlines back after each
// request, also where there was none.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.IsZero() && c.asked.IsZero() {
		return nil
	}
	c.asked = t
	return c.set()
}

// SetDeadline implements [net.Conn].
func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// set sets the earlier of the two deadlines. The caller holds mu.
func (c *conn) set() error {
	by := c.unidle
	if by.IsZero() || !c.asked.IsZero() && c.asked.Before(by) {
		by = c.asked
	}
	return c.Conn.SetWriteDeadline(by)
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.once.Do(c.leave)
	return c.Conn.Close()
}

// CloseWrite is what the server does before it closes a connection on which a client
// still sends, so that the client has a chance to read why.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
