package state

import (
	"context"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// errLost ends the requests that were on their way when the connection broke: no
// answer can come, and to wait for one would keep their commands, and those behind
// them, from failing or trying again.
var errLost = fmt.Errorf("%w: the connection broke before JetStream answered", lattice.ErrDisconnected)

// life is how long a connection lasts.
type life struct {
	mu  sync.Mutex
	now context.Context //nolint:containedctx // ended by each loss of the connection
	end context.CancelCauseFunc
}

func newLife() *life {
	l := &life{}
	l.now, l.end = context.WithCancelCause(context.Background())
	return l
}

// context is done when the connection breaks.
func (l *life) context() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// follow ends the life at each loss of the connection, and begins the next, until
// ctx ends.
func (l *life) follow(ctx context.Context, conn *nats.Conn) {
	lost := conn.StatusChanged(nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	defer conn.RemoveStatusListener(lost)
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-lost:
			if !ok {
				lost = nil // closed for good
			}
		}
		l.mu.Lock()
		l.end(errLost)
		l.now, l.end = context.WithCancelCause(context.Background())
		l.mu.Unlock()
	}
}

// request bounds one request to JetStream: its time, and the connection's life.
func (s *Store) request(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, timeout := context.WithTimeout(ctx, opTimeout)
	ctx, cancel := context.WithCancelCause(ctx)
	life := s.life.context()
	stop := context.AfterFunc(life, func() { cancel(context.Cause(life)) })
	return ctx, func() {
		stop()
		timeout()
		cancel(context.Canceled)
	}
}
