package event

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// pendingEvents and pendingBytes bound what a Subscription holds, of each subject
// that it listens to, that has not been read.
const (
	pendingEvents = 4096
	pendingBytes  = 64 << 20
)

// ErrMissed tells that events came faster than they were read, and some are lost.
var ErrMissed = fmt.Errorf("events missed: the reader is too slow: %w", lattice.ErrBusy)

// Subscription hears events of a lattice from the moment it was made. Those of one
// subject come in their order; what v1 has and what it has not are subjects apart.
type Subscription struct {
	subs []*nats.Subscription
	msgs chan *nats.Msg
	done chan struct{} // closed by Close
	gone chan struct{} // closed when NATS gave a subject up
	once struct{ done, gone sync.Once }
	lost int // of those missed, how many were told; Next's
}

// Subscribe listens to the events of the given names, or to all events of a
// lattice. It returns when NATS has the subscription: what is published afterwards
// will be heard. Subscribe before sending a command whose outcome is to be waited
// for. The caller closes it.
func Subscribe(ctx context.Context, conn *nats.Conn, of string, names ...string) (*Subscription, error) {
	subjects, err := subjectsOf(of, names)
	if err != nil {
		return nil, fmt.Errorf("subscribe to events: %w", err)
	}
	s := &Subscription{msgs: make(chan *nats.Msg), done: make(chan struct{}), gone: make(chan struct{})}
	for _, subject := range subjects {
		if err = s.listen(conn, subject); err != nil {
			break
		}
	}
	if err == nil {
		err = lattice.Flush(ctx, conn)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe to events: %w", lattice.Disconnected(err)), s.Close())
	}
	return s, nil
}

func subjectsOf(of string, names []string) ([]string, error) {
	if err := lattice.ValidLattice(of); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return []string{lattice.AllEvents(of), lattice.AllLathEvents(of)}, nil
	}
	var subjects []string
	for _, name := range names {
		if _, ok := kinds[name]; !ok {
			return nil, fmt.Errorf("%w: there is no event %.80q", lattice.ErrInvalid, name)
		}
		subjects = append(subjects, subjectOf(of, name))
	}
	return subjects, nil
}

// listen has NATS hand over what comes on a subject, at the reader's pace.
func (s *Subscription) listen(conn *nats.Conn, subject string) error {
	sub, err := conn.Subscribe(subject, func(m *nats.Msg) {
		select {
		case s.msgs <- m:
		case <-s.done:
		}
	})
	if err != nil {
		return err
	}
	s.subs = append(s.subs, sub)
	sub.SetClosedHandler(func(string) { s.once.gone.Do(func() { close(s.gone) }) })
	return sub.SetPendingLimits(pendingEvents, pendingBytes)
}

// Next returns the next event, waiting for it until ctx ends. One goroutine calls
// it at a time. Its errors:
//   - lattice.ErrInvalid: what came was no event; Next may be called again.
//   - ErrMissed: some events are lost; Next may be called again.
//   - lattice.ErrTimeout, or context.Canceled, when ctx ended.
//   - lattice.ErrDisconnected: the connection was closed for good.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	if s.missed() {
		return Event{}, ErrMissed
	}
	select {
	case m := <-s.msgs:
		return Decode(m.Data)
	case <-s.gone:
		return Event{}, fmt.Errorf("wait for an event: %w: the subscription has ended", lattice.ErrDisconnected)
	case <-s.done:
		return Event{}, errors.New("wait for an event: the subscription is closed")
	case <-ctx.Done():
		if err := ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
			return Event{}, fmt.Errorf("wait for an event: %w (%w)", lattice.ErrTimeout, err)
		}
		return Event{}, fmt.Errorf("wait for an event: %w", ctx.Err())
	}
}

// missed says whether events were lost since it was asked last.
func (s *Subscription) missed() bool {
	lost := 0
	for _, sub := range s.subs {
		n, err := sub.Dropped()
		if err == nil { // else it has ended, as Next will find
			lost += n
		}
	}
	before := s.lost
	s.lost = lost
	return lost > before
}

// Wait returns the first event that match accepts. What is not a valid event is
// passed over; ErrMissed is an error, since the event may have been among the
// lost.
func (s *Subscription) Wait(ctx context.Context, match func(Event) bool) (Event, error) {
	for {
		e, err := s.Next(ctx)
		switch {
		case err == nil && match(e):
			return e, nil
		case err != nil && !errors.Is(err, lattice.ErrInvalid):
			return Event{}, err
		}
	}
}

// Close ends the subscription; a waiting Next returns. It may be called again.
func (s *Subscription) Close() error {
	var errs []error
	s.once.done.Do(func() {
		close(s.done)
		for _, sub := range s.subs {
			if err := sub.Unsubscribe(); err != nil && !lattice.IsDisconnected(err) && !errors.Is(err, nats.ErrBadSubscription) {
				errs = append(errs, fmt.Errorf("end event subscription: %w", err))
			}
		}
	})
	return errors.Join(errs...)
}
