package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
)

// maxWaiting bounds the calls that wait for one component: more are refused
// at once, so that a queue never grows longer than the callers' patience.
const maxWaiting = 1024

// patience bounds the wait of callers that cannot be told: by then, the caller of
// any call whose time is not known has given up.
const patience = wrpc.DefaultTimeout

// limiter admits calls, at most limit at a time, in the order of arrival. While
// nobody waits, a call comes and goes by one atomic step each.
type limiter struct {
	// state is twice the number of running calls, plus crowded.
	state atomic.Int64
	limit atomic.Int64
	wait  time.Duration // bounds the wait of one call, also by its context; 0: by that alone
	crowd func()        // told under mu that many calls wait; nil: nobody is

	mu      sync.Mutex
	closed  bool
	waiting []chan error // each gets one message: admitted (nil) or why not
	idle    chan struct{}
}

// crowded is set while calls wait, and once none may come in any more. Then
// only holders of mu change the state.
const (
	crowded = 1
	one     = 2
)

func newLimiter(limit int, wait time.Duration) *limiter {
	l := &limiter{wait: wait}
	l.limit.Store(int64(limit))
	return l
}

// acquire waits for room for a call, for no longer than the limiter lets wait, and
// than [patience] for one that is patient. path are the components that
// this call comes through: where every instance of id is taken by the very call
// that waits, no room can ever come.
func (l *limiter) acquire(ctx context.Context, id string, path []string, patient bool) error {
	for {
		s := l.state.Load()
		if s&crowded != 0 || s/one >= l.limit.Load() {
			return l.queue(ctx, id, path, patient)
		}
		if l.state.CompareAndSwap(s, s+one) {
			return nil
		}
	}
}

// queue waits in line.
func (l *limiter) queue(ctx context.Context, id string, path []string, patient bool) error {
	turn, err := l.join(id, path)
	if turn == nil {
		return err
	}
	var late <-chan time.Time
	wait := l.wait
	if patient {
		wait = max(wait, patience)
	}
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case err := <-turn:
		return err
	case <-late:
		return l.abandon(turn, fmt.Errorf("%w: no instance of %q became free within %v", lattice.ErrBusy, id, wait))
	case <-ctx.Done():
		return l.abandon(turn, fmt.Errorf("%w: no instance of %q became free in time", lattice.ErrBusy, id))
	}
}

// join takes a place in the line. Without one, the call is admitted or refused
// already.
func (l *limiter) join(id string, path []string) (turn chan error, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, fmt.Errorf("component %q is stopping: %w", id, lattice.ErrBusy)
	}
	l.state.Or(crowded)
	defer l.settle()
	limit := l.limit.Load()
	if l.running() < limit && len(l.waiting) == 0 {
		l.state.Add(one)
		return nil, nil
	}
	if on := occurrences(path, id); on >= limit {
		return nil, fmt.Errorf("%w: call cycle: %s → %s: all %d instances of %q wait for this call",
			lattice.ErrBusy, strings.Join(path, " → "), id, limit, id)
	}
	if len(l.waiting) >= maxWaiting {
		return nil, fmt.Errorf("%w: %d calls of %q run and %d wait", lattice.ErrBusy, limit, id, maxWaiting)
	}
	turn = make(chan error, 1)
	l.waiting = append(l.waiting, turn)
	if l.crowd != nil && int64(len(l.waiting)) >= threshold(limit) {
		l.crowd()
	}
	return turn, nil
}

// settle lets calls come and go by themselves again when nobody waits. The
// caller holds mu.
func (l *limiter) settle() {
	if len(l.waiting) == 0 && !l.closed {
		l.state.And(^crowded)
	}
}

// full reports whether a call would have to wait.
func (l *limiter) full() bool {
	s := l.state.Load()
	return s&crowded != 0 || s/one >= l.limit.Load()
}

func (l *limiter) running() int64 { return l.state.Load() / one }

// abandon takes a waiting call out of the line, or gives back the room that it
// got meanwhile, and returns why it waits no more.
func (l *limiter) abandon(turn chan error, why error) error {
	l.mu.Lock()
	if i := slices.Index(l.waiting, turn); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
		l.settle()
		l.mu.Unlock()
		return why
	}
	l.mu.Unlock()
	if err := <-turn; err != nil {
		return err
	}
	l.release()
	return why
}

// release gives back the room of a call that acquire admitted.
func (l *limiter) release() {
	for {
		s := l.state.Load()
		if s&crowded != 0 {
			break
		}
		if l.state.CompareAndSwap(s, s-one) {
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// The line may have ended since; then this step is one of many again.
	l.state.Or(crowded)
	l.state.Add(-one)
	l.admit()
}

// admit lets waiting calls in while there is room, and tells drain. The caller
// holds mu and has set crowded.
func (l *limiter) admit() {
	limit := l.limit.Load()
	for len(l.waiting) > 0 && l.running() < limit {
		l.state.Add(one)
		l.waiting[0] <- nil
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
	}
	if l.idle != nil && l.running() == 0 {
		close(l.idle)
		l.idle = nil
	}
	l.settle()
}

// resize changes the limit. Running calls are never stopped by it.
func (l *limiter) resize(limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit.Store(int64(limit))
	l.state.Or(crowded)
	l.admit()
}

// drain refuses all later calls and those that wait, and blocks until the
// running ones have ended or ctx is done.
func (l *limiter) drain(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.state.Or(crowded)
	for _, w := range l.waiting {
		w <- fmt.Errorf("%w: the component is stopping", lattice.ErrBusy)
	}
	l.waiting = nil
	if l.running() == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle, running := l.idle, l.running()
	l.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d calls still run: %w", running, ctx.Err())
	}
}

// load returns how many calls run and how many wait.
func (l *limiter) load() (running, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.running()), len(l.waiting)
}

func occurrences(path []string, id string) (n int64) {
	for _, p := range path {
		if p == id {
			n++
		}
	}
	return n
}
