package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// call is one call of the schedule, which has ended.
type call struct {
	number int
	err    error // of the call
	failed bool  // the component answered that it could not count
	until  time.Time
}

// callTime bounds a call.
const callTime = 500 * time.Millisecond

// callAny calls a component through its queue group, and does not wait for the
// answer.
func callAny(ctx context.Context, w *world, a [5]int) (string, error) {
	id := componentID(a[0])
	select {
	case w.room <- struct{}{}:
	default:
		return "too many calls run", nil
	}
	number := w.nextCall()
	w.calling.Go(func() {
		defer func() { <-w.room }()
		w.call(ctx, number, lattice.RPCPrefix(harness.Name, id), "")
	})
	return fmt.Sprintf("%d of %s", number, id), nil
}

// burst makes some calls at once at one host.
func burst(ctx context.Context, w *world, a [5]int) (string, error) {
	n, id := w.node(a[0]), componentID(a[1])
	first := 0
	for i := range 2 + a[2]%(maxBurst-1) {
		number := w.nextCall()
		if i == 0 {
			first = number
		}
		w.calling.Go(func() {
			w.call(ctx, number, lattice.DirectPrefix(harness.Name, n.identity.ID, id), where(n, id))
		})
	}
	return fmt.Sprintf("%d and more of %s on host %d", first, id, n.number), nil
}

// where names an id on a host.
func where(n *node, id string) string { return fmt.Sprintf("%s@%d", id, n.number) }

func (w *world) nextCall() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Calls++
	return w.stats.Calls
}

// call makes one call and notes how it ended.
func (w *world) call(ctx context.Context, number int, prefix, place string) call {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	k := key(number, place)
	out, _, err := w.caller.Call(ctx, wrpc.Target{Prefix: prefix, Instance: "example:counter/counter", Func: "increment"},
		wrpc.Meta{SourceID: "sim"}, append([]byte{byte(len(k))}, k...))
	c := call{number: number, err: err, failed: err == nil && (len(out) == 0 || out[0] != 0), until: w.timeout()}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
	if err == nil && !c.failed {
		w.stats.Answered++
	}
	return c
}

// checkCalls compares what calls were told with what was executed. Those that may
// still be executed are kept for the next check. mu is held.
func (w *world) checkCalls() {
	var kept []call
	now := time.Now()
	for _, c := range w.calls {
		ran := w.ledger.times(c.number)
		switch {
		case ran > 1:
			w.violated("call %d ran %d times (it ended with: %v)", c.number, ran, c.err)
		case c.err == nil && !c.failed && ran != 1:
			w.violated("call %d returned and ran %d times", c.number, ran)
		case c.err != nil && !errors.Is(c.err, wrpc.ErrMayHaveRun) && ran > 0:
			w.violated("call %d was reported not to have run, and did: %v", c.number, c.err)
		case now.Before(c.until):
			kept = append(kept, c)
		}
	}
	w.calls = kept
}

// checkPeaks compares how many calls ran at a time with the counts. mu is held.
func (w *world) checkPeaks() {
	peaks := w.ledger.peaks()
	for _, n := range w.nodes {
		for id, p := range n.places {
			most := p.most
			p.any(func(r run) bool { most = max(most, r.count); return false })
			if got := peaks[where(n, id)]; !p.replaced && uint32(got) > most {
				w.violated("%s ran %d calls at a time on host %d, whose count was at most %d", id, got, n.number, most)
			}
			p.most, p.replaced = p.expected().count, false
		}
	}
}

// checkAnswers calls every component that can answer: it runs, it is linked, and
// what it is linked to runs. Commands may have left none, so it has one more have all
// that first.
func (w *world) checkAnswers(ctx context.Context) error {
	for i := range components {
		id := componentID(i)
		w.mu.Lock()
		able := w.settledLink(id) && w.settledRun(id) && w.settledRun(providerID)
		w.mu.Unlock()
		if !able {
			continue
		}
		err := w.answers(ctx, "a call of "+id+", whose way is all there", id, func(string) error { return nil })
		if err != nil {
			return err
		}
	}
	i, n := w.stats.Checks%components, w.node(w.stats.Checks)
	id := componentID(i)
	return w.answers(ctx, fmt.Sprintf("a call of %s, whose way was made on host %d", id, n.number), id, func(last string) error {
		if last != "" { // a command that got no answer may have taken something back since
			w.compare(ctx)
		}
		return w.makeWay(ctx, n, i)
	})
}

// answers calls a component until it answers, after what is to be done before each
// call, which is told how the last one ended.
func (w *world) answers(ctx context.Context, what, id string, before func(last string) error) error {
	last := ""
	var wrong error
	err := w.until(ctx, what, func() bool {
		if wrong = before(last); wrong != nil {
			return true
		}
		c := w.call(ctx, w.nextCall(), lattice.RPCPrefix(harness.Name, id), "")
		last = fmt.Sprintf("failed %t, error %v", c.failed, c.err)
		return c.err == nil && !c.failed
	})
	if err != nil {
		return fmt.Errorf("%w (last: %s)", err, last)
	}
	return wrong
}

// makeWay has a component and what it needs run on a host, and links it, as far as
// commands have not.
func (w *world) makeWay(ctx context.Context, n *node, i int) error {
	key, _ := linkAt(sources+i, 0)
	w.mu.Lock()
	runs, provides := n.place(componentID(i)).expected().count > 0, n.place(providerID).expected().count > 0
	linked := at(w.links, key).settled != ""
	w.mu.Unlock()
	for _, part := range []struct {
		made bool
		do   func(context.Context, *world, [5]int) (string, error)
		of   [5]int
	}{
		{provides, startProvider, [5]int{n.number}},
		{runs, scale, [5]int{n.number, i, 1}},
		{linked, putLink, [5]int{sources + i}},
	} {
		if part.made {
			continue
		}
		did, err := part.do(ctx, w, part.of)
		w.log.Info("made way", zap.String("did", did))
		if err != nil {
			return err
		}
	}
	return nil
}

// settledRun reports whether an id is sure to run somewhere. mu is held.
func (w *world) settledRun(id string) bool {
	for _, n := range w.nodes {
		if p := n.place(id); p.sure(time.Now()) && len(p.pending) == 0 && p.settled.count > 0 {
			return true
		}
	}
	return false
}

// settledLink reports whether a component is sure to be linked. mu is held.
func (w *world) settledLink(id string) bool {
	_, l := linkAt(sources, 0)
	l.SourceID = id
	r := w.links[keyOf(l)]
	return r != nil && r.sure(time.Now()) && r.settled != ""
}
