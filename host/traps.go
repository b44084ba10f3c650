package host

import (
	"sync"
	"time"

	"github.com/lathhost/lath/host/workload"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/wrpc"
)

// trapEvery is how far apart a component's events of traps are at least: whoever
// may call it may make it trap as often as he likes, and everyone hears of it.
const trapEvery = time.Second

// A component is in a crash loop when, within loopWindow, loopTraps calls or more
// have trapped and no more than that have succeeded.
const (
	loopWindow = 30 * time.Second
	loopTraps  = 10
)

// traps tells the lattice of the calls of one component that failed: of each, but
// of many by one event. It is safe for concurrent use. Close it.
type traps struct {
	publish             func(event.Data)
	succeeded           func() uint64 // how many calls have, so far
	host, id, reference string

	mu      sync.Mutex
	last    workload.Trap
	untold  uint64
	next    time.Time   // when the next event may be told
	telling *time.Timer // not nil while something is to be told
	closed  bool

	began      time.Time // the window
	within     uint64    // traps since then
	succeeded0 uint64    // calls that had succeeded by then
	looped     bool      // told for this window
}

func newTraps(publish func(event.Data), succeeded func() uint64, host, id, reference string) *traps {
	return &traps{publish: publish, succeeded: succeeded, host: host, id: id, reference: reference}
}

// add takes a failed call.
func (t *traps) add(trap workload.Trap) {
	trap.Cause = wrpc.CleanDetail(trap.Cause)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.last = trap
	t.untold++
	switch {
	case t.closed || !now.Before(t.next):
		t.tell(now)
	case t.telling == nil:
		t.telling = time.AfterFunc(t.next.Sub(now), t.tellRest)
	}
	t.count(now)
}

// tell tells of all that was not told. The lock is held.
func (t *traps) tell(now time.Time) {
	t.publish(event.ComponentTrapped{HostID: t.host, ComponentID: t.id, ImageRef: t.reference, Count: t.untold,
		Function: t.last.Function, SourceID: t.last.SourceID, Code: string(t.last.Code), Cause: t.last.Cause, TraceID: t.last.TraceID})
	t.untold, t.next = 0, now.Add(trapEvery)
}

func (t *traps) tellRest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.telling = nil
	if t.untold > 0 {
		t.tell(time.Now())
	}
}

// count looks for a crash loop, and tells of it once in a window. The lock is held.
func (t *traps) count(now time.Time) {
	if now.Sub(t.began) >= loopWindow {
		t.began, t.within, t.succeeded0, t.looped = now, 0, t.succeeded(), false
	}
	t.within++
	if t.looped || t.within < loopTraps {
		return
	}
	good := max(t.succeeded(), t.succeeded0) - t.succeeded0 // a count that is read while calls end may be too high
	if good > t.within {
		return
	}
	t.looped = true
	t.publish(event.ComponentCrashLoop{HostID: t.host, ComponentID: t.id, ImageRef: t.reference,
		Traps: t.within, Calls: t.within + good, WindowSeconds: loopWindow.Seconds(),
		Function: t.last.Function, Code: string(t.last.Code), Cause: t.last.Cause, TraceID: t.last.TraceID})
}

// close tells at once what is left to tell. Idempotent.
func (t *traps) close() {
	t.mu.Lock()
	t.closed = true
	telling := t.telling
	t.telling = nil
	t.mu.Unlock()
	if telling != nil && telling.Stop() {
		t.tellRest()
	}
}
