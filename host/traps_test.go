package host

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/workload"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/wrpc"
)

// told records what a component's traps make known.
type told struct {
	trapped []event.ComponentTrapped
	loops   []event.ComponentCrashLoop
	good    uint64
}

func (r *told) publish(data event.Data) {
	switch d := data.(type) {
	case event.ComponentTrapped:
		r.trapped = append(r.trapped, d)
	case event.ComponentCrashLoop:
		r.loops = append(r.loops, d)
	}
}

func (r *told) traps() *traps {
	return newTraps(r.publish, func() uint64 { return r.good }, "N1", "c", "file:///c.wasm")
}

func (r *told) calls() (n uint64) {
	for _, e := range r.trapped {
		n += e.Count
	}
	return n
}

func failed(cause string) workload.Trap {
	return workload.Trap{Function: "a:b/c.d", SourceID: "s", Code: trap.Unreachable, Cause: cause, TraceID: "4b"}
}

func TestAFailedCallIsToldAtOnce(t *testing.T) {
	t.Parallel()
	r := &told{}
	traps := r.traps()
	traps.add(failed("c: a:b/c.d: unreachable\nbacktrace\x1b[2J"))
	traps.close()
	require.Equal(t, []event.ComponentTrapped{{HostID: "N1", ComponentID: "c", ImageRef: "file:///c.wasm", Count: 1, Function: "a:b/c.d",
		SourceID: "s", Code: "unreachable", Cause: "c: a:b/c.d: unreachable", TraceID: "4b"}}, r.trapped)
	traps.add(failed(strings.Repeat("x", 10*wrpc.MaxDetail)))
	require.Len(t, r.trapped[1].Cause, wrpc.MaxDetail)
}

func TestAStormOfTrapsIsToldOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &told{}
		traps := r.traps()
		for i := range 5000 { // in five seconds
			traps.add(failed(fmt.Sprint(i)))
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		require.LessOrEqual(t, len(r.trapped), 6)
		require.EqualValues(t, 5000, r.calls(), "each is counted, also the last ones")
		require.Equal(t, "4999", r.trapped[len(r.trapped)-1].Cause, "and the last one is told of")

		traps.add(failed("alone"))
		traps.add(failed("and another"))
		traps.close()
		require.EqualValues(t, 5002, r.calls(), "nothing is kept back by the end")
	})
}

func TestACrashLoopIsWhenMostCallsTrap(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		traps, goodEach int
		every           time.Duration
		loops           int
	}{
		"nothing but traps":     {traps: 40, every: 100 * time.Millisecond, loops: 1},
		"half of them":          {traps: 40, goodEach: 1, every: 100 * time.Millisecond, loops: 1},
		"few of many":           {traps: 40, goodEach: 3, every: 100 * time.Millisecond},
		"too few":               {traps: loopTraps - 1, every: time.Millisecond},
		"too slow":              {traps: 40, every: 5 * time.Second},
		"for longer than a bit": {traps: 100, every: time.Second, loops: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &told{}
				traps := r.traps()
				for range tc.traps {
					traps.add(failed("x"))
					r.good += uint64(tc.goodEach) //nolint:gosec // small
					time.Sleep(tc.every)
				}
				traps.close()
				require.Len(t, r.loops, tc.loops)
				for _, l := range r.loops {
					require.Equal(t, event.ComponentCrashLoop{HostID: "N1", ComponentID: "c", ImageRef: "file:///c.wasm", Traps: l.Traps, Calls: l.Calls,
						WindowSeconds: 30, Function: "a:b/c.d", Code: "unreachable", Cause: "x", TraceID: "4b"}, l)
					require.GreaterOrEqual(t, l.Traps, uint64(loopTraps))
					require.LessOrEqual(t, l.Calls, 2*l.Traps)
				}
			})
		})
	}
}
