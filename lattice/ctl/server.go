package ctl

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

// Defaults of ServerConfig.
const (
	DefaultWorkers        = 32
	DefaultQueue          = 1024
	DefaultRequestTimeout = 30 * time.Second
)

// drainWait bounds how long Shutdown waits for NATS to end the subscriptions.
const drainWait = 2 * time.Second

// pendingRequests and pendingBytes bound what NATS holds of one subscription. It
// is more than a queue holds, so that what is too much is told and not dropped:
// a subscription is emptied without waiting.
const (
	pendingRequests = 64 << 10
	pendingBytes    = 64 << 20
)

// maxHeaders bounds the headers of a request, in bytes.
const maxHeaders = 16 << 10

// unsupported answers a verb that is not known, in v1's words.
const unsupported = "unsupported subject"

// maxMessage bounds the text of a failed answer, in bytes.
const maxMessage = 8 << 10

// ServerConfig says what a Server serves. Conn, Lattice, HostID and Handler are
// required.
type ServerConfig struct {
	Conn    *nats.Conn
	Lattice string
	HostID  string
	Handler Handler
	// Prefix of the control subjects; default lattice.DefaultControlPrefix.
	Prefix string
	// Workers is how many requests of one lane (questions, work) are handled at
	// a time, and Queue how many more may wait; one more is answered "busy".
	Workers, Queue int
	// Timeout bounds the handling of one request.
	Timeout time.Duration
	// Ops keeps the commands that have an id. Without it they are carried out as
	// those without.
	Ops OpStore
	// Now is the clock by which commands are told to have been accepted and to have
	// ended; default time.Now.
	Now func() time.Time
	// OnTooLarge, if not nil, is told of answers that are larger than NATS carries,
	// in whose place an error goes out. It must not block.
	OnTooLarge func(subject string, err *lattice.TooLargeError)
	// Log is told of panics and of answers that could not be sent; nil is silent.
	Log *zap.Logger
}

// Server answers the control interface of one host.
type Server struct {
	cfg      ServerConfig
	subjects lattice.Control
	verbs    map[verbName]verb

	ctx     context.Context //nolint:containedctx // ends the handlers on a hard shutdown
	cancel  context.CancelFunc
	queues  [lanes]chan *nats.Msg
	workers sync.WaitGroup
	late    sync.WaitGroup // outcomes that are still to be stored

	mu     sync.Mutex // guards what follows
	subs   []*nats.Subscription
	closed bool
	ending sync.Once
	done   chan struct{}
}

// NewServer checks a configuration. It does no I/O and starts nothing.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Conn == nil || cfg.Handler == nil {
		return nil, errors.New("control server: connection and handler are required")
	}
	if err := errors.Join(lattice.ValidLattice(cfg.Lattice), lattice.ValidHostID(cfg.HostID)); err != nil {
		return nil, fmt.Errorf("control server: %w", err)
	}
	if cfg.Workers <= 0 {
		cfg.Workers = DefaultWorkers
	}
	if cfg.Queue <= 0 {
		cfg.Queue = DefaultQueue
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultRequestTimeout
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{
		cfg:      cfg,
		subjects: lattice.ControlSubjects(cfg.Prefix, cfg.Lattice),
		verbs:    verbs(),
		done:     make(chan struct{}),
	}
	for i := range s.queues {
		s.queues[i] = make(chan *nats.Msg, cfg.Queue)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// subscription is one of v1's host subscriptions; queue is empty for the plain.
type subscription struct{ subject, queue string }

func (s *Server) subscriptions() []subscription {
	host := s.cfg.HostID
	return []subscription{
		{subject: s.subjects.Verb(lattice.KindHost, "ping")},
		{subject: s.subjects.Verb(lattice.KindComponent, "auction")},
		{subject: s.subjects.Verb(lattice.KindProvider, "auction")},
		{subject: s.subjects.Verb(lattice.KindRegistry, "put")},
		{subject: s.subjects.HostVerbs(lattice.KindHost, host)},
		{subject: s.subjects.HostVerbs(lattice.KindComponent, host)},
		{subject: s.subjects.HostVerbs(lattice.KindProvider, host)},
		{subject: s.subjects.HostVerbs(lattice.KindLabel, host)},
		{subject: s.subjects.SharedVerbs(lattice.KindLink), queue: s.subjects.Queue(lattice.KindLink)},
		{subject: s.subjects.SharedVerbs(lattice.KindClaims), queue: s.subjects.Queue(lattice.KindClaims)},
		{subject: s.subjects.AllOf(lattice.KindConfig), queue: s.subjects.Queue(lattice.KindConfig)},
	}
}

// Start subscribes, and returns when the NATS server has the subscriptions: a
// request sent afterwards reaches this host. It may be called once. After an
// error nothing is left running.
func (s *Server) Start(ctx context.Context) error {
	for lane := range s.queues {
		for range s.cfg.Workers {
			s.workers.Add(1)
			go s.work(s.queues[lane])
		}
	}
	err := s.subscribe()
	if err == nil {
		err = lattice.Flush(ctx, s.cfg.Conn)
	}
	if err != nil {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.Shutdown(ended)
		<-s.done
		return fmt.Errorf("control server: subscribe: %w", lattice.Disconnected(err))
	}
	return nil
}

func (s *Server) subscribe() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("it is shut down")
	}
	for _, want := range s.subscriptions() {
		var sub *nats.Subscription
		var err error
		if want.queue == "" {
			sub, err = s.cfg.Conn.Subscribe(want.subject, s.accept)
		} else {
			sub, err = s.cfg.Conn.QueueSubscribe(want.subject, want.queue, s.accept)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", want.subject, err)
		}
		s.subs = append(s.subs, sub)
		if err := sub.SetPendingLimits(pendingRequests, pendingBytes); err != nil {
			return fmt.Errorf("%s: %w", want.subject, err)
		}
	}
	return nil
}

// accept queues a request. It runs on a subscription's own goroutine and never
// waits.
func (s *Server) accept(msg *nats.Msg) {
	v, _, ok := s.lookup(msg.Subject)
	if !ok {
		s.reply(msg, Envelope{Message: unsupported})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	select {
	case s.queues[v.lane] <- msg:
	default:
		s.reply(msg, Envelope{Message: fmt.Sprintf("host %s is busy: %d control requests wait", s.cfg.HostID, s.cfg.Queue)})
	}
}

// lookup finds the verb of a subject, and begins a request with what the subject
// says.
func (s *Server) lookup(subject string) (v verb, r *request, ok bool) {
	kind, word, name, ok := s.subjects.Parse(subject)
	v, known := s.verbs[verbName{kind, word}]
	if kind != lattice.KindConfig {
		known = known && (name == "" || name == s.cfg.HostID)
	}
	return v, &request{verb: kind + "." + word, name: name}, ok && known
}

func (s *Server) work(queue <-chan *nats.Msg) {
	defer s.workers.Done()
	for msg := range queue {
		if e, silent := s.handle(msg); !silent {
			s.reply(msg, e)
		}
	}
}

// handle makes the answer of one request, whatever the handler does, or none.
func (s *Server) handle(msg *nats.Msg) (e Envelope, silent bool) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error("control request panicked", zap.String("subject", msg.Subject),
				zap.Any("panic", p), zap.ByteString("stack", debug.Stack()))
			e, silent = Envelope{Message: "internal error of host " + s.cfg.HostID + ", see its log"}, false
		}
	}()
	v, r, ok := s.lookup(msg.Subject)
	if !ok {
		return Envelope{Message: unsupported}, false
	}
	if n := headerSize(msg.Header); n > maxHeaders {
		return Envelope{Message: fmt.Sprintf("the request's headers have %d bytes, the limit is %d", n, maxHeaders)}, false
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timeout)
	defer cancel()
	r.body, r.id = msg.Data, commandID(msg)
	a, err := v.call(ctx, s, r)
	if err != nil {
		return Envelope{Message: shorten(err.Error())}, false
	}
	e = Envelope{Success: true, Message: a.message}
	if a.response != nil {
		if e.Response, err = lattice.EncodeJSON(a.response); err != nil {
			return Envelope{Message: shorten("encode the answer: " + err.Error())}, false
		}
	}
	return e, a.silent
}

func headerSize(h nats.Header) (n int) {
	for name, values := range h {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}

func (s *Server) reply(msg *nats.Msg, e Envelope) {
	if msg.Reply == "" {
		return
	}
	data, err := lattice.EncodeJSON(e)
	if limit := s.cfg.Conn.MaxPayload(); err == nil && int64(len(data)) > limit {
		// v1 would let NATS refuse it, and the client wait for nothing.
		large := &lattice.TooLargeError{What: "the answer", Bytes: int64(len(data)), Limit: limit}
		if s.cfg.OnTooLarge != nil {
			s.cfg.OnTooLarge(msg.Subject, large)
		}
		text := large.Error()
		if v, _, _ := s.lookup(msg.Subject); v.parts != "" {
			text += "; get it in parts, by: " + v.parts
		}
		data, err = lattice.EncodeJSON(Envelope{Message: text})
	}
	if err == nil {
		err = s.cfg.Conn.Publish(msg.Reply, data)
	}
	if err != nil {
		s.cfg.Log.Warn("control answer not sent", zap.String("subject", msg.Subject), zap.Error(err))
	}
}

// Shutdown stops taking requests and waits until those taken are answered. When
// ctx ends first, the handlers' contexts are ended and Shutdown returns ctx's
// error without waiting for them. Further calls wait for the same end.
func (s *Server) Shutdown(ctx context.Context) error {
	s.ending.Do(func() {
		go func() {
			defer close(s.done)
			defer s.late.Wait()
			defer s.cancel()
			s.drain()
			s.mu.Lock()
			s.closed = true
			for _, queue := range s.queues {
				close(queue)
			}
			s.mu.Unlock()
			s.workers.Wait()
		}()
	})
	select {
	case <-s.done:
		return s.flush(ctx)
	case <-ctx.Done():
		s.cancel()
		return fmt.Errorf("control server: shut down: %w", ctx.Err())
	}
}

// drain ends the subscriptions after what they have received already, which in a
// queue group no other host would answer.
func (s *Server) drain() {
	s.mu.Lock()
	subs := s.subs
	s.subs = nil
	s.mu.Unlock()
	for _, sub := range subs {
		// It fails on a closed connection, which has ended the subscription.
		_ = drain(s.cfg.Conn, sub, s.ctx.Done())
	}
}

// drain ends a subscription once what it has received is handled, and waits for
// that, for at most drainWait, until cut, or not at all while disconnected.
func drain(conn *nats.Conn, sub *nats.Subscription, cut <-chan struct{}) error {
	if !sub.IsValid() {
		return nil
	}
	if !conn.IsConnected() {
		return ended(sub.Unsubscribe())
	}
	closed := sub.StatusChanged(nats.SubscriptionClosed)
	if err := sub.Drain(); err != nil {
		return ended(err)
	}
	limit := time.NewTimer(drainWait)
	defer limit.Stop()
	select {
	case <-closed:
		return nil
	case <-limit.C:
	case <-cut:
	}
	return ended(sub.Unsubscribe())
}

// ended makes nothing of the error of a subscription that has ended already.
func ended(err error) error {
	if errors.Is(err, nats.ErrBadSubscription) || lattice.IsDisconnected(err) {
		return nil
	}
	return err
}

// flush has the last answers leave before the connection may be closed.
func (s *Server) flush(ctx context.Context) error {
	if !s.cfg.Conn.IsConnected() {
		return nil
	}
	return lattice.Flush(ctx, s.cfg.Conn)
}

func shorten(text string) string {
	if len(text) > maxMessage {
		text = text[:maxMessage]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
