package nats

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/messaging"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// sender publishes what components send.
type sender struct {
	rules  messaging.Rules
	limits messaging.Limits
	conns  *conns
	conn   *shared
	leave  func()
}

func newSender(cfg Config, own linkConfig) (sender, error) {
	s := sender{limits: own.Limits, conns: newConns(cfg.Conn), rules: messaging.Rules{Lattice: cfg.Lattice}}
	var err error
	if s.conn, s.leave, err = s.conns.take(own.Server); err != nil {
		return sender{}, err
	}
	s.rules.Inbox = s.conn.Opts.InboxPrefix
	return s, nil
}

func (s *sender) close() { s.leave() }

// check refuses what may not be published.
func (s *sender) check(msg contract.BrokerMessage) error {
	if err := messaging.CheckMessage(s.rules, &s.limits, msg); err != nil {
		return err
	}
	if most := s.conn.MaxPayload(); most > 0 && int64(len(msg.Body)) > most {
		return fmt.Errorf("body of %d bytes is over the limit of %d, which the server's max_payload sets", len(msg.Body), most)
	}
	return nil
}

// Publish implements the contract.
func (s *sender) Publish(ctx context.Context, msg contract.BrokerMessage) error {
	if err := s.check(msg); err != nil {
		return err
	}
	m := message(ctx, msg)
	m.Reply = msg.ReplyTo.Value
	if err := s.conn.PublishMsg(m); err != nil {
		return fmt.Errorf("publish to %q: %w", msg.Subject, lattice.Disconnected(err))
	}
	return nil
}

// Request implements the contract.
func (s *sender) Request(ctx context.Context, subject string, body []byte, timeoutMs uint32) (contract.BrokerMessage, error) {
	var none contract.BrokerMessage
	msg := contract.BrokerMessage{Subject: subject, Body: body}
	if err := s.check(msg); err != nil {
		return none, err
	}
	m := message(ctx, msg)
	m.Reply = s.inbox()
	return s.ask(ctx, m.Subject, m.Reply, timeoutMs, func(context.Context) error { return s.conn.PublishMsg(m) })
}

// inbox is a new subject for one answer. Nobody guesses it.
func (s *sender) inbox() string {
	return cmp.Or(s.rules.Inbox, defaultInbox) + "." + rand.Text()
}

// defaultInbox begins the inboxes of a connection that has no other.
const defaultInbox = "_INBOX"

// ask publishes a message, and waits for what comes to its reply subject.
func (s *sender) ask(ctx context.Context, subject, reply string, timeoutMs uint32, publish func(context.Context) error) (none contract.BrokerMessage, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(timeoutMs)*time.Millisecond)
	defer cancel()
	sub, err := s.conn.SubscribeSync(reply)
	if err != nil {
		return none, fmt.Errorf("request to %q: %w", subject, lattice.Disconnected(err))
	}
	defer sub.Unsubscribe() //nolint:errcheck // it is gone with the connection, or it works
	if err := publish(ctx); err != nil && ctx.Err() == nil {
		return none, fmt.Errorf("request to %q: %w", subject, lattice.Disconnected(err))
	}
	got, err := sub.NextMsgWithContext(ctx)
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return none, fmt.Errorf("request to %q: %w", subject, messaging.ErrNoSubscribers)
	case ctx.Err() != nil:
		return none, messaging.TimedOut(subject, timeoutMs)
	case err != nil:
		return none, fmt.Errorf("request to %q: %w", subject, lattice.Disconnected(err))
	}
	out := contract.BrokerMessage{Subject: got.Subject, Body: got.Data}
	if got.Reply != "" {
		out.ReplyTo.OK, out.ReplyTo.Value = true, got.Reply
	}
	return out, nil
}

// message is what is published: with the trace of the call that it is of.
func message(ctx context.Context, msg contract.BrokerMessage) *nats.Msg {
	m := &nats.Msg{Subject: msg.Subject, Data: msg.Body}
	if trace := messaging.TraceOf(ctx); trace != "" {
		m.Header = nats.Header{lattice.HeaderTraceParent: {trace}}
	}
	return m
}

// traceIn is the trace that a message tells.
func traceIn(h nats.Header) string {
	trace := h.Get(lattice.HeaderTraceParent)
	if wrpc.TraceID(trace) == "" {
		return ""
	}
	return trace
}
