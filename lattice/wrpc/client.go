package wrpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
)

// Defaults of the limits on what a peer may send.
const (
	DefaultMaxBytes  = 32 << 20 // parameters or results of one call, streams apart
	DefaultMaxQueued = 4 << 20  // of one stream from a v1 peer, which knows no window
)

// maxAbandoned bounds the calls whose late handshake is still waited for, only
// to cancel them.
const maxAbandoned = 1024

// ClientConfig are the limits of a [Client]. Zero fields mean the defaults.
type ClientConfig struct {
	// Timeout is the deadline of calls whose context has none; default
	// [DefaultTimeout].
	Timeout time.Duration
	// MaxResults bounds the results of a call in bytes, streams apart; default
	// [DefaultMaxBytes].
	MaxResults int
	// Window is how many bytes of each result stream a Lath callee may have
	// under way; default [DefaultWindow].
	Window int
	// MaxQueued bounds what is held of each result stream of a v1 callee;
	// default [DefaultMaxQueued].
	MaxQueued int
}

func (c *ClientConfig) setDefaults() error {
	c.Timeout = orDefault(c.Timeout, DefaultTimeout)
	c.MaxResults = orDefault(c.MaxResults, DefaultMaxBytes)
	c.Window = orDefault(c.Window, DefaultWindow)
	c.MaxQueued = orDefault(c.MaxQueued, DefaultMaxQueued)
	if c.Window < MinWindow || c.Window > MaxWindow {
		return fmt.Errorf("window of %d bytes: %w: want %d to %d", c.Window, lattice.ErrInvalid, MinWindow, MaxWindow)
	}
	return nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Target is the function to call.
type Target struct {
	// Prefix is "{lattice}.{id}", or a direct prefix that names a host.
	Prefix string
	// Instance is the interface's full name; empty for a root function.
	Instance string
	// Func is the function's name on the wire, see lattice.FunctionName.
	Func string
	// Subject is the whole invocation subject; it may be set instead of the
	// other fields, to build it once and not at each call.
	Subject string
	// Results, if known, are the results' types. They let a call to a v1 callee,
	// which cannot say how it ended, tell results from a failure without them.
	Results []*wit.Type
}

func (t *Target) subject() (string, error) {
	s := t.Subject
	if s == "" {
		s = lattice.InvocationSubject(t.Prefix, t.Instance, t.Func)
	}
	if !validSubject(s) {
		return "", fmt.Errorf("invocation subject %.80q: %w", s, lattice.ErrInvalid)
	}
	return s, nil
}

// Info is what a call tells beside its results.
type Info struct {
	// Lath: the callee speaks Lath, so its errors have a cause and a function
	// without results is known to have run.
	Lath bool
}

// Client makes calls on one NATS connection. It is safe for use by any number
// of goroutines.
type Client struct {
	nc  *nats.Conn
	cfg ClientConfig
	mux *mux

	waiters   sync.Pool      // of *waiter
	pumps     sync.WaitGroup // of streaming calls
	abandoned atomic.Int64
	late      chan string // inboxes of callees that accepted a call given up
}

// NewClient returns a client on a connection that stays the caller's, and
// subscribes its inbox. The connection must not keep what is published while
// it is down ([ErrReconnectBuffer]). Close the client before the connection.
func NewClient(nc *nats.Conn, cfg ClientConfig) (*Client, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	m, err := newMux(nc)
	if err != nil {
		return nil, fmt.Errorf("wrpc client: %w", err)
	}
	c := &Client{nc: nc, cfg: cfg, mux: m, late: make(chan string, 64)}
	m.wg.Add(1)
	go c.cancelLate()
	return c, nil
}

// Close ends all calls that are running with [ErrLost], and waits for the
// client's goroutines.
func (c *Client) Close() error {
	c.mux.close(&Error{Code: Lost, Detail: "client closed", MayHaveRun: true})
	c.pumps.Wait()
	return nil
}

// Stats returns the client's counters.
func (c *Client) Stats() Stats { return c.mux.stats() }

// deadline returns how long a call may take: until the context's deadline, or
// the client's timeout. It fails if there is no time left.
func (c *Client) deadline(ctx context.Context) (left time.Duration, own bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, endOfContext(ctx, false)
	}
	d, ok := ctx.Deadline()
	if !ok {
		return c.cfg.Timeout, true, nil
	}
	if left = time.Until(d); left <= 0 {
		return 0, false, &Error{Code: Timeout}
	}
	return left, false, nil
}

// endOfContext is the error of a call whose context ended.
func endOfContext(ctx context.Context, sent bool) *Error {
	e := &Error{Code: Cancelled, MayHaveRun: sent}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Code = Timeout
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) && !errors.Is(cause, context.Canceled) {
		e.Err = cause
	}
	return e
}

// cut cuts parameters into those that fit the invocation, and the rest.
func (c *Client) cut(inbox string, h nats.Header, params []byte) (now, rest []byte) {
	n := firstSlice(maxPayload(c.nc), inbox, h, len(params))
	return params[:n], params[n:]
}

// publishInvocation sends the first message of a call.
func (c *Client) publishInvocation(subject, inbox string, h nats.Header, params []byte) error {
	return publishError(c.nc.PublishMsg(&nats.Msg{Subject: subject, Reply: inbox, Header: h, Data: params}))
}

// abandon goes on listening for the handshake of a call that was given up
// before it, so that the callee can be told. It takes the place of the call in
// the mux until the callee's own deadline.
func (c *Client) abandon(id uint64, left time.Duration) {
	if c.abandoned.Add(1) > maxAbandoned {
		c.abandoned.Add(-1)
		c.mux.unregister(id)
		return
	}
	a := &abandonedCall{c: c}
	c.mux.replace(id, a)
	time.AfterFunc(left, func() {
		c.mux.unregister(id)
		a.release()
	})
}

// abandonedCall waits for a handshake only to cancel the call.
type abandonedCall struct {
	c        *Client
	released atomic.Bool
}

func (a *abandonedCall) release() {
	if a.released.CompareAndSwap(false, true) {
		a.c.abandoned.Add(-1)
	}
}

func (a *abandonedCall) deliver(rest string, m *nats.Msg) bool {
	if rest != "" {
		return true
	}
	if ans := parseAnswer(m); ans.lath && ans.err == nil {
		select {
		case a.c.late <- ans.reply:
		default: // the callee's own deadline has to do
		}
	}
	return true
}

func (a *abandonedCall) interrupt(*Error) bool {
	a.release()
	return false
}

func (a *abandonedCall) whereTo() (subject, callee string) { return "", "" }

// cancelLate tells callees to stop calls that were given up before they were
// accepted. It runs beside the inbox, which must not publish.
func (c *Client) cancelLate() {
	defer c.mux.wg.Done()
	for {
		select {
		case <-c.mux.stop:
			return
		case callee := <-c.late:
			c.cancel(callee)
		}
	}
}

// cancel asks a Lath callee to stop. If that cannot be sent, the callee's
// deadline stops it.
func (c *Client) cancel(callee string) {
	_ = c.nc.Publish(lattice.CancelSubject(callee), nil)
}
