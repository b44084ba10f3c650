package ctl

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// statusTimeout bounds one answer of a [LinkStatusServer].
const statusTimeout = 4 * time.Second

// LinkStatusServer tells all links of the lattice with what is known of their
// ends. v1 has no such question. The hosts of a lattice share it.
type LinkStatusServer struct {
	questions questions
	stop      context.CancelFunc // ends the answer under way
}

// ServeLinkStatuses starts to answer with what statuses returns. Questions are
// answered one at a time; more than 64 that wait are dropped.
func ServeLinkStatuses(conn *nats.Conn, name string, statuses func(ctx context.Context) ([]lattice.LinkStatus, error)) (*LinkStatusServer, error) {
	ctx, stop := context.WithCancel(context.Background())
	s := &LinkStatusServer{stop: stop, questions: questions{what: "link states", conn: conn}}
	s.questions.answer = func([]byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, statusTimeout)
		defer cancel()
		list, err := statuses(ctx)
		if err != nil {
			return nil, err
		}
		data, err := lattice.EncodeJSON(append([]lattice.LinkStatus{}, list...))
		if limit := s.questions.room(); err == nil && len(data) > limit {
			err = fmt.Errorf("%d links take more than the %d bytes that NATS carries (max_payload)", len(list), limit)
		}
		return data, err
	}
	subject := lattice.LinkStatusSubject(name)
	if err := s.questions.serve(subject, subject); err != nil {
		stop()
		return nil, err
	}
	return s, nil
}

// Close stops answering and waits for the answer under way, which it cuts short.
// It may be called again.
func (s *LinkStatusServer) Close() error {
	s.stop()
	return s.questions.close()
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
