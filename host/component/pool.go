package component

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// pool keeps the instances of one template between calls. What was used is
// reset by the pool's own goroutine, off the path of calls, or by the next call
// if that comes first.
type pool struct {
	tmpl *Template
	cfg  PoolConfig
	// unkept is what start functions do, if it keeps instances from being kept.
	unkept atomic.Pointer[string]

	// resetting is held by the goroutine while it has an instance out of both
	// lists, so that who wants all that is idle can wait for it.
	resetting sync.Mutex

	mu     sync.Mutex
	ready  []*Instance // last in, first out: what is in the caches is used again
	used   []*Instance // to be reset
	least  int         // of both together since the last look
	closed bool
	works  bool // the goroutine runs
	awake  bool // and was told of its work, or is at it
	hits   uint64
	misses uint64

	resets, resetTime, written, discards atomic.Uint64 // see [PoolStats]

	wake   chan struct{}
	ctx    context.Context // ends what the goroutine makes, not a caller's
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// startPool gives the template a pool.
func (t *Template) startPool(cfg PoolConfig) {
	p := &pool{tmpl: t, cfg: cfg, wake: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	t.rt.idle.join(p)
	t.pool = p // before its goroutine, which makes instances that look for it
	if cfg.Min > 0 {
		p.mu.Lock()
		p.work()
		p.mu.Unlock()
		p.tell()
	}
}

// work makes sure that the goroutine runs, and reports whether it must be told of
// work that there is now: see tell. The caller holds the lock.
func (p *pool) work() (tell bool) {
	if p.closed {
		return false
	}
	if !p.works {
		p.works = true
		p.wg.Go(p.run)
	}
	tell = !p.awake
	p.awake = true
	return tell
}

// tell wakes the goroutine. It is called without the lock, for which others wait.
func (p *pool) tell() {
	select {
	case p.wake <- struct{}{}:
	default: // it was told, and has not read it yet
	}
}

// take returns an instance as a call is to find it, or nil where there is none.
func (p *pool) take(ctx context.Context) *Instance {
	for {
		i, clean := p.pop()
		switch {
		case i == nil:
			return nil
		case !clean && !p.reset(i):
			p.noHit()
			continue
		case i.renew(ctx) == nil:
			return i
		}
		// A new instance will fail as this one did, and tell.
		p.noHit()
		p.discarded()
		_ = i.Close()
	}
}

// noHit takes back what pop counted: the call looks on. Each counts once.
func (p *pool) noHit() {
	p.mu.Lock()
	p.hits--
	p.mu.Unlock()
}

// pop takes an instance out of the pool, one that is ready if there is any.
func (p *pool) pop() (i *Instance, clean bool) {
	p.mu.Lock()
	if i = pop(&p.ready); i != nil {
		clean = true
	} else if i = pop(&p.used); i == nil {
		p.misses++
		p.mu.Unlock()
		return nil, false
	}
	p.hits++
	p.least = min(p.least, len(p.ready)+len(p.used))
	p.mu.Unlock()
	i.setIdle(false, p.tmpl.rt)
	return i, clean
}

func pop(list *[]*Instance) *Instance {
	n := len(*list) - 1
	if n < 0 {
		return nil
	}
	i := (*list)[n]
	(*list)[n] = nil
	*list = (*list)[:n]
	return i
}

// put keeps an instance that was used, and reports whether it did. Who puts it
// quietly has it reset by clean.
func (p *pool) put(i *Instance, quietly bool) bool {
	list := &p.used
	if p.cfg.Reuse == Sticky {
		i.since, list = time.Now(), &p.ready
	}
	i.setIdle(true, p.tmpl.rt)
	p.mu.Lock()
	if p.closed || len(p.ready)+len(p.used) >= p.cfg.Max {
		p.mu.Unlock()
		p.discards.Add(1)
		return false // it counts as idle until it is closed, which comes now
	}
	*list = append(*list, i)
	tell := false
	if list == &p.used && !quietly || !p.works { // or they grow old
		tell = p.work()
	}
	p.mu.Unlock()
	if tell {
		p.tell()
	}
	return true
}

// clean resets what was put quietly, or leaves it to the goroutine where another
// one is at it.
func (p *pool) clean() {
	for p.resetting.TryLock() {
		more := p.resetOne()
		p.resetting.Unlock()
		if !more {
			return
		}
	}
	p.mu.Lock()
	tell := len(p.used) > 0 && p.work()
	p.mu.Unlock()
	if tell {
		p.tell()
	}
}

// discarded notes an instance that is closed, and has another one made in its
// place if it is one of the least.
func (p *pool) discarded() {
	p.discards.Add(1)
	if p.cfg.Min == 0 {
		return
	}
	p.mu.Lock()
	tell := len(p.ready)+len(p.used) < p.cfg.Min && p.work()
	p.mu.Unlock()
	if tell {
		p.tell()
	}
}

// reset brings an instance back to its first state; one that cannot be is
// closed.
func (p *pool) reset(i *Instance) bool {
	start := time.Now()
	written, err := i.reset(p.cfg.KeepPages)
	i.since = time.Now()
	if err != nil {
		p.discards.Add(1)
		_ = i.Close() // it was of no use already
		return false
	}
	p.resets.Add(1)
	p.resetTime.Add(uint64(i.since.Sub(start)))
	p.written.Add(uint64(written))
	return true
}

// add puts an instance among those that are ready.
func (p *pool) add(i *Instance) {
	p.mu.Lock()
	full := p.closed || len(p.ready)+len(p.used) >= p.cfg.Max
	if !full {
		i.setIdle(true, p.tmpl.rt)
		p.ready = append(p.ready, i)
	}
	p.mu.Unlock()
	if full {
		p.discards.Add(1)
		_ = i.Close() // nobody is left to be told
	}
}

func (p *pool) idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return math.MaxInt
	}
	return len(p.ready) + len(p.used)
}

// close ends the pool and what is in it. Instances that are out are closed when
// they come back.
func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.tmpl.rt.idle.leave(p)
	p.cancel()
	p.wg.Wait()
	p.mu.Lock()
	all := append(p.ready, p.used...)
	p.ready, p.used = nil, nil
	p.mu.Unlock()
	var errs []error
	for _, i := range all {
		errs = append(errs, i.Close())
	}
	return errors.Join(errs...)
}

// making counts the instances that are being made, which need code.
type making struct {
	mu    sync.Mutex
	ended bool
	done  sync.WaitGroup
}

// begin reports whether an instance may be made; done is to be told of its end.
func (m *making) begin() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return false
	}
	m.done.Add(1)
	return true
}

// end has no more made, and waits for those that have begun.
func (m *making) end() {
	m.mu.Lock()
	m.ended = true
	m.mu.Unlock()
	m.done.Wait()
}

func (p *pool) snapshot() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{
		Idle: len(p.ready) + len(p.used), Hits: p.hits, Misses: p.misses,
		Resets: p.resets.Load(), ResetTime: time.Duration(p.resetTime.Load()), WrittenPages: p.written.Load(), Discarded: p.discards.Load(),
	}
}
