package component

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// How a call ends with its context: most calls are over before anybody could
// have told them to stop, and must not pay for it. A call only says that it
// runs, by one atomic store. The runtime's watchdog looks at the instances that
// ran a call of late, once per tick. Where it finds the same call twice, it has
// the call's context tell when it is done: from then on the end is on time;
// before that it is late by a tick at most.

// The states of an instance. Whoever takes it out of stateIdle owns it.
const (
	stateIdle    uint32 = iota
	stateBusy           // owned; the watchdog stays away
	stateCalling        // a call runs, which the watchdog has not seen
	stateSeen           // a call runs, which the watchdog has seen
)

// watch is the part of an instance by which it learns that a call is over.
type watch struct {
	// state says who owns the instance: exactly one goroutine runs guest code of
	// a store at a time.
	state atomic.Uint32
	// listed is set while the watchdog has the instance on its list.
	listed atomic.Bool

	mu      sync.Mutex // keeps stopped and what the meter was told the same
	stopped atomic.Bool

	looking sync.Mutex     // held where stateSeen is entered or left
	unhook  func() bool    // takes onDone off the context that has it
	onDone  func()         // contextDone, as the value that contexts call
	done    sync.WaitGroup // onDone, while the context has it
	idle    int            // ticks without a call; the watchdog's own
}

// take makes the caller the owner of the instance, until it is let go.
func (i *Instance) take() bool { return i.watch.state.CompareAndSwap(stateIdle, stateBusy) }

// letGo ends ownership without a call.
func (i *Instance) letGo() { i.watch.state.Store(stateIdle) }

// begin makes a call the owner of the instance and attaches its context. It
// reports whether nobody else owns it.
func (i *Instance) begin(ctx context.Context) bool {
	if !i.watch.state.CompareAndSwap(stateIdle, stateCalling) {
		return false
	}
	if !i.boundTo(ctx) {
		// The watchdog may have found the last call's context meanwhile.
		i.detach(false)
		i.attach(ctx)
	}
	if !i.watch.listed.Load() {
		i.tmpl.rt.watchdog.add(i)
	}
	return true
}

// attach attaches a context to an instance that is owned.
func (i *Instance) attach(ctx context.Context) {
	i.ctx.Base, i.hostCtx = ctx, nil
	i.watch.state.Store(stateCalling)
}

// boundTo reports whether calls have this very context, of whatever type: to compare
// it with == would panic where it cannot be compared.
func (i *Instance) boundTo(ctx context.Context) bool {
	type value struct{ typ, data unsafe.Pointer }
	return *(*value)(unsafe.Pointer(&i.ctx.Base)) == *(*value)(unsafe.Pointer(&ctx))
}

// end detaches the context of a call that ended well and lets the instance go.
func (i *Instance) end() {
	if !i.watch.state.CompareAndSwap(stateCalling, stateIdle) {
		i.detach(false)
		i.letGo()
	}
}

// detach takes the context of a call off, after which the instance is still
// owned. An interruption that came too late for a call that ended well is kept
// from the next one.
func (i *Instance) detach(failed bool) {
	w := &i.watch
	if w.state.CompareAndSwap(stateCalling, stateBusy) {
		return
	}
	w.looking.Lock()
	unhook := w.unhook
	w.unhook = nil
	w.state.Store(stateBusy)
	w.looking.Unlock()
	if unhook == nil {
		return
	}
	if unhook() {
		w.done.Done()
		return
	}
	w.done.Wait()
	if failed {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped.Store(false)
	i.meter.ClearInterrupt()
}

// look looks whether a call runs, and has its context tell when it is done if
// it is done or the call was seen before.
func (i *Instance) look() (calling bool) {
	w := &i.watch
	w.looking.Lock()
	defer w.looking.Unlock()
	first := w.state.CompareAndSwap(stateCalling, stateSeen)
	if !first && w.state.Load() != stateSeen {
		return false
	}
	ctx := i.ctx.Base
	if ctx != nil && w.unhook == nil && (!first || ctx.Err() != nil) && ctx.Done() != nil {
		w.done.Add(1)
		w.unhook = context.AfterFunc(ctx, w.onDone)
	}
	return true
}

// contextDone is called when the context of a call has ended.
func (i *Instance) contextDone() {
	defer i.watch.done.Done()
	i.interrupt()
}

// interrupt makes running guest code trap at its next check.
func (i *Instance) interrupt() {
	i.watch.mu.Lock()
	defer i.watch.mu.Unlock()
	i.watch.stopped.Store(true)
	i.meter.Interrupt()
}

const (
	// watchTick is how late the end of a context may be noticed.
	watchTick = time.Millisecond
	// watchIdle is how many ticks an instance stays on the list without a call.
	watchIdle = 4
)

// watchdog looks at the calls of a runtime. Its goroutine runs from the first
// call until the runtime is closed, and sleeps while no instance is listed.
type watchdog struct {
	mu     sync.Mutex
	added  []*Instance // since the last tick
	runs   bool
	closed bool

	wake chan struct{}
	stop chan struct{}
	wg   sync.WaitGroup
}

func newWatchdog() *watchdog {
	return &watchdog{wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// add lists an instance, unless it is listed.
func (d *watchdog) add(i *Instance) {
	if !i.watch.listed.CompareAndSwap(false, true) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.added = append(d.added, i)
	if !d.runs && !d.closed {
		d.runs = true
		d.wg.Go(d.run)
	}
	if len(d.added) == 1 {
		select {
		case d.wake <- struct{}{}:
		default:
		}
	}
}

// run is the watchdog's goroutine.
func (d *watchdog) run() {
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	var list []*Instance
	for {
		if len(list) == 0 {
			tick.Stop()
			select {
			case <-d.wake:
			case <-d.stop:
				return
			}
			tick.Reset(watchTick)
		}
		select {
		case <-tick.C:
		case <-d.stop:
			return
		}
		list = d.patrol(d.arrived(list))
	}
}

// arrived appends what was listed since the last tick.
func (d *watchdog) arrived(list []*Instance) []*Instance {
	d.mu.Lock()
	defer d.mu.Unlock()
	list = append(list, d.added...)
	clear(d.added)
	d.added = d.added[:0]
	return list
}

// patrol looks at the listed instances and returns those that stay listed.
func (d *watchdog) patrol(list []*Instance) []*Instance {
	kept := list[:0]
	for _, i := range list {
		if i.stays() {
			kept = append(kept, i)
		}
	}
	clear(list[len(kept):])
	return kept
}

// stays looks at an instance and says whether it stays listed.
func (i *Instance) stays() bool {
	w := &i.watch
	if i.look() {
		w.idle = 0
		return true
	}
	if w.idle++; w.idle < watchIdle {
		return true
	}
	w.idle = 0
	w.listed.Store(false)
	// A call that began before it could see that lists the instance itself
	// or is found here: one of the two.
	return w.state.Load() == stateCalling && w.listed.CompareAndSwap(false, true)
}

// close ends the goroutine. No call may be running.
func (d *watchdog) close() {
	d.mu.Lock()
	closed := d.closed
	d.closed = true
	d.mu.Unlock()
	if !closed {
		close(d.stop)
	}
	d.wg.Wait()
}
