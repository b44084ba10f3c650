package workload

import (
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/lattice/wrpc"
)

// kinds are what errors are counted by: what a caller is told, or the code of a
// trap. The last one is for what is none of these.
var kinds = [...]string{
	wrpc.Busy.String(), wrpc.Refused.String(),
	string(trap.Unreachable), string(trap.MemoryOutOfBounds), string(trap.TableOutOfBounds), string(trap.IndirectCall),
	string(trap.IntegerOverflow), string(trap.DivideByZero), string(trap.StackOverflow), string(trap.Abi),
	string(trap.Reentrance), string(trap.MayNotLeave), string(trap.Handle), string(trap.Deadline),
	string(trap.Cancelled), string(trap.Limit), string(trap.Import), string(trap.Host), string(trap.Exit),
	string(trap.Poisoned), string(trap.Unsupported), string(trap.Other),
	"failed",
}

// kindOf returns the index of what an error is counted by.
func kindOf(err error) int {
	name := ""
	call, told := errors.AsType[*wrpc.Error](err)
	if told && (call.Code == wrpc.Busy || call.Code == wrpc.Refused) {
		name = call.Code.String()
	} else if t := trap.As(err); t != nil {
		name = string(t.Code)
	}
	if k := slices.Index(kinds[:], name); k >= 0 {
		return k
	}
	return len(kinds) - 1
}

// Meter counts what a component does. One meter serves the workloads that
// replace each other under one id, so that an update does not count anew. The
// zero value is not usable; it is safe for concurrent use, and counting takes no
// lock.
type Meter struct {
	since  time.Time
	calls  atomic.Uint64
	ticks  atomic.Uint64
	memory atomic.Uint64
	errors [len(kinds)]atomic.Uint64

	mu    sync.Mutex
	pools []*component.Template
	past  component.PoolStats // of pools that have ended
}

// NewMeter makes a meter that counts from now on.
func NewMeter() *Meter { return &Meter{since: time.Now()} }

// ended counts a call that has ended.
func (m *Meter) ended(err error) {
	m.calls.Add(1)
	if err != nil {
		m.errors[kindOf(err)].Add(1)
	}
}

// Succeeded is how many calls have ended well.
func (m *Meter) Succeeded() uint64 {
	var failed uint64
	for k := range m.errors {
		failed += m.errors[k].Load()
	}
	calls := m.calls.Load() // later than the errors: there is never less
	return calls - failed
}

// used counts what a call took of its instance, which spent ticks before it.
func (m *Meter) used(u component.Usage, before uint64) {
	m.ticks.Add(u.Ticks - before)
	for {
		peak := m.memory.Load()
		if u.Memory <= peak || m.memory.CompareAndSwap(peak, u.Memory) {
			return
		}
	}
}

// failures returns the errors that there were, by kind.
func (m *Meter) failures() map[string]uint64 {
	list := map[string]uint64{}
	for k := range m.errors {
		if n := m.errors[k].Load(); n > 0 {
			list[kinds[k]] = n
		}
	}
	return list
}

// watch counts what a template's pool does, until unwatch keeps what it counted.
func (m *Meter) watch(t *component.Template) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pools = append(m.pools, t)
}

func (m *Meter) unwatch(t *component.Template) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.past = sum(m.past, t.Pool())
	m.pools = slices.DeleteFunc(m.pools, func(x *component.Template) bool { return x == t })
}

// pool returns what all pools together have counted: while one replaces
// another, both of them.
func (m *Meter) pool() component.PoolStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.past
	for _, t := range m.pools {
		now := t.Pool()
		all = sum(all, now)
		all.Idle += now.Idle
	}
	return all
}

func sum(a, b component.PoolStats) component.PoolStats {
	a.Hits += b.Hits
	a.Misses += b.Misses
	a.Resets += b.Resets
	a.ResetTime += b.ResetTime
	a.WrittenPages += b.WrittenPages
	a.Discarded += b.Discarded
	return a
}

// nanoseconds is a duration as counters have it.
func nanoseconds(d time.Duration) uint64 { return uint64(min(max(d, 0), math.MaxInt64)) }
