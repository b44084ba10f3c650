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
	lattice *nats.Conn // may be nil

	mu   sync.Mutex
	open map[string]*shared
}

// shared is a connection with how many use it.
type shared struct {
	*nats.Conn
	users int
}

// connectWait bounds how long a link waits for its server; it is tried again.
const connectWait = 3 * time.Second

// take returns a connection, and what to call when it is not used any more.
func (c *conns) take(s Server) (*nats.Conn, func(), error) {
	if s.URL == "" {
		if c.lattice == nil {
			return nil, nil, errors.New("messaging configuration: cluster_uris: no server is named, and there is no connection to use")
		}
		return c.lattice, func() {}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := s.key()
	if c.open[key] == nil {
		ctx, cancel := context.WithTimeout(context.Background(), connectWait)
		defer cancel()
		nc, err := lattice.Connect(ctx, lattice.ConnConfig{URL: s.URL, Auth: s.Auth, InboxPrefix: s.Inbox, Name: "lath messaging", Wait: connectWait})
		if err != nil {
			return nil, nil, err
		}
		c.open[key] = &shared{Conn: nc}
	}
	at := c.open[key]
	at.users++
	return at.Conn, sync.OnceFunc(func() { c.leave(key, at) }), nil
}

func (c *conns) leave(key string, at *shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.users--; at.users == 0 {
		delete(c.open, key)
		at.Close()
	}
}
