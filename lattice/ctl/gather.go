package ctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// minQuiet is the shortest silence that ends a gathering, and maxAnswers the
// most answers that one takes in.
const (
	minQuiet   = 250 * time.Millisecond
	maxAnswers = 10_000
)

// PingHosts asks all hosts of the lattice who they are, and returns those that
// answered, ordered by id. None is not an error, but silence of hosts that NATS
// knows to be there is ErrTimeout.
//
// Nobody knows how many will answer. v1 clients always wait five seconds; this
// one ends early when, after an answer, it has been quiet for twice as long as
// that answer took, and for at least 250 ms. If ctx's deadline comes first, the
// hosts so far are returned.
func (c *Client) PingHosts(ctx context.Context) ([]Host, error) {
	all, err := gatherAs[Host](ctx, c, lattice.KindHost, "ping", nil)
	if err != nil {
		return nil, err
	}
	hosts := make(map[string]Host, len(all))
	for _, host := range all {
		if host.ID != "" {
			hosts[host.ID] = host
		}
	}
	return slices.SortedFunc(maps.Values(hosts), func(a, b Host) int { return strings.Compare(a.ID, b.ID) }), nil
}

// gatherAs sends a question to all hosts and returns those answers that make
// sense: one that does not hides its sender, not the others.
func gatherAs[T any](ctx context.Context, c *Client, kind, verb string, req any) ([]T, error) {
	at := &CallError{Verb: kind + "." + verb, What: "lattice", ID: c.cfg.Lattice, Subject: c.subjects.Verb(kind, verb), URL: c.url()}
	var body []byte
	if req != nil {
		var err error
		if body, err = lattice.EncodeJSON(req); err != nil {
			return nil, fmt.Errorf("%s: %w", at.Verb, err)
		}
	}
	var list []T
	at.Err = c.gather(ctx, at.Subject, body, func(data []byte) {
		e, err := decodeEnvelope(data)
		if err != nil || !e.Success {
			return
		}
		var one T
		if lattice.DecodeJSON(e.Response, MaxRequestSize, &one) == nil {
			list = append(list, one)
		}
	})
	if at.Err != nil {
		return nil, at
	}
	return list, nil
}

// gather sends a request and passes each answer's body on.
func (c *Client) gather(ctx context.Context, subject string, body []byte, each func([]byte)) error {
	inbox := c.cfg.Conn.NewInbox()
	sub, err := c.cfg.Conn.SubscribeSync(inbox)
	if err != nil {
		return lattice.Disconnected(err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // fails only on a closed connection
	start := time.Now()
	if err := c.cfg.Conn.PublishRequest(subject, inbox, body); err != nil {
		return lattice.Disconnected(err)
	}
	end := start.Add(c.cfg.GatherTimeout)
	until := end
	for n := range maxAnswers {
		msg, err := nextUntil(ctx, sub, until)
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return fmt.Errorf("gather answers: %w", context.Cause(ctx))
		case errors.Is(err, context.DeadlineExceeded) && n > 0:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("gather answers: %w", lattice.ErrTimeout)
		case err != nil:
			return lattice.Disconnected(err)
		case len(msg.Data) == 0:
			// No responders, or v1's sign that there are no more answers.
			return nil
		}
		each(msg.Data)
		now := time.Now()
		until = now.Add(max(minQuiet, 2*now.Sub(start)))
		if until.After(end) {
			until = end
		}
	}
	return nil
}

// nextUntil waits for a message; no responders come as one without data.
func nextUntil(ctx context.Context, sub *nats.Subscription, until time.Time) (*nats.Msg, error) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	msg, err := sub.NextMsgWithContext(ctx)
	if errors.Is(err, nats.ErrNoResponders) {
		return &nats.Msg{}, nil
	}
	return msg, err
}
