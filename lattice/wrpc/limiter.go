package wrpc

import (
	"context"
	"sync"
	"time"
)

// Limits bound how many calls a component serves at a time.
type Limits struct {
	// Concurrency is how many calls run at a time; default
	// [DefaultConcurrency].
	Concurrency int
	// Queue is how many more may wait their turn; default as Concurrency,
	// negative none. A Lath caller beyond them is told "busy" at once and may try
	// elsewhere.
	Queue int
	// QueueV1 is how many calls of v1 callers may wait, in all; default
	// [DefaultQueueV1]. They cannot be told, so more of them may wait; beyond that
	// their results end empty.
	QueueV1 int
	// Wait is how long a call waits its turn at most; default [DefaultWait].
	Wait time.Duration
}

// Defaults of [Limits].
const (
	DefaultConcurrency = 256
	DefaultQueueV1     = 1024
	DefaultWait        = 10 * time.Second
)

// Limiter admits calls to one component, whichever of its functions they are
// for. Those that wait are admitted in the order in which they came. It is
// safe for concurrent use.
type Limiter struct {
	limits Limits

	mu      sync.Mutex
	limit   int
	running int
	waiting []chan struct{} // closed when admitted
}

// NewLimiter returns a limiter; zero fields mean the defaults.
func NewLimiter(l Limits) *Limiter {
	l.Concurrency = orDefault(l.Concurrency, DefaultConcurrency)
	switch {
	case l.Queue == 0:
		l.Queue = l.Concurrency
	case l.Queue < 0:
		l.Queue = 0
	}
	l.QueueV1 = max(l.Queue, orDefault(l.QueueV1, DefaultQueueV1))
	l.Wait = orDefault(l.Wait, DefaultWait)
	return &Limiter{limits: l, limit: l.Concurrency}
}

// SetConcurrency changes how many calls run at a time, for those to come: a
// component was scaled. It must be at least 1.
func (l *Limiter) SetConcurrency(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = max(1, n)
	l.admit()
}

// Load returns how many calls run and wait now, and how many may run.
func (l *Limiter) Load() (running, waiting, limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running, len(l.waiting), l.limit
}

// admit lets in as many as there is room for; it needs mu.
func (l *Limiter) admit() {
	for l.running < l.limit && len(l.waiting) > 0 {
		close(l.waiting[0])
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		l.running++
	}
}

// enter takes a place. If there is none it returns a channel that is closed
// when there is one, or ok false if the call may not even wait.
func (l *Limiter) enter(lath bool) (turn chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running < l.limit && len(l.waiting) == 0 {
		l.running++
		return nil, true
	}
	most := l.limits.QueueV1
	if lath {
		most = l.limits.Queue
	}
	if len(l.waiting) >= most {
		return nil, false
	}
	turn = make(chan struct{})
	l.waiting = append(l.waiting, turn)
	return turn, true
}

// wait waits for a turn that enter gave; false means that it never came.
func (l *Limiter) wait(ctx context.Context, turn chan struct{}) bool {
	timer := time.NewTimer(l.limits.Wait)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return !l.giveUp(turn)
}

// giveUp leaves the queue; false means that the turn came in the meantime.
func (l *Limiter) giveUp(turn chan struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, t := range l.waiting {
		if t == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// leave gives a place back.
func (l *Limiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	l.admit()
}
