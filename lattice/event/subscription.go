package event

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// pendingEvents and pendingBytes bound what a Subscription holds that has not
// been read.
const (
	pendingEvents = 4096
	pendingBytes  = 64 << 20
)

// ErrMissed tells that events came faster than they were read, and some are lost.
var ErrMissed = fmt.Errorf("events missed: the reader is too slow: %w", lattice.ErrBusy)

// Subscription hears the events of a lattice from the moment it was made.
type Subscription struct{ sub *nats.Subscription }

// Subscribe listens to all events of a lattice. It returns when NATS has the
// subscription: what is published afterwards will be heard. Subscribe before
// sending a command whose outcome is to be waited for. The caller closes it.
func Subscribe(ctx context.Context, conn *nats.Conn, name string) (*Subscription, error) {
	if err := lattice.ValidLattice(name); err != nil {
		return nil, fmt.Errorf("subscribe to events: %w", err)
	}
	sub, err := conn.SubscribeSync(lattice.AllEvents(name))
	if err != nil {
		return nil, fmt.Errorf("subscribe to events: %w", lattice.Disconnected(err))
	}
	s := &Subscription{sub: sub}
	err = sub.SetPendingLimits(pendingEvents, pendingBytes)
	if err == nil {
		err = lattice.Flush(ctx, conn)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe to events: %w", err), s.Close())
	}
	return s, nil
}

// Next returns the next event, waiting for it until ctx ends. Its errors:
//   - lattice.ErrInvalid: what came was no event; Next may be called again.
//   - ErrMissed: some events are lost; Next may be called again.
//   - lattice.ErrTimeout, or context.Canceled, when ctx ended.
//   - lattice.ErrDisconnected: the connection was closed for good.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	msg, err := s.sub.NextMsgWithContext(ctx)
	switch {
	case err == nil:
		return Decode(msg.Data)
	case errors.Is(err, nats.ErrSlowConsumer):
		return Event{}, ErrMissed
	case errors.Is(err, context.DeadlineExceeded):
		return Event{}, fmt.Errorf("wait for an event: %w (%w)", lattice.ErrTimeout, err)
	case errors.Is(err, context.Canceled):
		return Event{}, fmt.Errorf("wait for an event: %w", err)
	default:
		return Event{}, fmt.Errorf("wait for an event: %w", lattice.Disconnected(err))
	}
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
	if !s.sub.IsValid() {
		return nil
	}
	if err := s.sub.Unsubscribe(); err != nil && !lattice.IsDisconnected(err) {
		return fmt.Errorf("end event subscription: %w", err)
	}
	return nil
}
