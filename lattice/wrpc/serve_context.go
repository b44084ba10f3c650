package wrpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// serveContext is the context of a call that is served: its serving's, with the
// caller's [Meta], that ends at the call's deadline, when the caller gives up and
// when the call has ended. Most handlers are done before anybody waits for any of
// that, so timer and channel are made when somebody asks for them. It may be used
// by any number of goroutines.
type serveContext struct {
	context.Context //nolint:containedctx // the serving's; this is a context itself

	meta  Meta
	until time.Time

	over atomic.Bool
	live atomic.Pointer[liveContext] // nil: nobody asked
	mu   sync.Mutex                  // held while live is set
}

// liveContext is one that tells when it is done.
type liveContext struct {
	context.Context //nolint:containedctx // this is a context itself
	stop            context.CancelFunc
	cancel          context.CancelCauseFunc
}

// Deadline implements [context.Context].
func (c *serveContext) Deadline() (time.Time, bool) { return c.until, true }

// Done implements [context.Context].
func (c *serveContext) Done() <-chan struct{} { return c.alive().Done() }

// Err implements [context.Context].
func (c *serveContext) Err() error {
	if l := c.live.Load(); l != nil {
		return l.Err()
	}
	if c.over.Load() || c.Context.Err() != nil || !time.Now().Before(c.until) {
		return c.alive().Err()
	}
	return nil
}

// Value implements [context.Context].
func (c *serveContext) Value(key any) any {
	if _, ok := key.(metaKey); ok {
		return &c.meta
	}
	if l := c.live.Load(); l != nil {
		return l.Value(key)
	}
	return c.Context.Value(key)
}

// alive returns the part that tells when the call is done.
func (c *serveContext) alive() *liveContext {
	if l := c.live.Load(); l != nil {
		return l
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.live.Load(); l != nil {
		return l
	}
	l := &liveContext{}
	l.Context, l.stop = context.WithDeadline(c.Context, c.until)
	l.Context, l.cancel = context.WithCancelCause(l.Context)
	if c.over.Load() {
		l.end()
	}
	c.live.Store(l)
	return l
}

// interrupt ends the context for a reason.
func (c *serveContext) interrupt(cause error) { c.alive().cancel(cause) }

// end ends the context when the call has ended.
func (c *serveContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over.Store(true)
	if l := c.live.Load(); l != nil {
		l.end()
	}
}

func (l *liveContext) end() {
	l.cancel(nil)
	l.stop()
}
