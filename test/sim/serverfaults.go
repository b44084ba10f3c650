package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/test/harness"
)

// serverKinds are the steps of a cluster's servers.
func serverKinds() []*kind {
	return []*kind{
		{name: "stop server", weight: 1, fault: true, do: onServer((*servers).stop)},
		{name: "kill server", weight: 1, fault: true, do: onServer((*servers).kill)},
		{name: "cut server off", weight: 1, fault: true, do: onServer(disturb(cut))},
		{name: "hold server", weight: 1, fault: true, do: onServer(disturb(held))},
		{name: "mend server", weight: 5, fault: true, do: mendServer},
	}
}

func disturb(c condition) func(*servers, context.Context, int) error {
	return func(s *servers, _ context.Context, i int) error {
		s.disturb(i, c)
		return nil
	}
}

// onServer makes a step of what happens to a server. Mostly the others are fine: more
// than half of them have to be, or nothing can be stored.
func onServer(do func(*servers, context.Context, int) error) func(context.Context, *world, [5]int) (string, error) {
	return func(ctx context.Context, w *world, a [5]int) (string, error) {
		s, i := w.servers, a[0]%len(w.servers.is)
		if s.is[i] != fine || s.faulty() > 0 && a[1]%8 != 0 {
			return fmt.Sprintf("server %d: not as it is", i), nil
		}
		err := do(s, ctx, i)
		w.unsettle()
		return fmt.Sprintf("server %d", i), err
	}
}

func mendServer(ctx context.Context, w *world, a [5]int) (string, error) {
	i := a[0] % len(w.servers.is)
	if w.servers.is[i] == fine {
		return fmt.Sprintf("server %d: nothing to mend", i), nil
	}
	err := w.servers.mend(ctx, i)
	w.unsettle()
	return fmt.Sprintf("server %d", i), err
}

// unsettle notes a fault of servers: what they carry may be lost without a word to
// those who are connected, until all of them are there again.
func (w *world) unsettle() {
	w.mu.Lock()
	w.unsettled = true
	w.mu.Unlock()
	w.shaken()
	w.fault()
}

// healServers takes back what was done to servers, and waits until each has what it
// is to keep.
func (w *world) healServers(ctx context.Context) error {
	if !w.unsettled {
		return nil
	}
	for i := range w.servers.is {
		if err := w.servers.mend(ctx, i); err != nil {
			return err
		}
	}
	js, err := jetstream.New(w.conn)
	if err != nil {
		return err
	}
	buckets := append(harness.Buckets(), lattice.CronBucket(harness.Name))
	err = w.until(ctx, "the cluster is whole", func() bool {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return harness.Whole(ctx, js, buckets...)
	})
	w.shaken()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unsettled, w.shakenAt = false, time.Now()
	return err
}

// restartNATS stops the one server there is and starts it at the same address, with
// what it has stored.
func restartNATS(ctx context.Context, w *world, a [5]int) (string, error) {
	if a[0]%2 != 0 {
		return "not now", nil // it takes as long as many other steps
	}
	if err := w.servers.stop(ctx, 0); err != nil {
		return "", err
	}
	if err := w.servers.start(ctx, 0); err != nil {
		return "", err
	}
	err := w.conn.ForceReconnect() // or it takes its time
	if err == nil {
		err = w.until(ctx, "the schedule's own connection is back", func() bool { return w.conn.IsConnected() && w.conn.FlushTimeout(time.Second) == nil })
	}
	w.shaken()
	w.fault()
	return "done", err
}
