package provider

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Handler is what a provider does with what its host tells and asks. Links and
// configuration come one at a time, in the order in which they were told; Health
// and Shutdown come beside them.
type Handler interface {
	// PutLink tells of a link that starts or ends here.
	PutLink(ctx context.Context, d LinkDefinition)
	// DeleteLink tells that a link is gone. Its configuration is empty.
	DeleteLink(ctx context.Context, d LinkDefinition)
	// UpdateConfig tells the whole configuration after a change.
	UpdateConfig(ctx context.Context, values map[string]string)
	// Health answers how the provider is.
	Health(ctx context.Context) Health
	// Shutdown tells that the provider is to end. It returns when it has begun to;
	// the host is answered then.
	Shutdown(ctx context.Context)
	// Malformed tells of a message that made no sense and was left out.
	Malformed(subject string, err error)
}

// maxWaiting bounds the messages of a kind that wait for the handler. What comes
// when there are as many is lost, which nats.go tells by its error hook.
const maxWaiting = 4096

// Serving is a provider's end while it listens. Close it.
type Serving struct {
	data    *HostData
	handler Handler
	conn    *nats.Conn

	ctx    context.Context //nolint:containedctx // of the handler's calls; ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	subs   []*nats.Subscription
	// One channel for all that changes something: what comes by one connection
	// is put there in the order in which it came.
	changes, questions chan *nats.Msg
}

// Serve listens to a provider's host, and returns when the server knows that.
func Serve(ctx context.Context, conn *lattice.Conn, data *HostData, h Handler) (*Serving, error) {
	s := &Serving{data: data, handler: h, conn: conn,
		changes: make(chan *nats.Msg, maxWaiting), questions: make(chan *nats.Msg, 64)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	l, id := data.Lattice, data.ProviderID
	for subject, to := range map[string]chan *nats.Msg{
		lattice.ProviderLinkPut(l, data.linkKey()):               s.changes,
		lattice.ProviderLinkDelete(l, id):                        s.changes,
		lattice.ProviderConfig(l, id):                            s.changes,
		lattice.ProviderHealth(l, id):                            s.questions,
		lattice.ProviderShutdown(l, id, lattice.DefaultLinkName): s.questions,
	} {
		sub, err := conn.ChanSubscribe(subject, to)
		if err != nil {
			s.cancel()
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", subject, lattice.Disconnected(err)), s.unsubscribe())
		}
		s.subs = append(s.subs, sub)
	}
	if err := lattice.Flush(ctx, conn); err != nil {
		s.cancel()
		return nil, errors.Join(err, s.unsubscribe())
	}
	s.wg.Go(func() { s.each(s.changes, s.change) })
	s.wg.Go(func() { s.each(s.questions, s.question) })
	return s, nil
}

// Close stops listening, and waits for what the handler does just now; its
// context ends.
func (s *Serving) Close() error {
	s.cancel()
	err := s.unsubscribe()
	s.wg.Wait()
	return err
}

func (s *Serving) unsubscribe() error {
	var errs []error
	for _, sub := range s.subs {
		errs = append(errs, unsubscribe(sub))
	}
	s.subs = nil
	return errors.Join(errs...)
}

func (s *Serving) each(from <-chan *nats.Msg, do func(*nats.Msg)) {
	for {
		select {
		case <-s.ctx.Done():
			return
		case msg := <-from:
			do(msg)
		}
	}
}

func (s *Serving) change(msg *nats.Msg) {
	l, id := s.data.Lattice, s.data.ProviderID
	if msg.Subject == lattice.ProviderConfig(l, id) {
		var values map[string]string
		if err := lattice.DecodeJSON(msg.Data, MaxMessage, &values); err != nil {
			s.handler.Malformed(msg.Subject, err)
			return
		}
		s.handler.UpdateConfig(s.ctx, lattice.StringMap(values))
		return
	}
	var d LinkDefinition
	err := lattice.DecodeJSON(msg.Data, MaxMessage, &d)
	if err == nil && d.SourceID != id && d.Target != id {
		err = fmt.Errorf("link of %.80q to %.80q: %w: it neither starts nor ends here", d.SourceID, d.Target, lattice.ErrInvalid)
	}
	switch {
	case err != nil:
		s.handler.Malformed(msg.Subject, err)
	case msg.Subject == lattice.ProviderLinkDelete(l, id):
		s.handler.DeleteLink(s.ctx, d)
	default:
		s.handler.PutLink(s.ctx, d)
	}
}

func (s *Serving) question(msg *nats.Msg) {
	if msg.Subject == lattice.ProviderHealth(s.data.Lattice, s.data.ProviderID) {
		answer, err := lattice.EncodeJSON(s.handler.Health(s.ctx))
		if err == nil {
			s.answer(msg, answer)
		}
		return
	}
	var req shutdown
	if err := lattice.DecodeJSON(msg.Data, MaxMessage, &req); err != nil {
		s.handler.Malformed(msg.Subject, err)
		return
	}
	// Two hosts may run the same provider: what one says to its own is not for
	// that of the other.
	if req.HostID != "" && req.HostID != s.data.HostID {
		return
	}
	s.handler.Shutdown(s.ctx)
	s.answer(msg, []byte("provider shutdown handled successfully"))
}

func (s *Serving) answer(msg *nats.Msg, data []byte) {
	if msg.Reply != "" {
		// It fails while disconnected; then the host is not there either.
		_ = s.conn.Publish(msg.Reply, data)
	}
}
