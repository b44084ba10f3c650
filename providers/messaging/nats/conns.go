package nats

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/providers/internal/settings"
)

// Server is which NATS to use; the zero value is the lattice's.
type Server struct {
	// URL is one or more addresses, with commas between them.
	URL  string
	Auth lattice.Auth
	// Inbox begins the inboxes of requests; empty: as NATS has it.
	Inbox string
	// JSDomain is the JetStream domain; empty: of the connection.
	JSDomain string
}

// settings are v1's: cluster_uris (or cluster_uri), client_jwt, client_seed,
// tls_ca_file and custom_inbox_prefix; and js_domain.
func (s *Server) settings() settings.Set {
	return settings.Set{
		"cluster_uris": settings.Text(&s.URL), "cluster_uri": settings.Text(&s.URL),
		"client_jwt": settings.Text(&s.Auth.JWT), "client_seed": settings.Text(&s.Auth.Seed),
		"custom_inbox_prefix": settings.Text(&s.Inbox), "js_domain": settings.Text(&s.JSDomain),
	}
}

// key tells apart the connections.
func (s *Server) key() string {
	return strings.Join(slices.Concat([]string{s.URL, s.Auth.JWT, s.Auth.Seed, s.Inbox}, s.Auth.CAFiles), "\x00")
}

// conns are the connections that links use, each once.
type conns struct {
	lattice *shared // whose connection may be nil

	mu   sync.Mutex
	open map[string]*shared
}

// shared is a connection with how many use it.
type shared struct {
	*nats.Conn
	err   error         // why there is none
	ready chan struct{} // closed when one of both is there
	users int           // guarded by mu of conns

	// streams is held while a stream, or a link's consumer, is made: a stream is changed
	// by what it was before.
	streams sync.Mutex
}

func newConns(lattice *nats.Conn) *conns {
	return &conns{lattice: &shared{Conn: lattice}, open: map[string]*shared{}}
}

// connectWait bounds how long a link waits for its server; it is tried again.
const connectWait = 3 * time.Second

// take returns a connection, and what to call when it is not used any more.
func (c *conns) take(s Server) (*shared, func(), error) {
	if s.URL == "" {
		if c.lattice.Conn == nil {
			return nil, nil, errors.New("messaging configuration: cluster_uris: no server is named, and there is no connection to use")
		}
		return c.lattice, func() {}, nil
	}
	key := s.key()
	c.mu.Lock()
	at := c.open[key]
	first := at == nil
	if first {
		at = &shared{ready: make(chan struct{})}
		c.open[key] = at
	}
	at.users++
	c.mu.Unlock()
	if first {
		at.Conn, at.err = s.connect()
		close(at.ready)
	}
	<-at.ready // within connectWait
	if at.err != nil {
		c.leave(key, at)
		return nil, nil, at.err
	}
	return at, sync.OnceFunc(func() { c.leave(key, at) }), nil
}

func (s *Server) connect() (*nats.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectWait)
	defer cancel()
	return lattice.Connect(ctx, lattice.ConnConfig{URL: s.URL, Auth: s.Auth, InboxPrefix: s.Inbox, Name: "lath messaging", Wait: connectWait})
}

func (c *conns) leave(key string, at *shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.users--; at.users == 0 {
		delete(c.open, key)
		if at.Conn != nil {
			at.Close()
		}
	}
}
