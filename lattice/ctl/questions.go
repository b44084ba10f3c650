package ctl

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// maxQuestions bounds the questions of one kind that wait at a host.
const maxQuestions = 64

// answerer answers one question with at most room bytes.
type answerer func(ctx context.Context, q listQuery, room int) (response []byte, err error)

// questions answers what v1 has no verb for: the messages of one subject, one at a
// time. More than 64 that wait are dropped.
type questions struct {
	what    string // for messages
	subject string
	queue   string // empty where each host answers for itself
	answer  answerer
	conn    *nats.Conn
	ctx     context.Context //nolint:containedctx // ends the answer under way
	sub     *nats.Subscription

	mu     sync.Mutex // held while answering
	closed bool
}

// serve starts to answer.
func (q *questions) serve() error {
	var err error
	if q.queue == "" {
		q.sub, err = q.conn.Subscribe(q.subject, q.reply)
	} else {
		q.sub, err = q.conn.QueueSubscribe(q.subject, q.queue, q.reply)
	}
	if err != nil {
		return fmt.Errorf("serve %s: %w", q.what, lattice.Disconnected(err))
	}
	if err := q.sub.SetPendingLimits(maxQuestions, MaxRequestSize); err != nil {
		return errors.Join(fmt.Errorf("serve %s: %w", q.what, err), q.close())
	}
	return nil
}

func (q *questions) reply(msg *nats.Msg) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || msg.Reply == "" {
		return
	}
	response, err := q.respond(msg.Data)
	e := Envelope{Success: true, Response: response}
	if err != nil {
		e = Envelope{Message: shorten(q.what + ": " + err.Error())}
	}
	data, _ := lattice.EncodeJSON(e) // an Envelope has nothing that could fail
	// It fails while disconnected; then the client is not there either.
	_ = q.conn.Publish(msg.Reply, data)
}

func (q *questions) respond(body []byte) ([]byte, error) {
	var query listQuery
	if len(body) > 0 {
		if err := lattice.DecodeJSON(body, MaxRequestSize, &query); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(q.ctx, listTimeout)
	defer cancel()
	return q.answer(ctx, query, int(q.conn.MaxPayload())-envelopeRoom)
}

// envelopeRoom is what one message needs beside a response, in bytes.
const envelopeRoom = 1024

// fit encodes a part of an answer that room bytes hold: page(n) with the greatest
// n, halved from most, that fits. It fails where not even one item does.
func fit(room, most int, page func(n int) any) ([]byte, error) {
	data, err := lattice.EncodeJSON(page(most))
	for err == nil && len(data) > room {
		if most <= 1 {
			return nil, fmt.Errorf("one item takes more than the %d bytes that NATS carries (max_payload)", room)
		}
		most /= 2
		data, err = lattice.EncodeJSON(page(most))
	}
	return data, err
}

// close stops answering and waits for the answer under way. It may be called
// again.
func (q *questions) close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	if err := q.sub.Unsubscribe(); err != nil && !lattice.IsDisconnected(err) {
		return fmt.Errorf("stop serving %s: %w", q.what, err)
	}
	return nil
}
