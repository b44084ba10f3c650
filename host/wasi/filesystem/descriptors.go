package filesystem

import (
	"context"
	"sync/atomic"
)

// Descriptors of the host that guests may have.
const (
	maxOpen    = 1000 // one instance
	maxOpenAll = 8000 // all instances of a component

	dirCost  = 2 // a directory: what resolves paths, and what names are relative to
	fileCost = 1
)

// counter bounds a number.
type counter struct {
	n     atomic.Int64
	limit int64
}

// ledger counts the descriptors of one instance, if it is known which, and of
// all.
type ledger struct{ one, all *counter }

type instanceKey struct{}

// WithInstance returns a context for one instance, under which its descriptors
// are counted: see the package's limits. Without it, only those of all
// instances are.
func WithInstance(ctx context.Context) context.Context {
	return context.WithValue(ctx, instanceKey{}, &counter{limit: maxOpen})
}

// IsInstanceKey says whether a key of a context's values is that of
// [WithInstance].
func IsInstanceKey(key any) bool {
	_, is := key.(instanceKey)
	return is
}

func (f *Files) ledger(ctx context.Context) ledger {
	one, _ := ctx.Value(instanceKey{}).(*counter)
	return ledger{one, f.open}
}

// take notes n more descriptors, unless they would be too many.
func (l ledger) take(n int64) bool {
	if !l.all.take(n) {
		return false
	}
	if l.one != nil && !l.one.take(n) {
		l.all.give(n)
		return false
	}
	return true
}

func (l ledger) give(n int64) {
	l.all.give(n)
	if l.one != nil {
		l.one.give(n)
	}
}

func (c *counter) take(n int64) bool {
	if c.n.Add(n) > c.limit {
		c.n.Add(-n)
		return false
	}
	return true
}

func (c *counter) give(n int64) { c.n.Add(-n) }
