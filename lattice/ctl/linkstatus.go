package ctl

import (
	"context"
	"fmt"
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
type LinkStatusServer struct{ sub *nats.Subscription }

// ServeLinkStatuses starts to answer with what statuses returns. Questions are
// answered one at a time; more than 64 that wait are dropped.
func ServeLinkStatuses(conn *nats.Conn, name string, statuses func(ctx context.Context) ([]lattice.LinkStatus, error)) (*LinkStatusServer, error) {
	subject := lattice.LinkStatusSubject(name)
	sub, err := conn.QueueSubscribe(subject, subject, func(msg *nats.Msg) {
		ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
		defer cancel()
		e := Envelope{Success: true}
		list, err := statuses(ctx)
		if err == nil {
			e.Response, err = lattice.EncodeJSON(append([]lattice.LinkStatus{}, list...))
		}
		data, err2 := lattice.EncodeJSON(e)
		if limit := conn.MaxPayload(); err == nil && err2 == nil && int64(len(data)) > limit {
			err = fmt.Errorf("%d links take more than the %d bytes that NATS carries (max_payload)", len(list), limit)
		}
		if err != nil {
			data, err2 = lattice.EncodeJSON(Envelope{Message: err.Error()})
		}
		if err2 == nil && msg.Reply != "" {
			// It fails while disconnected; then the client is not there either.
			_ = conn.Publish(msg.Reply, data)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("serve link states: %w", lattice.Disconnected(err))
	}
	if err := sub.SetPendingLimits(maxStatusQuestions, MaxRequestSize); err != nil {
		return nil, fmt.Errorf("serve link states: %w", err)
	}
	return &LinkStatusServer{sub: sub}, nil
}

// Close stops answering. It may be called again.
func (s *LinkStatusServer) Close() error {
	if !s.sub.IsValid() {
		return nil
	}
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
