package component

import (
	"sync"
	"sync/atomic"
	"time"
)

// idle is what the pools of a runtime keep together: it can be had back.
type idle struct {
	bytes atomic.Int64 // of linear memory

	mu    sync.Mutex
	pools map[*pool]struct{}
}

func (d *idle) join(p *pool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pools == nil {
		d.pools = map[*pool]struct{}{}
	}
	d.pools[p] = struct{}{}
}

func (d *idle) leave(p *pool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.pools, p)
}

// reclaim makes room for want bytes of linear memory: it closes the instance that
// waits for a call longest, of any pool, and reports whether there was one, so
// that it makes sense to ask again. Where closing all of them would not be enough,
// none is: a guest that asks for too much does not cost others theirs.
func (r *Runtime) reclaim(want uint64) bool {
	if limit := r.budget.Stats().Limit; want > limit || r.MemoryInUse() > limit-want {
		return false
	}
	return r.idle.closeOne()
}

func (d *idle) closeOne() bool {
	if i := d.oldest(); i != nil {
		_ = i.Close() // nobody is left to be told
		return true
	}
	// All that is idle is being reset, or nothing is.
	d.mu.Lock()
	pools := make([]*pool, 0, len(d.pools))
	for p := range d.pools {
		pools = append(pools, p)
	}
	d.mu.Unlock()
	for _, p := range pools {
		p.resetting.Lock()
		i := p.evict()
		p.resetting.Unlock()
		if i != nil {
			_ = i.Close() // as above
			return true
		}
	}
	return false
}

// oldest takes out the instance that waits longest.
func (d *idle) oldest() *Instance {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		var from *pool
		var since time.Time
		for p := range d.pools {
			if t, ok := p.oldest(); ok && (from == nil || t.Before(since)) {
				from, since = p, t
			}
		}
		if from == nil {
			return nil
		}
		if i := from.evict(); i != nil {
			return i
		}
	}
}

// oldest returns since when the pool's oldest instance waits.
func (p *pool) oldest() (since time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case len(p.ready) > 0:
		return p.ready[0].since, true
	case len(p.used) > 0:
		return p.used[0].since, true // since it was made or reset before: older than it is
	}
	return since, false
}

// evict takes the oldest instance out of the pool.
func (p *pool) evict() *Instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range []*[]*Instance{&p.ready, &p.used} {
		if len(*list) == 0 {
			continue
		}
		i := (*list)[0]
		n := copy(*list, (*list)[1:])
		(*list)[n] = nil
		*list = (*list)[:n]
		p.discards.Add(1)
		p.least = min(p.least, len(p.ready)+len(p.used))
		return i
	}
	return nil
}

// setIdle counts the instance's memory among what is idle, or no more. Who reads
// both counts reads that of idle memory first: see [Runtime.MemoryInUse].
func (i *Instance) setIdle(yes bool, rt *Runtime) {
	var now int64
	if yes {
		now = int64(i.budget.Stats().Used)
	}
	if now != i.idle {
		rt.idle.bytes.Add(now - i.idle)
		i.idle = now
	}
}

// MemoryInUse returns the bytes of linear memory of the instances that calls
// have. What pools keep beside them is [Runtime.MemoryIdle]; both together are
// bounded by [Config].
func (r *Runtime) MemoryInUse() uint64 {
	idle := uint64(max(r.idle.bytes.Load(), 0)) // before Used, which is lowered first
	used := r.budget.Stats().Used
	return used - min(idle, used)
}

// MemoryIdle returns the bytes of linear memory of the instances that wait in
// pools for a call.
func (r *Runtime) MemoryIdle() uint64 { return uint64(max(r.idle.bytes.Load(), 0)) }
