package postgres

import (
	"context"
	"net"
	"sync"
)

// sockets are the connections of one pool to the network, also those that only cancel
// statements. A server that hangs keeps a connection from ending in good order, for
// longer than a host that stops wants to wait: cut ends them all.
type sockets struct {
	ctx context.Context //nolint:containedctx // which ends with the pool
	end context.CancelFunc

	mu   sync.Mutex
	open map[*socket]struct{}
}

type socket struct {
	net.Conn
	of *sockets
}

type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

func newSockets() *sockets {
	s := &sockets{open: map[*socket]struct{}{}}
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// dialer returns dial for connections that are to be among them.
func (s *sockets) dialer(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		c := &socket{conn, s}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ctx.Err() != nil {
			_ = conn.Close()
			return nil, s.ctx.Err()
		}
		s.open[c] = struct{}{}
		return c, nil
	}
}

// cut closes all, and opens no more.
func (s *sockets) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	for c := range s.open {
		_ = c.Conn.Close()
	}
}

// Close implements net.Conn.
func (c *socket) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
