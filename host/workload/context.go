package workload

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/wasi"
)

// callContext is the context of one call of a component: its caller's, with an
// own run of the guest's output and own choices of links, that ends at a deadline and when the workload
// cuts off what still runs. Most calls are over before anybody asks for any of
// this, so each part is made when somebody does: the time of a call counts from
// then on, which is when the runtime first looks at a call that runs, about a
// millisecond after its start. It may be used by any number of goroutines; end it
// when the call has ended.
type callContext struct {
	context.Context //nolint:containedctx // the caller's; this is a context itself

	cut  context.Context //nolint:containedctx // ends the call before its caller does
	most time.Duration   // the longest that it may take; 0: as long as its caller gives

	over atomic.Bool
	live atomic.Pointer[liveContext] // nil: nobody asked when the call ends
	run  atomic.Pointer[runContext]  // nil: nobody asked for the run

	choices link.Choices

	mu    sync.Mutex // held while one of these is set
	until time.Time  // zero: nobody asked
}

// liveContext is one that tells when it is done.
type liveContext struct {
	context.Context //nolint:containedctx // this is a context itself
	release         func()
}

// runContext has the values of [wasi.WithRun].
type runContext struct {
	context.Context //nolint:containedctx // this is a context itself
	end             func()
}

// newCallContext makes the context of a call that takes most at most; 0: as long
// as its caller gives.
func (w *Workload) newCallContext(ctx context.Context, most time.Duration) *callContext {
	return &callContext{Context: ctx, cut: w.base, most: most}
}

// Deadline implements [context.Context].
func (c *callContext) Deadline() (time.Time, bool) {
	if c.most <= 0 {
		return c.Context.Deadline()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline(), true
}

// deadline returns when the call has to end, where it may not take for ever. The
// caller holds mu.
func (c *callContext) deadline() time.Time {
	if c.until.IsZero() {
		c.until = time.Now().Add(c.most)
		if given, ok := c.Context.Deadline(); ok && given.Before(c.until) {
			c.until = given
		}
	}
	return c.until
}

// Done implements [context.Context].
func (c *callContext) Done() <-chan struct{} { return c.alive().Done() }

// Err implements [context.Context].
func (c *callContext) Err() error {
	if l := c.live.Load(); l != nil {
		return l.Err()
	}
	if c.over.Load() || c.cut.Err() != nil {
		return c.alive().Err()
	}
	return c.Context.Err()
}

// Value implements [context.Context].
func (c *callContext) Value(key any) any {
	if wasi.IsRunKey(key) {
		return c.running().Value(key)
	}
	if link.IsChoicesKey(key) {
		return &c.choices
	}
	if l := c.live.Load(); l != nil {
		return l.Value(key)
	}
	return c.Context.Value(key)
}

// alive returns the part that tells when the call is done.
func (c *callContext) alive() *liveContext {
	if l := c.live.Load(); l != nil {
		return l
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.live.Load(); l != nil {
		return l
	}
	ctx, abort := context.WithCancelCause(c.Context)
	cancel := func() {}
	if c.most > 0 {
		ctx, cancel = context.WithDeadline(ctx, c.deadline())
	}
	stop := context.AfterFunc(c.cut, func() { abort(errStopping) })
	l := &liveContext{ctx, func() { stop(); cancel(); abort(nil) }}
	if c.over.Load() {
		l.release()
	}
	c.live.Store(l)
	return l
}

// running returns the part that has the values of the guest's run.
func (c *callContext) running() *runContext {
	if r := c.run.Load(); r != nil {
		return r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.run.Load(); r != nil {
		return r
	}
	ctx, end := wasi.WithRun(c)
	r := &runContext{ctx, end}
	c.run.Store(r)
	return r
}

// end ends the run and all that waits for the call's end.
func (c *callContext) end() {
	if r := c.run.Load(); r != nil {
		r.end()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over.Store(true)
	if l := c.live.Load(); l != nil {
		l.release()
	}
}
