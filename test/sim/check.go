package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// check heals everything, waits until the lattice is as it must be, and returns
// what is not: an error where it never became so, or the schedule does not work.
func (w *world) check(ctx context.Context) error {
	if err := w.healAll(ctx); err != nil {
		return err
	}
	w.calling.Wait()
	var differs []string
	err := w.until(ctx, "the lattice is as commands left it", func() bool {
		differs = w.compare(ctx)
		return len(differs) == 0
	})
	if err != nil {
		return fmt.Errorf("%w:\n  %s", err, strings.Join(differs, "\n  "))
	}
	for _, n := range w.nodes {
		if err := w.checkOutcomes(ctx, n); err != nil {
			return err
		}
	}
	if err := w.checkAnswers(ctx); err != nil {
		return err
	}
	if err := w.checkTicks(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checkCalls()
	w.checkPeaks()
	if len(w.wrong) > 0 {
		return errors.New(strings.Join(w.wrong, "\n  "))
	}
	return nil
}

// checkOutcomes asks what became of commands that a host has acknowledged, whether
// or not an event told: since it lives, it has to know.
func (w *world) checkOutcomes(ctx context.Context, n *node) error {
	w.mu.Lock()
	lost := maps.Clone(n.lost)
	clear(n.lost)
	w.mu.Unlock()
	for id, c := range lost {
		last := ""
		err := w.until(ctx, fmt.Sprintf("the outcome of #%d (%s), which host %d has acknowledged, is known", c.command, id, n.number), func() bool {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			op, err := w.control.Op(ctx, id)
			last = fmt.Sprintf("%+v, %v", op, err)
			return err == nil && op.State != lattice.OpAccepted && (op.State == lattice.OpFailed || !c.fails)
		})
		if err != nil {
			return fmt.Errorf("%w (last: %s)", err, last)
		}
	}
	return nil
}

// healAll takes all faults back, and waits until all servers and hosts are there.
func (w *world) healAll(ctx context.Context) error {
	if err := w.healServers(ctx); err != nil {
		return err
	}
	for _, n := range w.nodes {
		if !n.up {
			if err := n.start(ctx); err != nil {
				return err
			}
			continue
		}
		n.resume()
		n.heal()
	}
	for _, n := range w.nodes {
		err := w.until(ctx, fmt.Sprintf("host %d is connected", n.number), func() bool {
			if !n.conn.IsConnected() {
				_ = n.conn.ForceReconnect() // its pauses would be ours; it comes back anyway
			}
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			return n.conn.IsConnected() && n.conn.FlushWithContext(ctx) == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare returns in what the lattice is not as it may be, and takes what it finds
// for what is.
func (w *world) compare(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	stored, err := w.stored(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	var differs []string
	w.mu.Lock()
	differs = append(differs, differ("link", w.links, stored.links, w.timeout())...)
	differs = append(differs, differ("config", w.configs, stored.configs, w.timeout())...)
	w.mu.Unlock()
	for _, n := range w.nodes {
		if known := linkValues(n.host.Links()); !maps.Equal(known, stored.links) {
			differs = append(differs, fmt.Sprintf("host %d has links %v, the bucket %v", n.number, known, stored.links))
		}
		inv, err := w.control.Inventory(ctx, n.identity.ID)
		if err != nil {
			return append(differs, err.Error())
		}
		w.mu.Lock()
		differs = append(differs, n.differs(inv)...)
		w.mu.Unlock()
	}
	return differs
}

// differs compares what a host runs with what commands left there. mu is held.
func (n *node) differs(inv *lattice.Inventory) (list []string) {
	runs := map[string]run{}
	for _, c := range inv.Components {
		runs[c.ID] = run{count: c.MaxInstances, image: c.ImageRef, command: commandOf(c.Annotations)}
	}
	for _, p := range inv.Providers {
		runs[p.ID] = run{count: 1, image: p.ImageRef, command: commandOf(p.Annotations)}
	}
	for id := range runs {
		n.place(id) // also what no command started
	}
	for id, p := range n.places {
		switch {
		case len(p.pending) > 0:
			list = append(list, fmt.Sprintf("host %d: no outcome of #%d for %s was told", n.number, p.pending[0].command, id))
		case !p.may(runs[id]):
			list = append(list, fmt.Sprintf("host %d: of %s runs %s, and %s should", n.number, id, runs[id], p.settled))
		default:
			p.saw(runs[id], time.Now(), n.w.timeout())
		}
	}
	set := map[string]string{}
	for name, value := range inv.Labels {
		if !strings.HasPrefix(name, "hostcore.") {
			set[name] = value
		}
	}
	return append(list, differ(fmt.Sprintf("host %d: label", n.number), n.labels, set, n.w.timeout())...)
}

// differ compares registers with what there is, an absent one being empty. What was
// there before may come back until a time.
func differ[K comparable](what string, known map[K]*register[string], is map[K]string, until time.Time) (list []string) {
	for k := range is {
		at(known, k)
	}
	for k, r := range known {
		if !r.may(is[k]) {
			list = append(list, fmt.Sprintf("%s %v is %q, and should be %q", what, k, is[k], r.settled))
			continue
		}
		r.saw(is[k], time.Now(), until)
	}
	return list
}

// stored is what the buckets hold.
type stored struct {
	links   map[ctl.DeleteLink]string
	configs map[string]string
}

// stored reads the buckets themselves, as another program would.
func (w *world) stored(ctx context.Context) (*stored, error) {
	s := &stored{links: map[ctl.DeleteLink]string{}, configs: map[string]string{}}
	js, err := jetstream.New(w.conn)
	if err != nil {
		return nil, err
	}
	err = entries(ctx, js, lattice.LatticeBucket(harness.Name), func(key string, value []byte) error {
		if _, ok := lattice.ParseSpecKey(key); !ok {
			return nil
		}
		var spec struct{ Links []lattice.Link }
		if err := json.Unmarshal(value, &spec); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		maps.Copy(s.links, linkValues(spec.Links))
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = entries(ctx, js, lattice.ConfigBucket(harness.Name), func(key string, value []byte) error {
		var c struct{ V string }
		if key == base {
			return nil
		}
		if err := json.Unmarshal(value, &c); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		s.configs[key] = c.V
		return nil
	})
	return s, err
}

// entries calls f for what is in a bucket.
func entries(ctx context.Context, js jetstream.JetStream, bucket string, f func(key string, value []byte) error) error {
	kv, err := js.KeyValue(ctx, bucket)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	watcher, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	defer watcher.Stop() //nolint:errcheck // what it gave is whole
	for {
		select {
		case e := <-watcher.Updates():
			if e == nil {
				return nil
			}
			if err := f(e.Key(), e.Value()); err != nil {
				return fmt.Errorf("bucket %s: %w", bucket, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("bucket %s: %w", bucket, ctx.Err())
		}
	}
}

func linkValues(links []lattice.Link) map[ctl.DeleteLink]string {
	values := map[ctl.DeleteLink]string{}
	for _, l := range links {
		values[keyOf(l)] = linkValue(l)
	}
	return values
}
