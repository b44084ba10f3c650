package lattice

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
)

// ErrClosed: a connection has ended and will not come back. nats.go ends one for
// good on errors of the server that it does not know.
var ErrClosed = errors.New("the connection to NATS was closed for good")

// TroubleKind tells troubles of a connection apart.
type TroubleKind int

const (
	// OtherTrouble is what has no kind of its own.
	OtherTrouble TroubleKind = iota
	// SlowConsumer is for messages of a subscription that came faster than they were
	// taken, so that some were dropped.
	SlowConsumer
	// Forbidden is for what the server does not let the user subscribe or publish.
	Forbidden
)

// Trouble is what went wrong with a connection outside any call.
type Trouble struct {
	Kind TroubleKind
	// Subject is that of the subscription, where it is about one.
	Subject string
	// Dropped is how many of its messages have been dropped in all.
	Dropped uint64
	Err     error
}

// HearTroubles has f told of the troubles of a connection, in the place of
// ConnConfig.OnError, until end is called. f is called from the connection's own
// goroutine and must not block.
func HearTroubles(conn *Conn, f func(Trouble)) (end func()) {
	before := conn.ErrorHandler()
	conn.SetErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
		t := Trouble{Err: err}
		if sub != nil {
			t.Subject = sub.Subject
		}
		switch {
		case errors.Is(err, nats.ErrSlowConsumer) && sub != nil:
			t.Kind = SlowConsumer
			if n, err := sub.Dropped(); err == nil { // it fails on one that is gone
				t.Dropped = uint64(max(n, 0))
			}
		case errors.Is(err, nats.ErrPermissionViolation):
			t.Kind = Forbidden
		}
		f(t)
	})
	return func() { conn.SetErrorHandler(before) }
}

// AwaitClosed waits for the end of a connection, and returns why it ended: an error
// that matches ErrClosed. It returns nil when ctx ends first.
func AwaitClosed(ctx context.Context, conn *Conn) error {
	closed := conn.StatusChanged(nats.CLOSED)
	defer conn.RemoveStatusListener(closed)
	if !conn.IsClosed() {
		select {
		case <-ctx.Done():
			return nil
		case <-closed:
		}
	}
	if last := conn.LastError(); last != nil {
		return fmt.Errorf("%w: %w", ErrClosed, last)
	}
	return ErrClosed
}
