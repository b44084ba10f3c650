package nats

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/follow"
	"github.com/lathhost/lath/providers/messaging"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Core is a broker on NATS without JetStream: a message reaches who listens when it
// is published, at most once. It is safe for concurrent use; close it.
type Core struct {
	sender
	cfg   Config
	links *messaging.Links
}

var _ contract.Consumer = (*Core)(nil)

// NewCore makes a broker without links. It checks the settings, and connects where
// they name a server.
func NewCore(cfg Config) (*Core, error) {
	b := &Core{cfg: cfg}
	own, err := readCore(messaging.Rules{Lattice: cfg.Lattice}, cfg.Settings)
	if err != nil {
		return nil, err
	}
	if b.sender, err = newSender(cfg, own); err != nil {
		return nil, err
	}
	b.links = follow.NewLinks(messaging.LinksConfig{Open: b.follow, Overlap: true})
	return b, nil
}

// refuseConsumers is for v1's setting of JetStream consumers, which its provider
// knows and refuses.
func refuseConsumers(value string) error {
	if value == "" || value == "[]" {
		return nil
	}
	return errors.New("this provider has no JetStream consumers: use messaging-jetstream, whose links have subscriptions and a stream")
}

// SetLinks follows these links and no others: see [messaging.Links].
func (b *Core) SetLinks(own provider.Settings, links []messaging.Link) []error {
	return b.links.SetLinks(own, links)
}

// Drain takes in no more for links, and waits for what was taken in until ctx ends.
func (b *Core) Drain(ctx context.Context) error { return b.links.Drain(ctx) }

// Close cuts off what is left.
func (b *Core) Close() error {
	b.links.Close()
	b.sender.close()
	return nil
}

// coreLink is a link that is followed.
type coreLink struct {
	worker *messaging.Worker
	losses *follow.Losses
	conn   *nats.Conn
	leave  func()
	subs   []*coreSub
}

// coreSub is one subscription, with when it has given its last message.
type coreSub struct {
	*nats.Subscription
	ended   chan struct{}
	dropped uint64 // of its messages; those that NATS' client tells
}

// maxPendingBytes bounds what waits for one subscription.
const maxPendingBytes = 64 << 20

func (b *Core) follow(l messaging.Link, settings provider.Settings) (follow.Following, error) {
	cfg, err := readCore(b.rules, settings)
	if err != nil {
		return nil, err
	}
	conn, leave, err := b.conns.take(cfg.Server)
	if err != nil {
		return nil, err
	}
	f := &coreLink{worker: messaging.NewWorker(cfg.Handling, l.Handler), conn: conn.Conn, leave: leave,
		losses: follow.NewLosses(b.cfg.Log.With(zap.String("link", l.Name), zap.String("target", l.Target)))}
	for _, s := range cfg.Subscriptions {
		if s.Queue == "" {
			s.Queue = b.cfg.Lattice + "." + b.cfg.ID + "." + l.ID() // copies of the provider share
		}
		if err = f.subscribe(s, cfg.MaxPending); err != nil {
			break
		}
	}
	if err == nil {
		err = flush(conn.Conn)
	}
	if err != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		f.Stop()
		_ = f.End(ctx) // it was cut short before it began
		return nil, err
	}
	return f, nil
}

// flush waits until the server knows of subscriptions; one that is not there now
// will.
func flush(conn *nats.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), connectWait)
	defer cancel()
	if err := lattice.Flush(ctx, conn); err != nil && !lattice.IsDisconnected(err) {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

func (f *coreLink) subscribe(s messaging.Subscription, pending int64) error {
	sub := &coreSub{ended: make(chan struct{})}
	ns, err := f.conn.QueueSubscribe(s.Pattern, s.Queue, func(m *nats.Msg) { f.take(sub, m) })
	if err != nil {
		return fmt.Errorf("subscribe to %q: %w", s.Pattern, lattice.Disconnected(err))
	}
	ns.SetClosedHandler(func(string) { close(sub.ended) })
	sub.Subscription = ns
	f.subs = append(f.subs, sub)
	return ns.SetPendingLimits(int(pending), maxPendingBytes)
}

// take takes in a message, and waits while there is no room: more wait in the
// client then, as many as may.
func (f *coreLink) take(sub *coreSub, m *nats.Msg) {
	if n, err := m.Sub.Dropped(); err == nil && uint64(n) > sub.dropped {
		f.losses.Note(m.Subject, "messages were dropped: the handler is slow", uint64(n)-sub.dropped, nats.ErrSlowConsumer)
		sub.dropped = uint64(n)
	}
	msg := contract.BrokerMessage{Subject: m.Subject, Body: m.Data}
	if m.Reply != "" {
		msg.ReplyTo.OK, msg.ReplyTo.Value = true, m.Reply
	}
	f.worker.Put(messaging.Delivery{Message: msg, TraceParent: traceIn(m.Header), Done: func(err error) {
		if err != nil {
			f.losses.Note(msg.Subject, "a message was not dealt with", 1, err)
		}
	}})
}

// Stop implements follow.Following.
func (f *coreLink) Stop() {
	for _, s := range f.subs {
		// Without a connection, what has come is given up: one that drained would be
		// subscribed anew with the next, and then only the server would know of it.
		if !f.conn.IsConnected() || s.Drain() != nil {
			_ = s.Unsubscribe()
		}
	}
}

// End implements follow.Following.
func (f *coreLink) End(ctx context.Context) error {
	defer f.leave()
	stop := context.AfterFunc(ctx, f.worker.Cut)
	defer stop()
	for _, s := range f.subs {
		select {
		case <-s.ended:
		case <-ctx.Done():
			_ = s.Unsubscribe()
			<-s.ended
		}
	}
	return f.worker.End(ctx)
}
