package ctl

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Limits of a [LinkStatusServer]: questions that wait, and the time for one.
const (
	maxStatusQuestions = 64
	statusTimeout      = 4 * time.Second
)

// LinkStatusServer tells all links of the lattice with what is known of their
// ends. v1 has no such question. The hosts of a lattice share it.
type LinkStatusServer struct {
	conn     *nats.Conn
	statuses func(ctx context.Context) ([]lattice.LinkStatus, error)
	sub      *nats.Subscription

	ctx  context.Context //nolint:containedctx // ends the answer under way
	stop context.CancelFunc

	mu     sync.Mutex // held while answering
	closed bool
}

// ServeLinkStatuses starts to answer with what statuses returns. Questions are
// answered one at a time; more than 64 that wait are dropped.
func ServeLinkStatuses(conn *nats.Conn, name string, statuses func(ctx context.Context) ([]lattice.LinkStatus, error)) (*LinkStatusServer, error) {
	s := &LinkStatusServer{conn: conn, statuses: statuses}
	s.ctx, s.stop = context.WithCancel(context.Background())
	subject := lattice.LinkStatusSubject(name)
	var err error
	if s.sub, err = conn.QueueSubscribe(subject, subject, s.answer); err != nil {
		s.stop()
		return nil, fmt.Errorf("serve link states: %w", lattice.Disconnected(err))
	}
	if err := s.sub.SetPendingLimits(maxStatusQuestions, MaxRequestSize); err != nil {
		return nil, errors.Join(fmt.Errorf("serve link states: %w", err), s.Close())
	}
	return s, nil
}

func (s *LinkStatusServer) answer(msg *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || msg.Reply == "" {
		return
	}
	// It fails while disconnected; then the client is not there either.
	_ = s.conn.Publish(msg.Reply, s.encode())
}

// encode makes the answer, or the reason why there is none.
func (s *LinkStatusServer) encode() []byte {
	ctx, cancel := context.WithTimeout(s.ctx, statusTimeout)
	defer cancel()
	e := Envelope{Success: true}
	list, err := s.statuses(ctx)
	if err == nil {
		e.Response, err = lattice.EncodeJSON(append([]lattice.LinkStatus{}, list...))
	}
	if limit := s.conn.MaxPayload() - 1024; err == nil && int64(len(e.Response)) > limit {
		err = fmt.Errorf("%d links take more than the %d bytes that NATS carries (max_payload)", len(list), limit)
	}
	if err != nil {
		e = Envelope{Message: shorten(err.Error())}
	}
	data, _ := lattice.EncodeJSON(e) // an Envelope has nothing that could fail
	return data
}

// Close stops answering and waits for the answer under way, which it cuts short.
// It may be called again.
func (s *LinkStatusServer) Close() error {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if err := s.sub.Unsubscribe(); err != nil && !lattice.IsDisconnected(err) {
		return fmt.Errorf("stop serving link states: %w", err)
	}
	return nil
}

// LinkStatuses returns all links of the lattice with their state, as one of
// its hosts finds it. The error matches lattice.ErrNotFound where no host
// speaks Lath.
func (c *Client) LinkStatuses(ctx context.Context) ([]lattice.LinkStatus, error) {
	var out []lattice.LinkStatus
	_, err := c.call(ctx, &CallError{
		Verb: "link.status", ID: c.cfg.Lattice, What: "host in lattice",
		Subject: lattice.LinkStatusSubject(c.cfg.Lattice),
	}, nil, &out)
	return out, err
}
