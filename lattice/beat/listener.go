package beat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// pendingBeats and pendingBytes bound the beats that wait to be taken in.
const (
	pendingBeats = 8192
	pendingBytes = 64 << 20
)

// ListenerConfig says whose beats to hear. Conn and Lattice are required.
type ListenerConfig struct {
	Conn    *nats.Conn
	Lattice string
	// Self is the host that listens, if one does.
	Self string
	// OnLost is told of each host that becomes unreachable, on the listener's own
	// goroutine: it must not wait. It may be nil.
	OnLost func(Peer)
}

// Listener keeps a [Table] of the hosts of a lattice. It is safe for concurrent
// use.
type Listener struct {
	cfg  ListenerConfig
	sub  *nats.Subscription
	base string // of the subjects, with the last dot
	stop chan struct{}
	done sync.WaitGroup

	malformed atomic.Uint64
	suspects  atomic.Pointer[map[string]struct{}] // nil: none

	mu    sync.Mutex
	table *Table
}

// Listen begins to hear, and returns when NATS has the subscription. Without a
// connection it hears from when there is one. The caller closes it.
func Listen(ctx context.Context, cfg ListenerConfig) (*Listener, error) {
	if err := lattice.ValidLattice(cfg.Lattice); err != nil {
		return nil, fmt.Errorf("listen to beats: %w", err)
	}
	l := newListener(cfg)
	var err error
	if l.sub, err = cfg.Conn.Subscribe(l.base+"*", func(m *nats.Msg) { l.hear(m.Subject, m.Data) }); err != nil {
		return nil, fmt.Errorf("listen to beats: %w", lattice.Disconnected(err))
	}
	err = l.sub.SetPendingLimits(pendingBeats, pendingBytes)
	if err == nil {
		err = lattice.Flush(ctx, cfg.Conn)
	}
	if err != nil && !lattice.IsDisconnected(err) {
		return nil, errors.Join(fmt.Errorf("listen to beats: %w", err), l.sub.Unsubscribe())
	}
	l.done.Go(l.watch)
	return l, nil
}

func newListener(cfg ListenerConfig) *Listener {
	return &Listener{cfg: cfg, base: lattice.BeatSubject(cfg.Lattice, ""), stop: make(chan struct{}), table: NewTable(cfg.Self, time.Now())}
}

// Close ends listening. Nobody becomes unreachable any more.
func (l *Listener) Close() error {
	close(l.stop)
	l.done.Wait()
	if err := l.sub.Unsubscribe(); err != nil && !lattice.IsDisconnected(err) && !errors.Is(err, nats.ErrBadSubscription) {
		return fmt.Errorf("end listening to beats: %w", err)
	}
	return nil
}

func (l *Listener) hear(subject string, data []byte) {
	host, ok := strings.CutPrefix(subject, l.base)
	b, err := Decode(data)
	if !ok || err != nil {
		l.malformed.Add(1)
		return
	}
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.table.Hear(host, b, now) {
		l.publishSuspects(now)
	}
}

// publishSuspects needs mu.
func (l *Listener) publishSuspects(now time.Time) {
	if s := l.table.Suspects(now); s != nil {
		l.suspects.Store(&s)
	} else {
		l.suspects.Store(nil)
	}
}

func (l *Listener) watch() {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.check(time.Now())
		}
	}
}

func (l *Listener) check(now time.Time) {
	connected := l.cfg.Conn == nil || l.cfg.Conn.IsConnected()
	l.mu.Lock()
	lost := l.table.Check(now, connected)
	if len(lost) > 0 || l.suspects.Load() != nil { // a suspicion may have ended
		l.publishSuspects(now)
	}
	l.mu.Unlock()
	if l.cfg.OnLost == nil {
		return
	}
	for _, p := range lost {
		l.cfg.OnLost(p)
	}
}

// Peers returns the hosts that were heard and have not left, by id.
func (l *Listener) Peers() []Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.Peers()
}

// Suspect reports whether an id ran on a host that has become unreachable and
// that NATS may still give calls to. It takes no lock.
func (l *Listener) Suspect(id string) bool {
	s := l.suspects.Load()
	if s == nil {
		return false
	}
	_, is := (*s)[id]
	return is
}

// Candidates is [Table.Candidates].
func (l *Listener) Candidates(id string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.Candidates(id)
}

// Relief is [Table.Relief].
func (l *Listener) Relief(id string, roomy bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.Relief(id, roomy)
}

// Ignored returns how many beats changed nothing, and how many could not be read.
func (l *Listener) Ignored() (dropped, malformed uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.Dropped, l.malformed.Load()
}
