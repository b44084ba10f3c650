package wrpc

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
)

// ServerConfig are the limits of a [Server]. Zero fields mean the defaults.
type ServerConfig struct {
	// MaxTime bounds every call, however much time its caller gives; default
	// [DefaultMaxTime].
	MaxTime time.Duration
	// ParamsTime bounds the wait for parameters that did not come with the
	// invocation; default [DefaultParamsTime].
	ParamsTime time.Duration
	// MaxParams bounds the parameters of a call in bytes, streams apart; default
	// [DefaultMaxBytes].
	MaxParams int
	// Window is how many bytes of each parameter stream a Lath caller may have
	// under way; default [DefaultWindow].
	Window int
	// MaxQueued bounds what is held of each parameter stream of a v1 caller;
	// default [DefaultMaxQueued].
	MaxQueued int
	// MaxOwed bounds what is kept, in bytes, of answers that could not be sent since
	// the connection was away, until it is back; each counts for 4 KiB more than its
	// results. Default [DefaultMaxOwed].
	MaxOwed int
	// Host is the host that the server is on, which callers are told when a call
	// is not accepted, so that they try another one. Empty: they are not.
	Host string
	// OnError, if set, is told of each call that did not return results. It is
	// called on a goroutine of the call's.
	OnError func(subject string, m Meta, err error)
}

// Defaults of [ServerConfig].
const (
	DefaultMaxTime    = 10 * time.Minute // as v1's max_execution_time
	DefaultParamsTime = 10 * time.Second
	DefaultMaxOwed    = 64 << 20
)

func (c *ServerConfig) setDefaults() error {
	c.MaxTime = orDefault(c.MaxTime, DefaultMaxTime)
	c.ParamsTime = orDefault(c.ParamsTime, DefaultParamsTime)
	c.MaxParams = orDefault(c.MaxParams, DefaultMaxBytes)
	c.Window = orDefault(c.Window, DefaultWindow)
	c.MaxQueued = orDefault(c.MaxQueued, DefaultMaxQueued)
	c.MaxOwed = orDefault(c.MaxOwed, DefaultMaxOwed)
	if c.Window < MinWindow || c.Window > MaxWindow {
		return fmt.Errorf("window of %d bytes: %w: want %d to %d", c.Window, lattice.ErrInvalid, MinWindow, MaxWindow)
	}
	return nil
}

// Request is a call that is being served.
type Request struct {
	Meta
	// Subject is the one that the caller used.
	Subject string
	// Params are the whole encoded parameters; the handler may keep them.
	Params []byte
	// Lath: the caller speaks Lath, so it is told why a call failed.
	Lath bool

	after func()
}

// AfterReply has a [UnaryFunc] do more once the caller was answered. The call
// counts as running until then.
func (r *Request) AfterReply(f func()) { r.after = f }

// UnaryFunc serves a function whose parameters and results are plain values.
// It returns the encoded results, which are the caller's then. The context has the call's deadline, ends
// when the caller gives up and carries the call's [Meta]. An error reaches a
// Lath caller as the status and detail of an [*Error], or as a trap with the
// first line of its text; a v1 caller sees results that end before they began.
type UnaryFunc func(ctx context.Context, req *Request) (results []byte, err error)

// StreamFunc serves a function with streams or futures among its parameters or
// results. It reads those from the exchange and writes the results to it; when
// it returns, all channels are ended. See [UnaryFunc] for context and error.
type StreamFunc func(ctx context.Context, x *Exchange) error

// Export is one function that is served. Unary or Stream must be set.
type Export struct {
	// Prefix is "{lattice}.{id}", and also the queue group.
	Prefix string
	// Direct, if set, is a second prefix, which only this host serves. It is a
	// queue group of its own, so that a component that replaces another on this
	// host, while both serve, does not run a call twice.
	Direct string
	// Instance is the interface's full name; empty for a root function.
	Instance string
	// Func is the function's name on the wire, see lattice.FunctionName.
	Func string
	// Params are the parameters' types; they tell when the parameters are
	// whole.
	Params []*wit.Type
	// Done, if set, tells that instead of Params, and is given all bytes so far
	// each time that there are more.
	Done func(b []byte) (bool, error)
	// ParamPaths are the streams and futures among the parameters.
	ParamPaths []Path
	// Admit, if set, may turn a call away before it is accepted, by its meta; an
	// [*Error] chooses between Refused and Busy. A v1 caller sees results that
	// end before they began. release is called when a call that was
	// let in has ended.
	Admit func(ctx context.Context, req *Request) (release func(), err error)
	// Limiter admits calls; functions of one component share one. Nil means one
	// of its own with the default limits.
	Limiter *Limiter

	Unary  UnaryFunc
	Stream StreamFunc
}

// Server answers calls on one NATS connection. It is safe for concurrent use.
type Server struct {
	nc  *nats.Conn
	cfg ServerConfig
	mux *mux

	calls   sync.WaitGroup
	workers workers
	owing   atomic.Int64 // cost of all debts
	// base is the parent of all calls' contexts.
	base context.Context //nolint:containedctx // ended by Close, not by a caller
	stop context.CancelCauseFunc

	mu       sync.Mutex
	servings map[*Serving]struct{}
	closed   bool
}

// NewServer returns a server on a connection that stays the caller's, and
// subscribes its inbox. The connection must not keep what is published while
// it is down ([ErrReconnectBuffer]). Close the server before the connection.
func NewServer(nc *nats.Conn, cfg ServerConfig) (*Server, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	m, err := newMux(nc)
	if err != nil {
		return nil, fmt.Errorf("wrpc server: %w", err)
	}
	s := &Server{nc: nc, cfg: cfg, mux: m, servings: make(map[*Serving]struct{}), workers: workers{calls: make(chan arrival)}}
	s.base, s.stop = context.WithCancelCause(context.Background())
	return s, nil
}

// Inbox returns what all subjects begin with on which the server hears from its
// callers, without the dot that follows.
func (s *Server) Inbox() string { return strings.TrimSuffix(s.mux.prefix, ".") }

// Stats returns the server's counters.
func (s *Server) Stats() Stats { return s.mux.stats() }

// Close stops serving at once: calls that run are interrupted and end as
// [ErrLost]. It returns when their handlers have. Drain servings first to let
// them finish.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	list := make([]*Serving, 0, len(s.servings))
	for v := range s.servings {
		list = append(list, v)
	}
	s.mu.Unlock()
	for _, v := range list {
		v.unsubscribe()
	}
	s.stop(&Error{Code: Lost, Detail: "server closed", MayHaveRun: true})
	s.calls.Wait()
	s.workers.wg.Wait()
	s.mux.close(&Error{Code: Lost, Detail: "server closed", MayHaveRun: true})
	return nil
}
