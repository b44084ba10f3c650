package lattice_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// A link is a boundary on both routes: this suite runs over each of them.
func onBothRoutes(t *testing.T, test func(t *testing.T, r *route)) {
	t.Run("in-process", func(t *testing.T) {
		t.Parallel()
		l := harness.New(t)
		seen := &identity{}
		a := l.Host(seen.offer)
		test(t, &route{l: l, source: a, target: a, name: wrpc.InProcess, seen: seen})
	})
	t.Run("remote", func(t *testing.T) {
		t.Parallel()
		l := harness.New(t)
		seen := &identity{}
		a, b := l.Host(nil), l.Host(seen.offer)
		test(t, &route{l: l, source: a, target: b, name: wrpc.OverNATS, seen: seen})
	})
}

// route is two places joined by one kind of route.
type route struct {
	l              *harness.Lattice
	source, target *harness.Node
	name           wrpc.Route
	seen           *identity
}

func (r *route) call(t *testing.T, expr string) (harness.Answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	defer cancel()
	return r.l.Call(ctx, r.source, "source", expr)
}

// chain starts chain as source and target and links them.
func (r *route) chain(t *testing.T, limit uint32) {
	t.Helper()
	require.NoError(t, r.source.Start("source", "chain", limit))
	require.NoError(t, r.target.Start("target", "chain", limit))
	require.NoError(t, r.l.Link("source", "target", "example:chain/step"))
}

func TestBoundaryValues(t *testing.T) {
	t.Parallel()
	onBothRoutes(t, func(t *testing.T, r *route) {
		require.NoError(t, r.source.Start("source", "relay", 4))
		require.NoError(t, r.target.Start("target", "types-utf16", 4))
		require.NoError(t, r.l.Link("source", "target", "example:types/values"))
		for _, c := range []struct{ fn, value string }{
			{"echo-string", `"naïve 漢字 😀"`}, {"echo-shape", `label("x")`}, {"echo-u64", "18446744073709551615"},
			{"echo-people", `[{name: "Ada", at: {x: -1, y: 2}, tags: ["a"], born: some(1815), mood: green}]`},
			{"echo-result", `err("bad")`}, {"echo-option-option", "some(none)"},
		} {
			got, err := r.call(t, "example:types/values."+c.fn+"("+c.value+")")
			require.NoError(t, err, c.fn)
			require.Equal(t, c.value, got.WAVE, c.fn)
			require.Len(t, got.Hops, 1)
			require.Equal(t, r.name, got.Hops[0].Route)
			require.Equal(t, "target", got.Hops[0].Target)
		}
	})
}

func TestBoundaryErrors(t *testing.T) {
	t.Parallel()
	onBothRoutes(t, func(t *testing.T, r *route) {
		r.chain(t, 4)
		got, err := r.call(t, "example:chain/step.go(1, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(2)", got.WAVE)
		got, err = r.call(t, "example:chain/step.go(1, fail)")
		require.NoError(t, err)
		require.Equal(t, `err("asked to fail")`, got.WAVE)
	})
}

func TestBoundaryTraps(t *testing.T) {
	t.Parallel()
	onBothRoutes(t, func(t *testing.T, r *route) {
		r.chain(t, 4)
		// Where the result has room, the caller lives and is told.
		const cause = `component "source", link "default" to "target", example:chain/step.go: trap: target: example:chain/step.go: unreachable`
		got, err := r.call(t, "example:chain/step.go(1, trap)")
		require.NoError(t, err)
		require.Regexp(t, `^`+regexp.QuoteMeta(`err("`+strings.ReplaceAll(cause, `"`, `\"`))+` \(trace [0-9a-f]{32}\)"\)$`, got.WAVE)
		// Where it has none, the caller traps with the whole story.
		_, err = r.call(t, "example:chain/step.run(1, trap)")
		require.ErrorIs(t, err, wrpc.ErrTrap)
		require.ErrorContains(t, err, `source: example:chain/step.run: import failed: example:chain/step.run: component "source", link "default" to "target", example:chain/step.run: trap: target: example:chain/step.run: unreachable`)
		// The target goes on: only that one instance is dead.
		got, err = r.call(t, "example:chain/step.go(1, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(2)", got.WAVE)
	})
}

func TestBoundaryDeadline(t *testing.T) {
	t.Parallel()
	onBothRoutes(t, func(t *testing.T, r *route) {
		r.chain(t, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := r.l.Call(ctx, r.source, "source", "example:chain/step.run(1, spin)")
		// The target may find out first; then its word reaches the caller just in time.
		if !errors.Is(err, context.DeadlineExceeded) {
			require.ErrorContains(t, err, `link "default" to "target", example:chain/step.run: timeout`)
		}
		// Both instances end by themselves: with one of each, the next call
		// could not run otherwise.
		got, err := r.call(t, "example:chain/step.go(1, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(2)", got.WAVE)
	})
}

func TestBoundaryIdentity(t *testing.T) {
	t.Parallel()
	onBothRoutes(t, func(t *testing.T, r *route) {
		require.NoError(t, r.source.Start("source", "counter", 1))
		require.NoError(t, r.target.StartProvider("target", "witness"))
		require.NoError(t, r.l.Link("source", "target", "wasi:keyvalue/store,atomics"))
		got, err := r.call(t, `example:counter/counter.increment("x")`)
		require.NoError(t, err)
		require.Equal(t, "ok(7)", got.WAVE)
		m := r.seen.last.Load()
		require.Equal(t, "source", m.SourceID)
		require.Equal(t, "default", m.LinkName)
		require.Equal(t, []string{"source"}, m.Path)
	})
}

func TestBoundaryLimits(t *testing.T) {
	t.Parallel()
	onBothRoutes(t, func(t *testing.T, r *route) {
		r.chain(t, 1)
		// The one instance of target is busy with a call of its own.
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		spinning := make(chan error, 1)
		go func() {
			_, err := r.l.Call(ctx, r.target, "target", "example:chain/step.run(0, spin)")
			spinning <- err
		}()
		// A call that cannot get in before its deadline is told so and ends.
		r.l.Eventually("target is busy", func() bool {
			short, done := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer done()
			got, err := r.l.Call(short, r.source, "source", "example:chain/step.go(1, finish)")
			return err != nil || strings.Contains(got.WAVE, "busy")
		})
		cancel()
		require.ErrorIs(t, <-spinning, context.Canceled)
		r.l.Eventually("target is free again", func() bool {
			got, err := r.call(t, "example:chain/step.go(1, finish)")
			return err == nil && got.WAVE == "ok(2)"
		})
	})
}

// Callers that get no instance in time are told so, all of them about when they
// were to be, and the first call after the load is answered.
func TestBoundaryOverload(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		l := harness.New(t)
		edit := func(c *host.Config) { c.MaxWait = 100 * time.Millisecond }
		r := &route{l: l, source: l.Host(edit)}
		if r.target = r.source; !together {
			r.target = l.Host(edit)
		}
		r.chain(t, 1)
		require.NoError(t, r.source.Start("source", "chain", 200))
		ctx, cancel := context.WithCancel(t.Context())
		spinning := make(chan error, 1)
		go func() {
			_, err := l.Call(ctx, r.target, "target", "example:chain/step.run(0, spin)")
			spinning <- err
		}()
		busy := func(n int) func() bool {
			return func() bool {
				for _, s := range r.target.Host.Stats().Components {
					if s.ID == "target" {
						return s.Running == n
					}
				}
				return false
			}
		}
		l.Eventually("target is busy", busy(1))
		var all errgroup.Group
		for range 200 {
			all.Go(func() error {
				got, err := r.call(t, "example:chain/step.go(1, finish)")
				if err == nil && !strings.Contains(got.WAVE, "busy: no instance of \\\"target\\\" became free within 100ms") {
					err = errors.New(got.WAVE)
				}
				return err
			})
		}
		require.NoError(t, all.Wait())
		cancel()
		require.ErrorIs(t, <-spinning, context.Canceled)
		l.Eventually("target is free again", busy(0))
		got, err := r.call(t, "example:chain/step.go(1, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(2)", got.WAVE)
	}
}

func TestBoundaryCallCycle(t *testing.T) {
	t.Parallel()
	onBothRoutes(t, func(t *testing.T, r *route) {
		r.chain(t, 1)
		require.NoError(t, r.l.Link("target", "source", "example:chain/step"))
		start := time.Now()
		got, err := r.call(t, "example:chain/step.go(5, finish)")
		require.NoError(t, err)
		require.Contains(t, got.WAVE, "busy: ")
		require.Contains(t, got.WAVE, "call cycle: source → target → source")
		require.Less(t, time.Since(start), 10*time.Second, "it answers; it does not hang until the deadline")

		// With instances to spare, the same ring is no cycle.
		require.NoError(t, r.source.Start("source", "chain", 4))
		require.NoError(t, r.target.Start("target", "chain", 4))
		r.l.Eventually("the ring runs", func() bool {
			got, err := r.call(t, "example:chain/step.go(5, finish)")
			return err == nil && got.WAVE == "ok(6)"
		})
	})
}

func TestBoundaryMemoryLimit(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		l := harness.New(t)
		small := func(c *host.Config) { c.Limits = component.Limits{Memory: 1 << 20} }
		a := l.Host(small)
		b := a
		if !together {
			b = l.Host(small)
		}
		require.NoError(t, a.Start("source", "relay", 4))
		require.NoError(t, b.Start("target", "types", 4))
		require.NoError(t, l.Link("source", "target", "example:types/values"))
		_, err := l.Call(t.Context(), a, "source", "example:types/values.fill(100000000, 1)")
		require.ErrorIs(t, err, wrpc.ErrTrap)
		require.ErrorContains(t, err, `link "default" to "target", example:types/values.fill: trap: target: example:types/values.fill`)
		_, err = l.Call(t.Context(), a, "source", "example:types/values.fill(10, 1)")
		require.NoError(t, err)
	}
}

// identity is a key-value provider that remembers who called it.
type identity struct {
	last atomic.Pointer[wrpc.Meta]
}

func (i *identity) offer(c *host.Config) {
	c.Builtins = append(c.Builtins, provider.Builtin{Name: "witness",
		Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
			return &provider.Capabilities{KeyvalueAtomics: i, KeyvalueStore: noStore{}}, nil
		}})
}

// Increment implements keyvalue.Atomics.
func (i *identity) Increment(ctx context.Context, _, _ string, _ uint64) (uint64, error) {
	m, _ := wrpc.MetaFromContext(ctx)
	i.last.Store(&m)
	return 7, nil
}
