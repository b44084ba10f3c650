package ctl

import (
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// maxQuestions bounds the questions of one kind that wait at a host.
const maxQuestions = 64

// questions answers what v1 has no verb for: the messages of one subject, one at a
// time. More than 64 that wait are dropped.
type questions struct {
	what   string // for messages
	conn   *nats.Conn
	sub    *nats.Subscription
	answer func(body []byte) (response []byte, err error)

	mu     sync.Mutex // held while answering
	closed bool
}

// serve starts to answer; queue is empty where each host answers for itself.
func (q *questions) serve(subject, queue string) error {
	var err error
	if queue == "" {
		q.sub, err = q.conn.Subscribe(subject, q.reply)
	} else {
		q.sub, err = q.conn.QueueSubscribe(subject, queue, q.reply)
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
	response, err := q.answer(msg.Data)
	e := Envelope{Success: true, Response: response}
	if err != nil {
		e = Envelope{Message: shorten(err.Error())}
	}
	data, _ := lattice.EncodeJSON(e) // an Envelope has nothing that could fail
	// It fails while disconnected; then the client is not there either.
	_ = q.conn.Publish(msg.Reply, data)
}

// fit encodes a part of an answer that one message carries: page(n) with the
// greatest n, halved from most, that fits. It fails where not even one does.
func (q *questions) fit(most int, page func(n int) any) ([]byte, error) {
	data, err := lattice.EncodeJSON(page(most))
	for err == nil && len(data) > q.room() {
		if most <= 1 {
			return nil, fmt.Errorf("one item takes more than the %d bytes that NATS carries (max_payload)", q.room())
		}
		most /= 2
		data, err = lattice.EncodeJSON(page(most))
	}
	return data, err
}

// room is how many bytes of a response one message carries.
func (q *questions) room() int { return int(q.conn.MaxPayload()) - 1024 }

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
