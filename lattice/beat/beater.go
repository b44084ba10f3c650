package beat

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// minGap is the least time between two beats.
const minGap = 100 * time.Millisecond

// BeaterConfig says whose pulse to publish. All fields but Now are required.
type BeaterConfig struct {
	Conn    *nats.Conn
	Lattice string
	Host    string
	// Now is the clock by which the start is told; default time.Now.
	Now func() time.Time
	// Fill completes each beat with what the host has to say now. It must not
	// wait.
	Fill func(*Beat)
	// OnError is told why a beat was not sent, but not of a lost connection.
	OnError func(error)
}

// Beater publishes a host's pulse until it is closed.
type Beater struct {
	publish   func([]byte) error
	fill      func(*Beat)
	onError   func(error)
	unwatch   func()
	connected <-chan nats.Status

	start time.Time
	told  int64  // Start of all beats
	last  int64  // At of the last beat
	turn  string // see narrow
	soon  chan struct{}
	stop  chan struct{}
	done  sync.WaitGroup

	closed sync.Once
}

// NewBeater begins to publish, at once.
func NewBeater(cfg BeaterConfig) (*Beater, error) {
	if err := errors.Join(lattice.ValidLattice(cfg.Lattice), lattice.ValidHostID(cfg.Host)); err != nil {
		return nil, fmt.Errorf("beat: %w", err)
	}
	subject := lattice.BeatSubject(cfg.Lattice, cfg.Host)
	b := newBeater(func(data []byte) error { return cfg.Conn.Publish(subject, data) }, cfg.Fill, cfg.OnError)
	if cfg.Now != nil {
		b.told = cfg.Now().UnixMilli()
	}
	connected := cfg.Conn.StatusChanged(nats.CONNECTED)
	b.connected, b.unwatch = connected, func() { cfg.Conn.RemoveStatusListener(connected) }
	b.done.Go(b.run)
	return b, nil
}

func newBeater(publish func([]byte) error, fill func(*Beat), onError func(error)) *Beater {
	now := time.Now()
	return &Beater{publish: publish, fill: fill, onError: onError, unwatch: func() {},
		start: now, told: now.UnixMilli(), last: -1, soon: make(chan struct{}, 1), stop: make(chan struct{})}
}

// Soon publishes a beat in between, since something has changed that others
// should know. It does not wait.
func (b *Beater) Soon() {
	select {
	case b.soon <- struct{}{}:
	default:
	}
}

// Close publishes the final beat and ends. It may be called again.
func (b *Beater) Close() {
	b.closed.Do(func() {
		close(b.stop)
		b.done.Wait()
		b.unwatch()
		b.beat(true)
	})
}

func (b *Beater) run() {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	b.beat(false)
	for {
		select {
		case <-b.stop:
			return
		case _, ok := <-b.connected: // those who were cut off with us listen again
			if !ok {
				b.connected = nil
				continue
			}
		case <-b.soon:
			if !b.pause() {
				return
			}
		case <-tick.C:
		}
		b.beat(false)
	}
}

// pause keeps two beats apart; false: the beater was closed.
func (b *Beater) pause() bool {
	wait := time.NewTimer(minGap)
	defer wait.Stop()
	select {
	case <-wait.C:
		return true
	case <-b.stop:
		return false
	}
}

func (b *Beater) beat(final bool) {
	at := max(time.Since(b.start).Milliseconds(), b.last+1)
	m := Beat{Start: b.told, At: at, Final: final}
	if b.fill(&m); final {
		m.Components = nil
	}
	b.turn = m.narrow(b.turn)
	b.last = at
	data, err := Encode(m)
	if err == nil {
		err = b.publish(data)
	}
	if err != nil && !lattice.IsDisconnected(err) {
		b.onError(err)
	}
}
