package serve

import (
	"context"
	"sync"
	"sync/atomic"
)

// maxIdle bounds the goroutines that wait for a handler's next request.
const maxIdle = 64

// workers are goroutines that run guests. They are kept for the next one: a guest
// needs a deep stack, and a new goroutine gets there by copying, again and again.
type workers struct {
	tasks chan func() // to those that are idle
	idle  atomic.Int32
	all   sync.WaitGroup
}

// do has a goroutine of its own run a task, and does not wait for it. After ctx, no
// goroutine is kept.
func (w *workers) do(ctx context.Context, task func()) {
	select {
	case w.tasks <- task:
	default:
		w.all.Go(func() { w.work(ctx, task) })
	}
}

func (w *workers) work(ctx context.Context, task func()) {
	for {
		task()
		task = nil // which holds its request
		if w.idle.Add(1) > maxIdle {
			w.idle.Add(-1)
			return
		}
		select {
		case task = <-w.tasks:
			w.idle.Add(-1)
		case <-ctx.Done():
			w.idle.Add(-1)
			return
		}
	}
}
