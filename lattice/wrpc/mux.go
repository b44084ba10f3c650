package wrpc

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// receiver is one call as the inbox sees it. Both methods run on the inbox's
// own goroutine or under its lock: they must not block, publish or call the
// mux.
type receiver interface {
	// deliver takes a message on a subject of the call; rest is what follows
	// the call's inbox and its dot. It returns false if it had no use for it.
	deliver(rest string, m *nats.Msg) bool
	// interrupt tells that messages of this call may have been lost. It returns
	// true if the call can do without them.
	interrupt(cause *Error) (keep bool)
	// whereTo returns the subject that a client's call was sent to, and the inbox
	// of the callee once it has accepted. Without a subject, nobody waits for it.
	whereTo() (subject, callee string)
}

// mux is one wildcard inbox subscription, shared by all calls of a Client or
// Server. It finds a message's call by its exact subject:
//
//	{inbox}.{call}[.{rest}]
//
// where {call} is a number in base 36 that is never used twice. A call is
// registered before its first message is published, under the same lock under
// which messages are looked up.
//
// Lock order: mux.mu before a receiver's own lock.
type mux struct {
	nc     *nats.Conn
	prefix string // of all subjects, with the last dot
	sub    *nats.Subscription
	counters

	mu     sync.Mutex
	calls  map[uint64]receiver
	last   uint64
	closed bool
	// broken receives an event for each loss of the connection. It is emptied
	// under mu before every registration and every delivery, so that a call
	// sees exactly the losses of its own lifetime, and none of its messages
	// that came after a loss.
	broken chan nats.Status

	stop chan struct{}
	wg   sync.WaitGroup
}

func newMux(nc *nats.Conn) (*mux, error) {
	switch {
	case nc == nil:
		return nil, nats.ErrInvalidConnection
	case nc.Opts.AllowReconnect && nc.Opts.ReconnectBufSize >= 0:
		return nil, ErrReconnectBuffer
	}
	m := &mux{
		nc:     nc,
		prefix: nc.NewInbox() + ".",
		calls:  make(map[uint64]receiver),
		stop:   make(chan struct{}),
	}
	losses := []nats.Status{nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED}
	m.broken = nc.StatusChanged(losses...)
	wake := nc.StatusChanged(losses...)
	sub, err := nc.Subscribe(m.prefix+">", m.receive)
	if err != nil {
		nc.RemoveStatusListener(m.broken)
		nc.RemoveStatusListener(wake)
		return nil, fmt.Errorf("subscribe inbox: %w", err)
	}
	m.sub = sub
	m.wg.Add(1)
	go m.watch(wake, sub.StatusChanged(nats.SubscriptionSlowConsumer))
	return m, nil
}

// watch ends calls when nothing arrives that would: a broken connection is
// silent, and so is a message that nats.go had to drop.
func (m *mux) watch(wake chan nats.Status, slow <-chan nats.SubStatus) {
	defer m.wg.Done()
	defer m.nc.RemoveStatusListener(wake)
	for {
		select {
		case <-m.stop:
			return
		case _, ok := <-wake:
			if !ok {
				wake = nil
			}
			m.mu.Lock()
			m.settle()
			m.mu.Unlock()
		case _, ok := <-slow:
			if !ok {
				slow = nil
				continue
			}
			m.mu.Lock()
			m.interrupt(&Error{Code: Overflow, Detail: "the shared inbox overflowed", MayHaveRun: true})
			m.mu.Unlock()
		}
	}
}

// settle acts on losses of the connection that nobody has acted on yet. It
// needs mu.
func (m *mux) settle() {
	lost := false
	for {
		select {
		case _, ok := <-m.broken:
			lost = true
			if ok {
				continue
			}
			m.broken = nil
		default:
		}
		break
	}
	if lost {
		m.interrupt(&Error{Code: Lost, Detail: "the connection to NATS broke", MayHaveRun: true})
	}
}

// interrupt ends all calls that cannot do without the messages that were lost.
// It needs mu.
func (m *mux) interrupt(cause *Error) {
	for id, r := range m.calls {
		if !r.interrupt(cause) {
			delete(m.calls, id)
		}
	}
}

// interruptThose ends the calls that which picks, whose callers forget them.
func (m *mux) interruptThose(cause *Error, which func(id uint64, subject, callee string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, r := range m.calls {
		if subject, callee := r.whereTo(); subject != "" && which(id, subject, callee) {
			r.interrupt(cause)
		}
	}
}

// register adds a call and returns its number and its inbox.
func (m *mux) register(r receiver) (id uint64, inbox string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, "", ErrClosed
	}
	m.settle()
	m.last++
	m.calls[m.last] = r
	return m.last, m.inbox(m.last), nil
}

func (m *mux) inbox(id uint64) string {
	var b [128]byte
	return string(strconv.AppendUint(append(b[:0], m.prefix...), id, 36))
}

// unregister forgets a call, after which none of its messages are delivered.
func (m *mux) unregister(id uint64) {
	m.mu.Lock()
	delete(m.calls, id)
	m.mu.Unlock()
}

// replace hands a call's further messages to another receiver.
func (m *mux) replace(id uint64, r receiver) {
	m.mu.Lock()
	if _, ok := m.calls[id]; ok {
		m.calls[id] = r
	}
	m.mu.Unlock()
}

func (m *mux) receive(msg *nats.Msg) {
	id, rest, ok := splitInbox(msg.Subject, m.prefix)
	if !ok {
		m.stray.Add(1)
		return
	}
	m.mu.Lock()
	m.settle()
	r := m.calls[id]
	m.mu.Unlock()
	switch {
	case r == nil:
		m.stray.Add(1)
	case !r.deliver(rest, msg):
		m.ignored.Add(1)
	}
}

// maxToken is the most digits of a call's number: all numbers of so many
// digits fit 64 bits, and no client lives to use them up.
const maxToken = 12

// splitInbox takes a subject apart into the number of its call and the rest.
// Only the spelling that inbox produces is accepted.
func splitInbox(subject, prefix string) (id uint64, rest string, ok bool) {
	tail, ok := strings.CutPrefix(subject, prefix)
	if !ok {
		return 0, "", false
	}
	token, rest, dotted := strings.Cut(tail, ".")
	if token == "" || len(token) > maxToken || token[0] == '0' || dotted && rest == "" {
		return 0, "", false
	}
	for i := range len(token) {
		c := token[i]
		switch {
		case c >= '0' && c <= '9':
			id = id*36 + uint64(c-'0')
		case c >= 'a' && c <= 'z':
			id = id*36 + uint64(c-'a') + 10
		default:
			return 0, "", false
		}
	}
	return id, rest, true
}

// close ends all calls and the subscription, and waits for the watcher.
func (m *mux) close(cause *Error) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.closed = true
	for id, r := range m.calls {
		r.interrupt(cause)
		delete(m.calls, id)
	}
	broken := m.broken
	m.broken = nil
	m.mu.Unlock()
	// Fails only on a connection that is closed already.
	_ = m.sub.Unsubscribe()
	if broken != nil {
		m.nc.RemoveStatusListener(broken)
	}
	close(m.stop)
	m.wg.Wait()
}
