package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/lathhost/lath/host/oci"
)

// patience is how long a person waits without asking what happens.
const patience = time.Second

// transfer shows how far a push or pull is, on a terminal. done ends the bar;
// it must be called.
func (c *cli) transfer(ctx context.Context, name string) (progress oci.Progress, done func()) {
	if c.json() || !terminal(c.stderr) {
		return nil, func() {}
	}
	p := mpb.NewWithContext(ctx, mpb.WithOutput(c.stderr), mpb.WithWidth(40))
	bar := p.AddBar(0, mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(name+" ")),
		mpb.AppendDecorators(decor.Counters(decor.SizeB1024(0), "% .1f / % .1f")))
	progress = func(done, total int64) {
		bar.SetTotal(total, false)
		bar.SetCurrent(done)
	}
	return progress, func() {
		bar.SetTotal(-1, true)
		p.Wait()
	}
}

// waiting shows that something is awaited, on a terminal and after a second.
// done ends it; it must be called.
func (c *cli) waiting(what string) (done func()) {
	return c.waitingFor(func() string { return what })
}

// waitingFor is waiting for something that changes. what is asked again and
// again, by another goroutine.
func (c *cli) waitingFor(what func() string) (done func()) {
	if c.json() || !terminal(c.stderr) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-ctx.Done():
			return
		case <-time.After(patience):
		}
		p := mpb.New(mpb.WithOutput(c.stderr), mpb.WithWidth(2))
		bar := p.New(0, mpb.SpinnerStyle().PositionLeft(), mpb.BarRemoveOnComplete(),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + what() + " " }), decor.Elapsed(decor.ET_STYLE_GO)))
		<-ctx.Done()
		bar.Abort(true)
		p.Wait()
	}()
	return func() {
		cancel()
		<-ended
	}
}

// compiling shows that a component is compiled, as waiting does, and how far that
// is, once progress is called: see component.LinkConfig.
func (c *cli) compiling(name string) (progress func(done, total int), done func()) {
	var text atomic.Pointer[string]
	show := func(s string) { text.Store(&s) }
	show("compiling " + name)
	progress = func(done, total int) {
		show(fmt.Sprintf("compiling %s: %d of %d modules", name, done, total))
	}
	return progress, c.waitingFor(func() string { return *text.Load() })
}
