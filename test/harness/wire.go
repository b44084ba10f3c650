package harness

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"sync"
)

// Wire carries the connections of one host to its NATS server, so that a test can
// do to them what machines and networks do. It needs no test. It is safe for
// concurrent use.
type Wire struct {
	target   string
	listener net.Listener
	pumps    sync.WaitGroup

	mu    sync.Mutex
	moved *sync.Cond // told of every change of what follows
	held  bool       // no byte moves, and no connection ends
	cut   bool       // connections are broken, and new ones are refused
	ended bool
	conns map[net.Conn]struct{}
}

// NewWire listens on a port of its own for the server at a URL. Close it.
func NewWire(serverURL string) (*Wire, error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	w := &Wire{target: u.Host, listener: listener, conns: map[net.Conn]struct{}{}}
	w.moved = sync.NewCond(&w.mu)
	w.pumps.Go(w.accept)
	return w, nil
}

// URL is where the server is reached through the wire.
func (w *Wire) URL() string { return "nats://" + w.listener.Addr().String() }

// Pause stops all bytes in both directions, while connections stay open: what a
// stopped process, or a network that drops packets, looks like to the other end.
func (w *Wire) Pause() { w.change(func() { w.held = true }) }

// Resume lets the bytes go on, none of which is lost.
func (w *Wire) Resume() { w.change(func() { w.held = false }) }

// Cut breaks every connection and refuses new ones.
func (w *Wire) Cut() {
	w.change(func() {
		w.cut = true
		w.breakAll()
	})
}

// Heal takes connections again.
func (w *Wire) Heal() { w.change(func() { w.cut = false }) }

// Close breaks every connection and waits for what carried them.
func (w *Wire) Close() {
	w.change(func() {
		w.ended = true
		w.breakAll()
	})
	_ = w.listener.Close() // it is of no more use, whatever it says
	w.pumps.Wait()
}

func (w *Wire) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	w.moved.Broadcast()
}

// breakAll ends every connection, its mu held.
func (w *Wire) breakAll() {
	for c := range w.conns {
		_ = c.Close()
	}
}

func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return // closed
		}
		w.pumps.Go(func() { w.carry(client) })
	}
}

// carry joins a connection with one to the server until either ends.
func (w *Wire) carry(client net.Conn) {
	if !w.enter(client) {
		return
	}
	defer w.leave(client)
	server, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", w.target)
	if err != nil || !w.enter(server) {
		return
	}
	defer w.leave(server)
	var back sync.WaitGroup
	back.Go(func() { w.pump(client, server) })
	w.pump(server, client)
	back.Wait()
}

// pump moves bytes one way, and ends both connections where it ends.
func (w *Wire) pump(to, from net.Conn) {
	defer to.Close()   //nolint:errcheck // it is over
	defer from.Close() //nolint:errcheck // it is over
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !w.pass() {
			return
		}
		if _, werr := to.Write(b[:n]); werr != nil || err != nil {
			return
		}
	}
}

// pass waits until bytes may move; false: the connection is broken.
func (w *Wire) pass() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.held && !w.cut && !w.ended {
		w.moved.Wait()
	}
	return !w.cut && !w.ended
}

// enter notes a connection, or ends it where there are none now.
func (w *Wire) enter(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut || w.ended {
		_ = c.Close()
		return false
	}
	w.conns[c] = struct{}{}
	return true
}

func (w *Wire) leave(c net.Conn) {
	_ = c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}
