package httpserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Config says what a [Server] is.
type Config struct {
	// Values are the provider's settings: see [Keys].
	Values map[string]string
	// ReadFile reads certificates and keys.
	ReadFile func(name string) ([]byte, error)
	// Log is required.
	Log *zap.Logger
}

// Target answers requests, wherever that happens, within most; 0: as long as it
// likes. Where a response cannot be completed, it panics with
// [http.ErrAbortHandler].
type Target interface {
	Answer(w http.ResponseWriter, r *http.Request, most time.Duration)
}

// Link is one link to follow.
type Link struct {
	// Name and Target name the link in messages.
	Name, Target string
	// Values are the link's settings: see [Keys].
	Values map[string]string
	Answer Target
}

// owner names a link for people.
func (l Link) owner() string { return fmt.Sprintf("%q (link %q)", l.Target, l.Name) }

// Server listens where its links say, and answers what comes in. It is safe for
// concurrent use. Close it.
type Server struct {
	cfg Config

	// base ends when requests at addresses that were given up are cut off.
	base context.Context //nolint:containedctx // ended by Close
	stop context.CancelFunc

	turn      sync.Mutex // held while endpoints change
	endpoints map[string]*endpoint
	closed    bool
	leaving   sync.WaitGroup // of endpoints
}

// New makes a server without links. It checks the provider's settings.
func New(cfg Config) (*Server, error) {
	values := maps.Clone(cfg.Values)
	maps.DeleteFunc(values, func(k, _ string) bool { return strings.EqualFold(k, "routing_mode") })
	_, err := readSettings(values, nil)
	if err == nil {
		r := &reader{values: map[string]string{}}
		r.add(cfg.Values)
		r.mode()
		err = errors.Join(r.errs...)
	}
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, endpoints: map[string]*endpoint{}}
	s.base, s.stop = context.WithCancel(context.Background())
	s.warn("provider", cfg.Values)
	return s, nil
}

// warn tells of settings that nobody reads.
func (s *Server) warn(of string, values map[string]string) {
	known := Keys()
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if low := strings.ToLower(k); !slices.Contains(known, low) && !strings.HasPrefix(low, headerKey) {
			s.cfg.Log.Warn("a setting is not known, and has no effect", zap.String("of", of), zap.String("setting", k))
		}
	}
}

// errClosed is why a server that ends follows no link.
var errClosed = errors.New("the HTTP server is stopping")

// SetLinks makes the server follow these links and no others, with these settings
// of its own. Of two that
// collide, the earlier is followed. The result says of each why it is not; nil: it
// is. Requests that are under way end as they began.
func (s *Server) SetLinks(values map[string]string, links []Link) []error {
	s.turn.Lock()
	defer s.turn.Unlock()
	errs := make([]error, len(links))
	if s.closed {
		for i := range errs {
			errs[i] = errClosed
		}
		return errs
	}
	byAddress := map[string][]*followed{}
	for i, l := range links {
		set, err := readSettings(values, l.Values)
		if l.Answer == nil {
			err = errors.New("an HTTP server calls wasi:http/incoming-handler, and nothing else")
		}
		if err != nil {
			errs[i] = err
			continue
		}
		at := set.listen.address
		byAddress[at] = append(byAddress[at], &followed{Link: l, settings: set, place: i})
	}
	// What is given up may be what another link needs.
	for at, e := range s.endpoints {
		if list := byAddress[at]; len(list) == 0 || list[0].settings.listen != e.listen {
			s.leave(at, e)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(byAddress)) {
		s.follow(at, byAddress[at], errs)
	}
	return errs
}

// followed is a link with its settings.
type followed struct {
	Link
	*settings
	place int // in the list that the server was given
}

// follow has the links of one address be served.
func (s *Server) follow(address string, list []*followed, errs []error) {
	first := list[0]
	agree := list[:0:0]
	for _, l := range list {
		if l.listen != first.listen {
			errs[l.place] = fmt.Errorf("address in use: %s listens at %s with other settings of TLS, HTTP/2, limits or the header of hosts", first.owner(), address)
			continue
		}
		agree = append(agree, l)
	}
	routes := make([]Route, len(agree))
	for i, l := range agree {
		routes[i] = Route{Rule: l.rule, Weight: l.weight, Owner: l.owner()}
	}
	table, conflicts := Build(routes)
	for i, err := range conflicts {
		if err != nil {
			errs[agree[i].place] = fmt.Errorf("address in use: %s: %w", address, err)
		}
	}
	if err := s.listen(address, first.listen, &routing{table: table, links: agree}); err != nil {
		for i, l := range agree {
			if conflicts[i] == nil {
				errs[l.place] = err
			}
		}
	}
}

// listen has an endpoint follow a routing, and makes it if it is not there.
func (s *Server) listen(address string, l listening, to *routing) error {
	cert, err := s.certificate(l)
	if err != nil {
		return err
	}
	if e := s.endpoints[address]; e != nil {
		e.routing.Store(to)
		e.cert.Store(cert)
		return nil
	}
	e := newEndpoint(l, s.cfg.Log)
	e.routing.Store(to)
	e.cert.Store(cert)
	if err := e.start(); err != nil {
		return err
	}
	s.endpoints[address] = e
	return nil
}

// leave ends an endpoint: its address is free when it returns, and its requests
// end meanwhile.
func (s *Server) leave(address string, e *endpoint) {
	delete(s.endpoints, address)
	e.free()
	s.leaving.Go(func() {
		ctx, cancel := context.WithTimeout(s.base, drainTime)
		defer cancel()
		_ = e.end(ctx) // what takes longer is cut off
	})
}

// drainTime is how long requests at an address that was given up may still take.
const drainTime = 30 * time.Second

// Drain takes in no more requests, at any address, and waits for those that are
// under way until ctx ends; then they are cut off. Those at addresses that were given
// up before are waited for, too, and cut off by Close. Later links are not followed.
// It may be called again.
func (s *Server) Drain(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.base, cancel)() // Close waits for no other call's time
	s.turn.Lock()
	s.closed = true
	list := slices.Collect(maps.Values(s.endpoints))
	clear(s.endpoints)
	errs := make([]error, len(list))
	var draining sync.WaitGroup
	for i, e := range list {
		draining.Add(1)
		s.leaving.Go(func() {
			defer draining.Done()
			errs[i] = e.end(ctx)
		})
	}
	s.turn.Unlock()
	draining.Wait()
	return errors.Join(append(errs, s.left(ctx))...)
}

// left waits until all endpoints have ended, or ctx has.
func (s *Server) left(ctx context.Context) error {
	all := make(chan struct{})
	go func() { // which Close ends
		defer close(all)
		s.leaving.Wait()
	}()
	select {
	case <-all:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("requests at addresses that were given up were cut off: %w", ctx.Err())
	}
}

// Close ends everything at once.
func (s *Server) Close() error {
	s.stop()
	_ = s.Drain(s.base) // that it was cut short is no news
	s.leaving.Wait()
	return nil
}

// Address returns where the server listens for an address of its settings, which
// may leave the port open; nil where it does not.
func (s *Server) Address(address string) net.Addr {
	s.turn.Lock()
	defer s.turn.Unlock()
	if e := s.endpoints[address]; e != nil {
		return e.at
	}
	return nil
}
