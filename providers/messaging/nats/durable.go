package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/follow"
	"github.com/lathhost/lath/providers/messaging"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Durable is a broker on JetStream: a message that a stream has taken is delivered
// to the handler of each link until it is dealt with, at least once. One that
// fails is tried again after a pause; one that has failed too often goes to a
// subject for those. It is safe for concurrent use; close it.
type Durable struct {
	sender
	cfg   Config
	own   durableConfig
	js    jetstream.JetStream
	links *messaging.Links
	count Counts

	forgetAfter time.Duration
	base        context.Context //nolint:containedctx // ended by Close
	stop        context.CancelFunc
	forgetting  sync.WaitGroup

	mu   sync.Mutex
	open map[string]int // how many links follow a consumer, by stream and name
}

// Counts are what a [Durable] has done with messages of its links.
type Counts struct {
	// Handled are those that were dealt with; Redelivered those that had come
	// before; Failed each failure of one; Dead those that were given up.
	Handled, Redelivered, Failed, Dead atomic.Uint64
}

var _ contract.Consumer = (*Durable)(nil)

// NewDurable makes a broker without links. It checks the settings, connects where
// they name a server, and makes its stream where they name subjects.
func NewDurable(ctx context.Context, cfg Config) (*Durable, error) {
	b := &Durable{cfg: cfg, open: map[string]int{}, forgetAfter: cmp.Or(cfg.Forget, DefaultForget)}
	b.base, b.stop = context.WithCancel(context.Background())
	var err error
	if b.own, err = readDurable(messaging.Rules{Lattice: cfg.Lattice}, cfg.Settings); err != nil {
		return nil, err
	}
	if b.sender, err = newSender(cfg, b.own.linkConfig); err != nil {
		return nil, err
	}
	if b.js, err = jetStream(b.conn.Conn, b.domain(b.own.Server)); err == nil {
		err = b.makeStream(ctx)
	}
	if err != nil {
		b.stop()
		b.sender.close()
		return nil, err
	}
	b.links = follow.NewLinks(messaging.LinksConfig{Open: b.follow})
	return b, nil
}

// makeStream makes the stream of the provider's own subjects, if there are any and it is
// not there.
func (b *Durable) makeStream(ctx context.Context) error {
	if len(b.own.Subjects) == 0 {
		return nil
	}
	b.conn.streams.Lock()
	defer b.conn.streams.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	stream, err := b.own.stream(ctx, b.js, b.rules, b.streamName(), b.own.Subjects)
	if err != nil {
		return err
	}
	return keep(ctx, b.js, stream, "")
}

// domain is the JetStream domain of a server.
func (b *Durable) domain(s Server) string {
	if s.JSDomain == "" && s.URL == "" {
		return b.cfg.JSDomain
	}
	return s.JSDomain
}

// streamName is the name of the provider's own stream.
func (b *Durable) streamName() string { return "lath_" + plain(b.cfg.Lattice) + "_" + plain(b.cfg.ID) }

// Counts returns what was done so far.
func (b *Durable) Counts() *Counts { return &b.count }

// SetLinks follows these links and no others: see [messaging.Links].
func (b *Durable) SetLinks(own provider.Settings, links []messaging.Link) []error {
	return b.links.SetLinks(own, links)
}

// Drain takes in no more for links, and waits for what was taken in until ctx ends.
func (b *Durable) Drain(ctx context.Context) error { return b.links.Drain(ctx) }

// Close cuts off what is left. It stays in its stream.
func (b *Durable) Close() error {
	b.stop()
	b.links.Close()
	b.forgetting.Wait()
	b.sender.close()
	return nil
}

// Publish implements the contract: nil means that a stream has stored the message.
// An answer to an inbox is stored nowhere.
func (b *Durable) Publish(ctx context.Context, msg contract.BrokerMessage) error {
	if first, _, _ := strings.Cut(msg.Subject, "."); first == defaultInbox || b.rules.Inbox != "" && strings.HasPrefix(msg.Subject, b.rules.Inbox+".") {
		return b.sender.Publish(ctx, msg)
	}
	if err := b.check(msg); err != nil {
		return err
	}
	m := message(ctx, msg)
	if msg.ReplyTo.OK {
		setHeader(m, lattice.HeaderReplyTo, msg.ReplyTo.Value)
	}
	return b.store(ctx, m)
}

// store has a stream take a message. Where NATS came back without the provider's own,
// it is made again.
func (b *Durable) store(ctx context.Context, m *nats.Msg) error {
	err := store(ctx, b.js, m)
	if errors.Is(err, errNoStream) && slices.ContainsFunc(b.own.Subjects, func(p string) bool { return messaging.Match(p, m.Subject) }) {
		if err = b.makeStream(ctx); err == nil {
			err = store(ctx, b.js, m)
		}
	}
	return err
}

func setHeader(m *nats.Msg, name, value string) {
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	m.Header.Set(name, value)
}

var errNoStream = errors.New("no stream takes it")

// store has a stream take a message.
func store(ctx context.Context, js jetstream.JetStream, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	_, err := js.PublishMsg(ctx, m)
	if errors.Is(err, jetstream.ErrNoStreamResponse) {
		return fmt.Errorf("publish to %q: %w: name it in the provider's setting subjects, or link a component that subscribes to it", m.Subject, errNoStream)
	}
	return failed("publish to "+strconv.Quote(m.Subject), err)
}

// Request implements the contract. The request is stored as any message; who
// handles it answers at once.
func (b *Durable) Request(ctx context.Context, subject string, body []byte, timeoutMs uint32) (contract.BrokerMessage, error) {
	msg := contract.BrokerMessage{Subject: subject, Body: body}
	if err := b.check(msg); err != nil {
		return contract.BrokerMessage{}, err
	}
	m, inbox := message(ctx, msg), b.inbox()
	setHeader(m, lattice.HeaderReplyTo, inbox)
	return b.ask(ctx, subject, inbox, timeoutMs, func(ctx context.Context) error { return b.store(ctx, m) })
}

// durableLink is a link that is followed.
type durableLink struct {
	durableConfig
	broker   *Durable
	worker   *messaging.Worker
	losses   *follow.Losses
	consumer jetstream.Consumer
	puller   *puller
	js       jetstream.JetStream
	leave    func()
	gone     atomic.Bool
	slots    chan struct{} // as many as the worker has room for
	conn     *shared
	name     string // of the consumer
	ours     bool   // it was made here
	feeding  sync.WaitGroup

	stopping context.Context //nolint:containedctx // ended by End
	stop     context.CancelFunc
}

func (b *Durable) follow(l messaging.Link, settings provider.Settings) (follow.Following, error) {
	cfg, err := readDurable(b.rules, settings)
	if err != nil {
		return nil, err
	}
	if len(cfg.Subscriptions) == 0 {
		return nil, errors.New("messaging configuration: subscriptions: there is none, so nothing would be delivered")
	}
	conn, leave, err := b.conns.take(cfg.Server)
	if err != nil {
		return nil, err
	}
	f := &durableLink{durableConfig: cfg, broker: b, leave: leave, losses: follow.NewLosses(b.cfg.Log.With(zap.String("link", l.Name), zap.String("target", l.Target)))}
	f.conn, f.name = conn, cmp.Or(f.Consumer, plain(b.cfg.ID+"-"+l.Name+"-"+l.Target))
	f.js, err = jetStream(conn.Conn, b.domain(f.Server))
	if err == nil {
		f.consumer, err = f.open(context.Background())
	}
	if err == nil {
		f.puller, err = newPuller(conn.Conn, b.domain(f.Server))
	}
	if err != nil {
		leave()
		return nil, err
	}
	b.follows(f.consumer, 1)
	f.slots = make(chan struct{}, cfg.MaxInFlight)
	for range cap(f.slots) {
		f.slots <- struct{}{}
	}
	f.stopping, f.stop = context.WithCancel(context.Background())
	f.worker = messaging.NewWorker(cfg.Handling, l.Handler)
	f.feeding.Go(f.feed)
	return f, nil
}

// open finds or makes the stream and the consumer of a link. A consumer that the
// settings name and that is there is left as it is.
func (f *durableLink) open(ctx context.Context) (jetstream.Consumer, error) {
	f.conn.streams.Lock()
	defer f.conn.streams.Unlock()
	ctx, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	b := f.broker
	var patterns []string
	for _, s := range f.Subscriptions {
		patterns = append(patterns, s.Pattern)
	}
	stream, err := f.stream(ctx, f.js, b.rules, b.streamName(), patterns)
	if err != nil {
		return nil, err
	}
	if f.DeadLetter != "" { // whose messages nobody need be waiting for
		dead := f.durableConfig
		dead.Retention, dead.Stream = jetstream.LimitsPolicy, ""
		if _, err := dead.stream(ctx, f.js, b.rules, b.streamName()+"_dead", []string{f.DeadLetter}); err != nil {
			return nil, err
		}
	}
	if f.Consumer != "" && !f.ours {
		c, err := f.js.Consumer(ctx, stream, f.name)
		if !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return c, failed("consumer "+f.name, err)
		}
	}
	f.ours = true
	c, err := f.js.CreateOrUpdateConsumer(ctx, stream, f.consumerConfig(f.name))
	if err == nil {
		err = keep(ctx, f.js, stream, "")
	}
	return c, failed("make consumer "+f.name+" of stream "+stream, err)
}

// again makes the consumer anew where somebody has deleted it, and its stream where NATS
// came back without it.
func (f *durableLink) again(err error) error {
	if !errors.Is(err, jetstream.ErrConsumerDeleted) && !errors.Is(err, nats.ErrNoResponders) {
		return err
	}
	c, err := f.open(f.stopping)
	if err != nil {
		return err
	}
	f.broker.follows(c, 1)
	f.broker.follows(f.consumer, -1)
	f.consumer = c
	return nil
}

// Pauses of feed: for room, and after an error.
const (
	roomPause = time.Millisecond
	feedPause = 500 * time.Millisecond
)

// feed pulls messages for as long as the link is followed.
func (f *durableLink) feed() {
	defer f.puller.stop()
	for f.stopping.Err() == nil {
		n := f.room()
		if n == 0 {
			return
		}
		got, err := f.puller.pull(f.stopping, f.consumer.CachedInfo(), n, f.take)
		if f.stopping.Err() != nil {
			got += f.puller.drain(n-got, f.take)
		}
		for range n - got {
			f.slots <- struct{}{}
		}
		if err == nil || f.stopping.Err() != nil {
			continue
		}
		if err = f.again(err); err != nil {
			f.losses.Note("", "no messages come: trying again", 0, err)
		}
		select {
		case <-f.stopping.Done():
		case <-time.After(feedPause):
		}
	}
}

// room waits until the worker has room, and returns for how many: no message waits
// here while its time runs. Where there is little, it waits a moment for more. 0:
// the link is given up.
func (f *durableLink) room() int {
	select {
	case <-f.slots:
	case <-f.stopping.Done():
		return 0
	}
	n, most := 1, cap(f.slots)
	var late <-chan time.Time
	for n < most {
		select {
		case <-f.slots:
			n++
			continue
		default:
		}
		if n >= most/2 {
			break
		}
		if late == nil {
			late = time.After(roomPause)
		}
		select {
		case <-f.slots:
			n++
		case <-late:
			return n
		}
	}
	return n
}

// take gives one message to the worker.
func (f *durableLink) take(m *nats.Msg) {
	md, err := m.Metadata()
	if err != nil {
		_ = m.Term() // not of a stream
		f.slots <- struct{}{}
		return
	}
	if md.NumDelivered > 1 {
		f.broker.count.Redelivered.Add(1)
	}
	msg := contract.BrokerMessage{Subject: m.Subject, Body: m.Data}
	if reply := m.Header.Get(lattice.HeaderReplyTo); reply != "" {
		msg.ReplyTo.OK, msg.ReplyTo.Value = true, reply
	}
	f.worker.Put(messaging.Delivery{Message: msg, TraceParent: traceIn(m.Header),
		Done: func(err error) {
			f.settle(m, md, err)
			f.slots <- struct{}{}
		}, Waiting: func() { _ = m.InProgress() }}) // if that is lost, it comes again
}

// settle tells the stream what became of a message. Where that is lost, it comes
// again.
func (f *durableLink) settle(m *nats.Msg, md *nats.MsgMetadata, err error) {
	count := &f.broker.count
	switch {
	case err == nil:
		count.Handled.Add(1)
		_ = m.Ack()
		return
	case errors.Is(err, messaging.ErrCutOff):
		_ = m.Nak()
		return
	}
	count.Failed.Add(1)
	if md.NumDelivered < uint64(f.MaxDeliver) {
		_ = m.NakWithDelay(f.pause(md.NumDelivered))
		return
	}
	if f.DeadLetter != "" {
		if err := f.bury(m, md, err); err != nil {
			f.losses.Note(m.Subject, "a message could not be put aside: it is tried again", 0, err)
			_ = m.NakWithDelay(f.pause(md.NumDelivered))
			return
		}
	}
	count.Dead.Add(1)
	f.losses.Note(m.Subject, "a message was given up", 1, err)
	_ = m.Respond(fmt.Appendf(nil, "+TERM tried %d times", md.NumDelivered)) // with the reason, for JetStream's advisory
}

// maxReason bounds what a message that was given up says of why.
const maxReason = 1 << 10

// bury puts a message aside, with what it was and why. It is stored once, however
// often that is tried.
func (f *durableLink) bury(m *nats.Msg, md *nats.MsgMetadata, why error) error {
	dead := &nats.Msg{Subject: f.DeadLetter, Data: m.Data, Header: nats.Header{}}
	for name, values := range m.Header {
		if !strings.HasPrefix(strings.ToLower(name), "nats-") {
			dead.Header[name] = values
		}
	}
	reason := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, why.Error())
	dead.Header.Set(lattice.HeaderSubject, m.Subject)
	dead.Header.Set(lattice.HeaderReason, reason[:min(len(reason), maxReason)])
	dead.Header.Set(lattice.HeaderDeliveries, strconv.FormatUint(md.NumDelivered, 10))
	dead.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("%s.%s.%d", md.Stream, md.Consumer, md.Sequence.Stream))
	return store(context.Background(), f.js, dead)
}

// Stop implements follow.Following.
func (f *durableLink) Stop() { f.stop() }

// End implements follow.Following.
func (f *durableLink) End(ctx context.Context) error {
	unblock := context.AfterFunc(ctx, f.worker.Cut)
	defer unblock()
	f.feeding.Wait()
	err := f.worker.End(ctx)
	f.broker.follows(f.consumer, -1)
	f.broker.forgetting.Go(func() {
		defer f.leave()
		if f.gone.Load() && f.ours {
			f.forget()
		}
	})
	return err
}
