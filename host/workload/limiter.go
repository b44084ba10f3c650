package workload

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/lathhost/lath/lattice"
)

// maxWaiting bounds the calls that wait for one component: more are refused
// at once, so that a queue never grows longer than the callers' patience.
const maxWaiting = 1024

// limiter admits calls, at most limit at a time, in the order of arrival.
type limiter struct {
	mu      sync.Mutex
	limit   int
	running int
	closed  bool
	waiting []chan error // each gets one message: admitted (nil) or why not
	idle    chan struct{}
}

func newLimiter(limit int) *limiter { return &limiter{limit: limit} }

// acquire waits for room for a call. path are the components that this call
// comes through: where every instance of id is taken by the very call that
// waits, no room can ever come.
func (l *limiter) acquire(ctx context.Context, id string, path []string) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return fmt.Errorf("component %q is stopping: %w", id, lattice.ErrBusy)
	}
	if l.running < l.limit {
		l.running++
		l.mu.Unlock()
		return nil
	}
	if on := occurrences(path, id); on >= l.limit {
		l.mu.Unlock()
		return fmt.Errorf("%w: call cycle: %s → %s: all %d instances of %q wait for this call",
			lattice.ErrBusy, strings.Join(path, " → "), id, l.limit, id)
	}
	if len(l.waiting) >= maxWaiting {
		l.mu.Unlock()
		return fmt.Errorf("%w: %d calls of %q run and %d wait", lattice.ErrBusy, l.limit, id, maxWaiting)
	}
	turn := make(chan error, 1)
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	select {
	case err := <-turn:
		return err
	case <-ctx.Done():
		return l.abandon(turn, id)
	}
}

// abandon takes a waiting call out of the queue, or gives back the room that
// it got meanwhile.
func (l *limiter) abandon(turn chan error, id string) error {
	l.mu.Lock()
	for i, w := range l.waiting {
		if w == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			l.mu.Unlock()
			return fmt.Errorf("%w: no instance of %q became free in time", lattice.ErrBusy, id)
		}
	}
	l.mu.Unlock()
	if err := <-turn; err != nil {
		return err
	}
	l.release()
	return fmt.Errorf("%w: no instance of %q became free in time", lattice.ErrBusy, id)
}

// release gives back the room of a call that acquire admitted.
func (l *limiter) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.admit()
}

// admit lets waiting calls in while there is room, and tells drain.
func (l *limiter) admit() {
	for len(l.waiting) > 0 && l.running < l.limit {
		l.running++
		l.waiting[0] <- nil
		l.waiting = l.waiting[1:]
	}
	if l.idle != nil && l.running == 0 {
		close(l.idle)
		l.idle = nil
	}
}

// resize changes the limit. Running calls are never stopped by it.
func (l *limiter) resize(limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = limit
	l.admit()
}

// drain refuses all later calls and those that wait, and blocks until the
// running ones have ended or ctx is done.
func (l *limiter) drain(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	for _, w := range l.waiting {
		w <- fmt.Errorf("%w: the component is stopping", lattice.ErrBusy)
	}
	l.waiting = nil
	if l.running == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle, running := l.idle, l.running
	l.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d calls still run: %w", running, ctx.Err())
	}
}

// inFlight returns the number of running calls.
func (l *limiter) inFlight() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}

func occurrences(path []string, id string) int {
	n := 0
	for _, p := range path {
		if p == id {
			n++
		}
	}
	return n
}
