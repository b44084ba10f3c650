package component

import (
	"context"
	"errors"
	"time"
)

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
	return p.resetOne()
}

// resetOne is cleanOne for who holds resetting.
func (p *pool) resetOne() bool {
	p.mu.Lock()
	i := pop(&p.used)
	p.mu.Unlock()
	if i != nil && p.reset(i) {
		p.add(i)
	}
	return i != nil
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
