package wrpc

import (
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// session is one side of a call with streams: the channels that come in and
// the writers that go out. The client's comes in on results and goes out on
// params, the server's the other way round.
type session struct {
	mux *mux
	nc  *nats.Conn
	id  uint64 // in the mux

	root   *queue            // incoming root bytes
	nested map[string]*queue // incoming paths; not changed after the start
	window int               // what this side let the peer send on each of them

	// ready is closed when out and peerLath are known: on the client with the
	// handshake, on the server from the start.
	ready    chan struct{}
	out      string // channel that writers write on: S.params or C.results
	credits  string // base of the subjects on which this side grants credit
	peerLath bool
	trailers bool  // the end of an outgoing channel carries a status
	hops     *Hops // told in trailers; nil: nobody asks

	failed chan struct{}    // closed by fail
	onFail func(err *Error) // called by fail; must not block

	mu         sync.Mutex
	failure    *Error // before failed is closed
	peerWindow int    // first credit of each writer
	writers    map[string]*Writer
	owed       []owed // a callee's
}

// init prepares the incoming channels. A v1 peer knows no window, so a path's
// queue may be longer than that.
func (s *session) init(m *mux, rootLimit, pathLimit, window int, paths []Path) {
	s.mux, s.nc, s.window = m, m.nc, window
	pathLimit = max(pathLimit, window)
	s.ready, s.failed = make(chan struct{}), make(chan struct{})
	s.root = newQueue(rootLimit)
	if len(paths) > 0 {
		s.nested = make(map[string]*queue, len(paths))
		for _, p := range paths {
			s.nested[p.String()] = newQueue(pathLimit)
		}
	}
}

// open tells the session where to write; it is called once.
func (s *session) open(out, credits string, peerLath bool, peerWindow int) {
	s.mu.Lock()
	s.out, s.credits, s.peerLath, s.peerWindow = out, credits, peerLath, peerWindow
	s.mu.Unlock()
	close(s.ready)
}

// fail ends the session with an error; the first one counts. What had arrived
// before can still be read.
func (s *session) fail(err *Error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return false
	}
	s.failure = err
	close(s.failed)
	if s.onFail != nil {
		s.onFail(err)
	}
	return true
}

// failError returns the error that the session failed with, or nil.
func (s *session) failError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		return nil
	}
	return s.failure
}

// data takes a message of an incoming channel. trailers says whether its end
// has a status.
func (s *session) data(path string, m *nats.Msg, trailers bool) bool {
	q := s.root
	if path != "" {
		if q = s.nested[path]; q == nil {
			return false
		}
	}
	if len(m.Data) > 0 {
		fits, late := q.push(m.Data)
		if !fits {
			err := &Error{Code: Overflow, Detail: "peer sent more than was allowed on " + channelName(path), MayHaveRun: true}
			q.end(err) // nothing after the gap may be read
			if s.fail(err) {
				s.mux.overflows.Add(1)
			}
		}
		return !late
	}
	if q.isEnded() {
		return false
	}
	if trailers {
		if err := parseTrailer(m.Header); err != nil {
			q.end(err)
			// One channel's failure is the call's: the others may never end.
			s.fail(err)
			return true
		}
	}
	q.end(nil)
	return true
}

func channelName(path string) string {
	if path == "" {
		return "the root channel"
	}
	return "path " + path
}

// credit takes a peer's count of the bytes that it has consumed on a path.
func (s *session) credit(path string, m *nats.Msg) bool {
	consumed, err := parseDecimal(string(m.Data[:min(len(m.Data), 21)]), 0, 1<<63)
	if err != nil {
		return false
	}
	s.mu.Lock()
	w := s.writers[path]
	s.mu.Unlock()
	return w != nil && w.grant(consumed)
}

// writer returns the writer of an outgoing path, making it at the first call.
func (s *session) writer(p Path) *Writer {
	key := p.String()
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.writers[key]; w != nil {
		return w
	}
	w := &Writer{s: s, path: key, wake: make(chan struct{}, 1)}
	if s.writers == nil {
		s.writers = make(map[string]*Writer)
	}
	s.writers[key] = w
	return w
}

// closeWriters ends every outgoing path that is still open.
func (s *session) closeWriters(err error) {
	s.mu.Lock()
	list := make([]*Writer, 0, len(s.writers))
	for _, w := range s.writers {
		list = append(list, w)
	}
	s.mu.Unlock()
	for _, w := range list {
		// Where it cannot be sent, the peer sees the connection break.
		_ = w.CloseWithError(err)
	}
}

// reader returns the reader of an announced incoming path.
func (s *session) reader(p Path) (*Reader, error) {
	q := s.nested[p.String()]
	if q == nil {
		return nil, ErrNoPath
	}
	return &Reader{s: s, q: q, path: p.String(), closed: make(chan struct{})}, nil
}

// endHeader returns the headers of the message that ends an outgoing channel.
func (s *session) endHeader(err error) nats.Header {
	if !s.trailers {
		return nil
	}
	if s.hops != nil {
		h := trailer(statusOf(err))
		if text := s.hops.header(); text != "" {
			h[lattice.HeaderHops] = []string{text}
		}
		return h
	}
	if err == nil {
		return okTrailer
	}
	return trailer(statusOf(err))
}

// grantCredit tells the peer how much of a path was consumed.
func (s *session) grantCredit(path string, consumed uint64) {
	var b [20]byte
	// A grant that cannot be sent means that the connection broke, which ends
	// the session by itself.
	_ = s.nc.Publish(s.credits+"."+path, appendDecimal(b[:0], consumed))
}
