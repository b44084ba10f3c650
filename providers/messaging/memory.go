package messaging

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/internal/follow"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Memory is a broker within one process: messages end with it. A publisher waits
// while a subscription that its message is for has no room. It is safe for
// concurrent use; close it.
type Memory struct {
	rules  Rules
	limits Limits
	log    *zap.Logger
	links  *Links

	mu      sync.RWMutex
	subs    []*memorySub
	inboxes map[string]chan contract.BrokerMessage // of requests
}

var _ contract.Consumer = (*Memory)(nil)

// memorySub is what one link subscribes to.
type memorySub struct {
	link    string
	of      []Subscription
	queue   chan memoryMessage
	gone    chan struct{} // closed when nothing more is taken in
	worker  *Worker
	losses  *follow.Losses
	feeding sync.WaitGroup
	broker  *Memory
}

// MemoryConfig says what a [Memory] is.
type MemoryConfig struct {
	// Settings are the provider's own: max_body_bytes, and those of links.
	Settings provider.Settings
	// Lattice is the name of the lattice, whose subjects are out of reach.
	Lattice string
	// Log is required.
	Log *zap.Logger
}

// NewMemory makes a broker without links. It checks the settings.
func NewMemory(cfg MemoryConfig) (*Memory, error) {
	m := &Memory{rules: Rules{Lattice: cfg.Lattice}, log: cfg.Log, inboxes: map[string]chan contract.BrokerMessage{}}
	if _, err := m.read(&m.limits, cfg.Settings); err != nil {
		return nil, err
	}
	m.links = follow.NewLinks(LinksConfig{Open: m.follow, Overlap: true})
	return m, nil
}

// read reads settings of the provider or a link.
func (m *Memory) read(l *Limits, from provider.Settings) (Handling, error) {
	var h Handling
	s := h.Settings(m.rules)
	maps.Copy(s, l.Settings())
	return h, s.Read("messaging", from)
}

// SetLinks follows these links and no others: see [Links].
func (m *Memory) SetLinks(own provider.Settings, links []Link) []error {
	return m.links.SetLinks(own, links)
}

// Drain takes in no more for links, and waits for what was taken in until ctx ends.
func (m *Memory) Drain(ctx context.Context) error { return m.links.Drain(ctx) }

// Close cuts off what is left.
func (m *Memory) Close() error {
	m.links.Close()
	return nil
}

func (m *Memory) follow(l Link, settings provider.Settings) (follow.Following, error) {
	var limits Limits
	h, err := m.read(&limits, settings)
	if err != nil {
		return nil, err
	}
	s := &memorySub{link: l.ID(), of: h.Subscriptions, queue: make(chan memoryMessage, h.MaxPending), gone: make(chan struct{}), broker: m,
		worker: NewWorker(h, l.Handler), losses: follow.NewLosses(m.log.With(zap.String("link", l.Name), zap.String("target", l.Target)))}
	s.feeding.Go(s.feed)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subs = append(m.subs, s)
	return s, nil
}

// feed gives the worker what is published, and in the end what is left.
func (s *memorySub) feed() {
	for {
		select {
		case msg := <-s.queue:
			s.put(msg)
		case <-s.gone:
			for {
				select {
				case msg := <-s.queue:
					s.put(msg)
				default:
					return
				}
			}
		}
	}
}

func (s *memorySub) put(m memoryMessage) {
	s.worker.Put(Delivery{Message: m.BrokerMessage, TraceParent: m.trace, Done: func(err error) {
		if err != nil {
			s.losses.Note(m.Subject, "a message was not dealt with", 1, err)
		}
	}})
}

// memoryMessage is a message with its trace.
type memoryMessage struct {
	contract.BrokerMessage
	trace string
}

// Stop implements Following.
func (s *memorySub) Stop() {
	m := s.broker
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subs = slices.DeleteFunc(m.subs, func(x *memorySub) bool { return x == s })
	close(s.gone)
}

// End implements Following.
func (s *memorySub) End(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.worker.Cut)
	defer stop()
	s.feeding.Wait()
	return s.worker.End(ctx)
}

// matches returns the queue groups of the link that a subject is for.
func (s *memorySub) matches(subject string) (groups []string) {
	for _, sub := range s.of {
		if !Match(sub.Pattern, subject) {
			continue
		}
		group := "link " + s.link // no queue of a setting has a space
		if sub.Queue != "" {
			group = sub.Queue
		}
		if !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups
}

// route gives a message to one subscription of each group, and returns to how many.
func (m *Memory) route(ctx context.Context, msg contract.BrokerMessage) (int, error) {
	groups := map[string][]*memorySub{}
	m.mu.RLock()
	inbox := m.inboxes[msg.Subject]
	for _, s := range m.subs {
		for _, g := range s.matches(msg.Subject) {
			groups[g] = append(groups[g], s)
		}
	}
	m.mu.RUnlock()
	msg.Body = bytes.Clone(msg.Body)
	if inbox != nil {
		select {
		case inbox <- msg:
		default: // the first answer counts
		}
		return 1, nil
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		if err := offer(ctx, groups[name], memoryMessage{msg, TraceOf(ctx)}); err != nil {
			return 0, err
		}
	}
	return len(groups), nil
}

// offer gives a message to one of a group that has room, or waits for one of them.
func offer(ctx context.Context, group []*memorySub, msg memoryMessage) error {
	first := mathrand.IntN(len(group))
	for i := range group {
		select {
		case group[(first+i)%len(group)].queue <- msg:
			return nil
		default:
		}
	}
	s := group[first]
	select {
	case s.queue <- msg:
		return nil
	case <-s.gone:
		return nil // as if it had not been there
	case <-ctx.Done():
		return fmt.Errorf("publish to %q: %d messages wait for %s, which is the limit: %w", msg.Subject, len(s.queue), s.link, ctx.Err())
	}
}

// Publish implements the contract.
func (m *Memory) Publish(ctx context.Context, msg contract.BrokerMessage) error {
	if err := CheckMessage(m.rules, &m.limits, msg); err != nil {
		return err
	}
	_, err := m.route(ctx, msg)
	return err
}

// CheckMessage refuses what components may not publish.
func CheckMessage(r Rules, l *Limits, msg contract.BrokerMessage) error {
	err := r.CheckPublish(msg.Subject)
	if err == nil && msg.ReplyTo.OK {
		if err = r.CheckPublish(msg.ReplyTo.Value); err != nil {
			err = fmt.Errorf("reply-to: %w", err)
		}
	}
	if err == nil {
		err = l.Check(msg.Body)
	}
	return err
}

// TraceOf is the trace that a call is of, for the messages that it sends.
func TraceOf(ctx context.Context) string {
	meta, _ := wrpc.MetaFromContext(ctx)
	return meta.TraceParent
}

// ErrNoSubscribers is why a request has no answer that nobody listens for.
var ErrNoSubscribers = errors.New("nobody subscribes to that subject")

// Request implements the contract.
func (m *Memory) Request(ctx context.Context, subject string, body []byte, timeoutMs uint32) (contract.BrokerMessage, error) {
	msg := contract.BrokerMessage{Subject: subject, Body: body}
	if err := CheckMessage(m.rules, &m.limits, msg); err != nil {
		return contract.BrokerMessage{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(timeoutMs)*time.Millisecond)
	defer cancel()
	inbox, answer := "_INBOX."+rand.Text(), make(chan contract.BrokerMessage, 1)
	m.mu.Lock()
	m.inboxes[inbox] = answer
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.inboxes, inbox)
	}()
	msg.ReplyTo.OK, msg.ReplyTo.Value = true, inbox
	n, err := m.route(ctx, msg)
	if err == nil && n == 0 {
		err = ErrNoSubscribers
	}
	if err != nil {
		return contract.BrokerMessage{}, fmt.Errorf("request to %q: %w", subject, err)
	}
	select {
	case got := <-answer:
		return got, nil
	case <-ctx.Done():
		return contract.BrokerMessage{}, TimedOut(subject, timeoutMs)
	}
}

// TimedOut is the error of a request without an answer in time.
func TimedOut(subject string, timeoutMs uint32) error {
	return fmt.Errorf("request to %q: no answer in %d ms", strings.ToValidUTF8(subject, "?"), timeoutMs)
}
