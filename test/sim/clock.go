package sim

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/cron"
	"github.com/lathhost/lath/providers/messaging"
	"github.com/lathhost/lath/test/harness"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// maxSkew is how far a host's wall clock may be off.
const maxSkew = 10 * time.Minute

// clock is the wall clock of one host's machine, which may be set while it runs.
type clock struct{ skew atomic.Int64 }

// now is what the clock shows. It tells nothing of what has passed.
func (c *clock) now() time.Time { return time.Now().Round(0).Add(time.Duration(c.skew.Load())) }

func (c *clock) set(skew time.Duration) { c.skew.Store(int64(skew)) }

// skewOf draws how far a clock is off, to the second.
func skewOf(n int) time.Duration {
	most := int(maxSkew / time.Second)
	return time.Duration(n%(2*most+1)-most) * time.Second
}

// setClock sets a host's clock forward or back. It is no fault: nothing may come of
// it.
func setClock(_ context.Context, w *world, a [5]int) (string, error) {
	n, skew := w.node(a[0]), skewOf(a[1])
	n.clock.set(skew)
	w.mu.Lock()
	w.stats.Clocks++
	w.mu.Unlock()
	return fmt.Sprintf("of host %d to be off by %s", n.number, skew), nil
}

// overdue is how long after its time a tick may be fired: cron lets it be ten seconds
// late, and a machine that is busy adds to that.
const overdue = 30 * time.Second

// tick is a schedule that a copy of the cron provider on each host follows, by
// whatever clock the host has.
func (n *node) tick(ctx context.Context) (*cron.Provider, error) {
	p, err := cron.New(cron.Config{ID: "cron", Holder: n.identity.ID, Lattice: harness.Name, Conn: n.conn, Now: n.clock.now, Log: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	links := []messaging.Link{{Name: "every", Target: "second", Handler: ticks{n},
		Settings: provider.Settings{Config: map[string]string{"schedule": "@every 1s", "lease_ms": "1000"}}}}
	return p, n.w.until(ctx, "a schedule is followed", func() bool { err = p.SetLinks(provider.Settings{}, links)[0]; return err == nil })
}

// ticks are heard on a host.
type ticks struct{ n *node }

// HandleMessage implements contract.Handler.
func (t ticks) HandleMessage(_ context.Context, msg contract.BrokerMessage) error {
	w, at := t.n.w, string(msg.Body)
	due, err := time.Parse(time.RFC3339, at)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Ticks++

	switch w.fired[at]++; {
	case err != nil:
		w.violated("a tick %q: %v", at, err)
	case w.fired[at] > 1:
		w.violated("tick %s was fired %d times, the last time by host %d", at, w.fired[at], t.n.number)
	case time.Since(due).Abs() > overdue:
		w.violated("tick %s was fired at %s by host %d, whose clock is off by %s", at, lattice.HumanDuration(time.Since(due)), t.n.number, time.Duration(t.n.clock.skew.Load()))
	}
	return nil
}

// checkTicks waits until there was a tick since the last check.
func (w *world) checkTicks(ctx context.Context) error {
	return w.until(ctx, "the schedule goes on", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		is := w.stats.Ticks > w.ticked
		w.ticked = w.stats.Ticks
		return is
	})
}
