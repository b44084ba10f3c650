package component

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Reuse says what becomes of an instance when its call has ended.
type Reuse uint8

// The kinds of reuse.
const (
	// Pristine brings the instance back to the state that it had after its
	// instantiation: every call finds a fresh one. It is the default.
	Pristine Reuse = iota
	// Sticky keeps the state. Which of the instances a call gets is not
	// defined.
	Sticky
	// Fresh makes a new instance for every call.
	Fresh
)

// String returns the name of r.
func (r Reuse) String() string {
	switch r {
	case Pristine:
		return "pristine"
	case Sticky:
		return "sticky"
	case Fresh:
		return "fresh"
	}
	return fmt.Sprintf("Reuse(%d)", uint8(r))
}

// PoolConfig says how a template keeps instances between calls. The zero value is
// the default, and keeps some. The memory of instances that wait is told by
// [Runtime.MemoryIdle]; where a new instance, or one that grows, does not fit the
// limit of the runtime beside them, they are closed.
type PoolConfig struct {
	Reuse Reuse
	// Min instances are made before they are needed, and kept. Default: none.
	Min int
	// Max bounds the instances that wait for a call. Default: 16, or Min.
	Max int
	// Idle is how long an instance that nobody needed is kept. Default: 1
	// minute.
	Idle time.Duration
	// KeepPages is how many written pages of 4 KiB a memory keeps for the next
	// call: one that has more gives all of them back to the system. Default:
	// 4,096, which is 16 MiB.
	KeepPages int
}

// The defaults of [PoolConfig].
const (
	defaultPoolMax   = 16
	defaultPoolIdle  = time.Minute
	defaultKeepPages = 4096
)

// maxPool bounds PoolConfig.Max: each instance takes two mappings of the 65,530
// that Linux gives a process.
const maxPool = 20_000

func (c PoolConfig) withDefaults() (PoolConfig, error) {
	switch {
	case c.Reuse > Fresh:
		return c, fmt.Errorf("pool: %v is no kind of reuse", c.Reuse)
	case c.Min < 0 || c.Min > maxPool:
		return c, fmt.Errorf("pool: min is %d: want 0 to %d", c.Min, maxPool)
	case c.Max < 0 || c.Max > maxPool:
		return c, fmt.Errorf("pool: max is %d: want 0 (the default) to %d", c.Max, maxPool)
	case c.Max > 0 && c.Max < c.Min:
		return c, fmt.Errorf("pool: max is %d, less than min, which is %d", c.Max, c.Min)
	case c.Reuse == Fresh && (c.Min > 0 || c.Max > 0):
		return c, fmt.Errorf("pool: min %d and max %d mean nothing where every instance is fresh", c.Min, c.Max)
	case c.Idle < 0:
		return c, fmt.Errorf("pool: idle is %v: want a time", c.Idle)
	case c.KeepPages < 0:
		return c, fmt.Errorf("pool: keep-pages is %d: want a number of pages", c.KeepPages)
	}
	if c.Max == 0 {
		c.Max = max(defaultPoolMax, c.Min)
	}
	if c.Idle == 0 {
		c.Idle = defaultPoolIdle
	}
	if c.KeepPages == 0 {
		c.KeepPages = defaultKeepPages
	}
	return c, nil
}

// PoolStats is what a template's pool has counted so far.
type PoolStats struct {
	// Idle is how many instances wait for a call now.
	Idle int
	// Hits are the calls that found an instance, Misses those for which one
	// was made.
	Hits, Misses uint64
	// Resets is how many instances were brought back to their first state,
	// ResetTime how long that took in all, WrittenPages how many pages of 4 KiB
	// had been written.
	Resets       uint64
	ResetTime    time.Duration
	WrittenPages uint64
	// Discarded is how many instances were closed instead of kept: after a
	// trap, because the pool was full, or because they could not be reset.
	Discarded uint64
}

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
	stats  PoolStats

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
	}
}

// work makes sure that the goroutine runs and knows of its work. The caller
// holds the lock.
func (p *pool) work() {
	if p.closed {
		return
	}
	if !p.works {
		p.works = true
		p.wg.Go(p.run)
	}
	if !p.awake {
		p.awake = true
		p.wake <- struct{}{} // has room: it was read before the goroutine rested
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
			continue
		case i.renew(ctx) == nil:
			return i
		}
		// A new instance will fail as this one did, and tell.
		p.discarded()
		_ = i.Close()
	}
}

// pop takes an instance out of the pool, one that is ready if there is any.
func (p *pool) pop() (i *Instance, clean bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i = pop(&p.ready); i != nil {
		clean = true
	} else if i = pop(&p.used); i == nil {
		p.stats.Misses++
		return nil, false
	}
	p.stats.Hits++
	p.least = min(p.least, len(p.ready)+len(p.used))
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

// put keeps an instance that was used, and reports whether it did.
func (p *pool) put(i *Instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.ready)+len(p.used) >= p.cfg.Max {
		p.stats.Discarded++
		return false
	}
	i.setIdle(true, p.tmpl.rt)
	if p.cfg.Reuse == Sticky {
		i.since = time.Now()
		p.ready = append(p.ready, i)
		if !p.works {
			p.work() // for those that grow old
		}
		return true
	}
	p.used = append(p.used, i)
	p.work()
	return true
}

// discarded notes an instance that is closed, and has another one made in its
// place if it is one of the least.
func (p *pool) discarded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Discarded++
	if len(p.ready)+len(p.used) < p.cfg.Min {
		p.work()
	}
}

// reset brings an instance back to its first state; one that cannot be is
// closed.
func (p *pool) reset(i *Instance) bool {
	start := time.Now()
	written, err := i.reset(p.cfg.KeepPages)
	i.since = time.Now()
	took := i.since.Sub(start)
	p.mu.Lock()
	if err == nil {
		p.stats.Resets++
		p.stats.ResetTime += took
		p.stats.WrittenPages += uint64(written)
	} else {
		p.stats.Discarded++
	}
	p.mu.Unlock()
	if err != nil {
		_ = i.Close() // it was of no use already
	}
	return err == nil
}

// run is the pool's goroutine: it resets, fills and thins out. Resets come first,
// since an instance that is there is had sooner than a new one.
func (p *pool) run() {
	tick := time.NewTicker(p.cfg.Idle)
	defer tick.Stop()
	var failed backoff
	for p.ctx.Err() == nil {
		if p.cleanOne() || failed.over() && p.fillOne(&failed) || !p.rest(failed.over()) {
			continue
		}
		select {
		case <-p.ctx.Done():
		case <-p.wake:
		case <-failed.timer:
		case <-tick.C:
			p.thin()
		}
	}
}

// rest says that the goroutine waits to be woken, unless there is work, of which
// filling may have to wait.
func (p *pool) rest(fills bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	fills = fills && p.unkept.Load() == nil && len(p.ready)+len(p.used) < p.cfg.Min
	if !p.closed && (len(p.used) > 0 || fills) {
		return false
	}
	if p.awake { // what it was told is done
		p.awake = false
		select {
		case <-p.wake:
		default:
		}
	}
	return true
}

// backoff is the wait after what failed: what fails for want of memory fails for
// a while, and costs all the others time.
type backoff struct {
	wait  time.Duration
	until time.Time
	timer <-chan time.Time // nil: nothing failed
}

// The least and the most of a wait.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = time.Minute
)

func (b *backoff) over() bool { return b.timer == nil || !time.Now().Before(b.until) }

func (b *backoff) fail() {
	b.wait = min(max(2*b.wait, firstWait), lastWait)
	b.until = time.Now().Add(b.wait)
	b.timer = time.After(b.wait)
}

// cleanOne resets an instance that was used, if there is one.
func (p *pool) cleanOne() bool {
	p.resetting.Lock()
	defer p.resetting.Unlock()
	p.mu.Lock()
	i := pop(&p.used)
	p.mu.Unlock()
	if i != nil && p.reset(i) {
		p.add(i)
	}
	return i != nil
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
		_ = i.Close() // nobody is left to be told
	}
}

// fillTime bounds the making of an instance that nobody waits for.
const fillTime = 10 * time.Second

// fillOne makes an instance if there are fewer than the least number. What goes
// wrong is left for the call that needs one to find, and tell.
func (p *pool) fillOne(failed *backoff) bool {
	if p.idle() >= p.cfg.Min || p.unkept.Load() != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(p.ctx, fillTime)
	defer cancel()
	i, err := p.tmpl.newInstance(ctx, false)
	if err == nil && p.cfg.Reuse == Pristine && !i.parked() {
		err = errors.Join(errHolds, i.Close())
	}
	if err != nil {
		failed.fail()
		return false
	}
	*failed = backoff{}
	p.add(i)
	return true
}

func (p *pool) idle() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return math.MaxInt
	}
	return len(p.ready) + len(p.used)
}

// thin closes the instances that nobody needed since the last look: the pool
// never held fewer than these.
func (p *pool) thin() {
	p.mu.Lock()
	n := max(min(p.least, len(p.ready), len(p.ready)+len(p.used)-p.cfg.Min), 0)
	old := append([]*Instance(nil), p.ready[:n]...)
	p.ready = append(p.ready[:0], p.ready[n:]...)
	clear(p.ready[len(p.ready) : len(p.ready)+n])
	p.least = len(p.ready) + len(p.used)
	p.mu.Unlock()
	for _, i := range old {
		_ = i.Close() // nobody is left to be told
	}
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
	s := p.stats
	s.Idle = len(p.ready) + len(p.used)
	return s
}
