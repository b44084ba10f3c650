package wrpc

import (
	"context"
	"sync"
	"sync/atomic"
)

// maxIdleWorkers bounds the goroutines that wait for a call, per server.
const maxIdleWorkers = 32

// workers are the goroutines that carry out calls. Some are kept for the next
// call: the stack of a new one is copied to a larger one several times on the way
// into a component, which took more than the call itself.
type workers struct {
	calls chan arrival // to those that are idle
	idle  atomic.Int32
	wg    sync.WaitGroup
}

// arrival is a call to be served, when it is its turn; nil: now.
type arrival struct {
	in   *incoming
	turn chan struct{}
}

// serve has a call served by a goroutine of its own, until which it does not
// wait.
func (w *workers) serve(ctx context.Context, a arrival) {
	select {
	case w.calls <- a:
	default:
		w.wg.Go(func() { w.work(ctx, a) })
	}
}

// work serves a call and those that come when it has ended, until ctx is done.
func (w *workers) work(ctx context.Context, a arrival) {
	for {
		a.in.serve(a.turn)
		a = arrival{} // which may be large
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case a = <-w.calls:
			w.idle.Add(-1)
		case <-ctx.Done():
			return
		}
	}
}
