package component

import (
	"context"
	"sync/atomic"

	"github.com/lathhost/lath/host/component/trap"
)

// HostBudget bounds what the host's objects hold in memory for one instance:
// see [Limits]. An implementation that keeps what a guest hands it (header
// fields, buffered bodies, names) charges it here, and gives it back when the
// object is dropped; what dies with the call needs no charge. It may be used by
// any number of goroutines. A nil *HostBudget bounds nothing.
type HostBudget struct {
	limit int64
	used  atomic.Int64
	peak  atomic.Int64
}

// Take charges n bytes, or none of them.
//
// # Errors
//
// A *[trap.Error] with code [trap.Limit] where they do not fit: returned from a
// host function it stops the guest, unless the contract has a better answer.
func (b *HostBudget) Take(n int) error {
	if b == nil || n <= 0 {
		return nil
	}
	used := b.used.Add(int64(n))
	if used > b.limit || used < 0 {
		b.used.Add(int64(-n))
		return trap.New(trap.Limit, "what the host would hold for the component exceeds %d bytes", b.limit)
	}
	for peak := b.peak.Load(); used > peak && !b.peak.CompareAndSwap(peak, used); peak = b.peak.Load() {
	}
	return nil
}

// Give gives n bytes back. It may be called after the instance was closed.
func (b *HostBudget) Give(n int) {
	if b != nil && n > 0 {
		b.used.Add(int64(-n))
	}
}

// HostBudgetOf returns the budget of the instance that makes a call into the
// host, from the context that its implementation got; nil where ctx has none.
func HostBudgetOf(ctx context.Context) *HostBudget {
	b, _ := ctx.Value(budgetKey{}).(*HostBudget)
	return b
}

type budgetKey struct{}

// hostContext is what implementations get: a call's context and the budget of
// its instance. Another context gets another one, since it may be kept.
type hostContext struct {
	context.Context
	budget *HostBudget
	// asked is set when somebody asks whether the call is over: who waits for
	// something does, and may come back for that reason.
	asked atomic.Bool
}

// Done implements context.Context.
func (c *hostContext) Done() <-chan struct{} {
	c.asked.Store(true)
	return c.Context.Done()
}

// Err implements context.Context.
func (c *hostContext) Err() error {
	c.asked.Store(true)
	return c.Context.Err()
}

// Value implements context.Context.
func (c *hostContext) Value(key any) any {
	if _, ok := key.(budgetKey); ok {
		return c.budget
	}
	return c.Context.Value(key)
}

// Usage is what an instance took so far.
type Usage struct {
	// Ticks are those of its guest code: see [Limits].CPU.
	Ticks uint64
	// Memory is the most that its linear memories were together, in bytes.
	Memory uint64
	// Handles is the most that its handle tables were together.
	Handles int
	// HostBytes is the most that was charged to its [HostBudget].
	HostBytes int64
}

// Usage returns what the instance took so far. Call it while no call runs; the
// figures stay after Close.
func (i *Instance) Usage() Usage {
	return Usage{Ticks: i.meter.Ticks(), Memory: i.budget.Stats().Peak, Handles: i.tmpl.limits.Handles - i.slots, HostBytes: i.hostBytes.peak.Load()}
}
