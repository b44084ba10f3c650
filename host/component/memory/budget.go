package memory

import (
	"fmt"
	"math"
	"sync/atomic"
)

// Budget bounds the bytes of linear memory that guests may use, and counts
// them. Budgets form a chain: a component's budget draws on the host's, and a
// growth must fit all of them. A nil *Budget bounds nothing.
//
// What counts is a memory's current size, as the guest sees it, whether or not
// the pages were ever touched: so the limit holds even if every guest touches
// all that it was given.
//
// A Budget may be used by any number of goroutines.
type Budget struct {
	parent   *Budget
	limit    uint64
	full     func(want uint64) bool
	used     atomic.Uint64
	peak     atomic.Uint64
	reserved atomic.Uint64
	refused  atomic.Uint64
	images   images // of a root
}

// Stats is what a [Budget] counted. The fields are read one by one, so under
// load they may be of slightly different moments.
type Stats struct {
	Limit    uint64 // bytes
	Used     uint64 // bytes that memories may use now
	Peak     uint64 // the highest Used so far
	Reserved uint64 // bytes of address space held
	Refused  uint64 // how many requests did not fit
}

// NewBudget makes a budget of limit bytes, 0 meaning no limit, that draws on
// parent, which may be nil.
func NewBudget(limit uint64, parent *Budget) *Budget {
	if limit == 0 {
		limit = math.MaxUint64
	}
	return &Budget{parent: parent, limit: limit}
}

// OnFull has more called where a parent, not b itself, refuses what is asked of
// b: if it reports that it gave something back there, b asks again. It is called
// by whoever makes or grows a memory. Set it, or nil, while nobody draws on b.
func (b *Budget) OnFull(more func(want uint64) bool) { b.full = more }

// retry reports whether it makes sense to ask a parent again.
func (b *Budget) retry(want uint64) bool { return b != nil && b.full != nil && b.full(want) }

// Stats returns the counts.
func (b *Budget) Stats() Stats {
	if b == nil {
		return Stats{Limit: math.MaxUint64}
	}
	return Stats{
		Limit: b.limit, Used: b.used.Load(), Peak: b.peak.Load(),
		Reserved: b.reserved.Load(), Refused: b.refused.Load(),
	}
}

// ResetPeak makes the peak what is in use now. Nobody may draw on b meanwhile.
func (b *Budget) ResetPeak() { b.peak.Store(b.used.Load()) }

// take charges n bytes to the whole chain, or to none of it.
func (b *Budget) take(n uint64) bool {
	for l := b; l != nil; l = l.parent {
		for ok := l.takeOne(n); !ok; ok = l.takeOne(n) {
			if l == b || !b.retry(n) {
				b.refuse(l, n)
				return false
			}
		}
	}
	for l := b; l != nil; l = l.parent {
		l.raisePeak(l.used.Load())
	}
	return true
}

// refuse takes back what the budgets below l were charged.
func (b *Budget) refuse(l *Budget, n uint64) {
	l.refused.Add(1)
	for u := b; u != l; u = u.parent {
		u.used.Add(-n)
	}
}

func (b *Budget) takeOne(n uint64) bool {
	for {
		used := b.used.Load()
		if n > b.limit || used > b.limit-n {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (b *Budget) raisePeak(used uint64) {
	for {
		peak := b.peak.Load()
		if used <= peak || b.peak.CompareAndSwap(peak, used) {
			return
		}
	}
}

func (b *Budget) give(n uint64) {
	for l := b; l != nil; l = l.parent {
		l.used.Add(-n)
	}
}

func (b *Budget) reserve(n uint64) {
	for l := b; l != nil; l = l.parent {
		l.reserved.Add(n)
	}
}

func (b *Budget) unreserve(n uint64) {
	for l := b; l != nil; l = l.parent {
		l.reserved.Add(-n)
	}
}

// BudgetError says that a memory did not fit its [Budget].
type BudgetError struct {
	Want uint64 // bytes asked for
}

// Error implements error.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("%d bytes of linear memory exceed the memory budget", e.Want)
}
