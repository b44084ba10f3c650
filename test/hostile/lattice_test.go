package hostile_test

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
	"github.com/lathhost/lath/test/hostile/guests"
)

// TestHostWithstands runs some of the worst guests on a host: their callers
// across the lattice are told what happened, by kind, and another component of
// that host answers all the time.
func TestHostWithstands(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Start("neighbour", "types", 4))
	start := func(id, guest string, limits *lattice.ComponentLimits) {
		wasm, err := guests.Component(guest)
		require.NoError(t, err)
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: l.File(guest+".wasm", wasm), MaxInstances: 4, Limits: limits}))
	}
	// Their calls end at 50 ms, but for those that end by themselves.
	start("cpu", "served-cpu", &lattice.ComponentLimits{MaxExecutionTime: "50"})
	start("deep", "served-cpu", nil)
	start("start", "served-start", &lattice.ComponentLimits{MaxExecutionTime: "50"})

	stop := make(chan struct{})
	var neighbour sync.WaitGroup
	answers := 0
	neighbour.Go(func() {
		for {
			got, err := l.Call(t.Context(), n, "neighbour", "example:types/values.echo-u32(7)")
			if !assert.NoError(t, err, "the neighbour suffers") || !assert.Equal(t, "7", got.WAVE) {
				return
			}
			answers++
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	var attackers sync.WaitGroup
	for _, c := range []struct {
		id, fn, params string
		is             error
		text           string
	}{
		{"cpu", "spin", "", wrpc.ErrTimeout, "deadline exceeded"},
		{"cpu", "grow", "", wrpc.ErrTimeout, "deadline exceeded"},
		{"cpu", "lie", "\x00", wrpc.ErrTrap, "canonical ABI"},
		{"deep", "recurse", "", wrpc.ErrTrap, "stack overflow"},
		{"deep", "lie", "\x00", wrpc.ErrTrap, "canonical ABI"},
		{"start", "nothing", "", wrpc.ErrTimeout, "deadline exceeded"},
	} {
		attackers.Go(func() {
			for range 5 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				_, _, err := l.Calls.Call(ctx, wrpc.Target{Prefix: lattice.DirectPrefix(harness.Name, n.ID, c.id),
					Instance: "hostile:test/served", Func: c.fn}, wrpc.Meta{SourceID: "test"}, []byte(c.params))
				cancel()
				assert.ErrorIs(t, err, c.is, "%s.%s", c.id, c.fn)
				assert.ErrorContains(t, err, c.text, "%s.%s", c.id, c.fn)
			}
		})
	}
	attackers.Wait()
	close(stop)
	neighbour.Wait()
	require.Positive(t, answers)
	got, err := l.Call(t.Context(), n, "neighbour", "example:types/values.echo-u32(8)")
	require.NoError(t, err)
	require.Equal(t, "8", got.WAVE)
	require.Zero(t, n.Runtime.MemoryInUse(), "guest memory is left")
}

// TestFullMemoryEndsItsInstance calls a guest again and again that keeps its state
// and leaks: what fills its memory is told to the caller, counted as a trap, and
// the next call finds a new instance.
func TestFullMemoryEndsItsInstance(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	wasm, err := guests.Component("leak")
	require.NoError(t, err)
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "leak", ComponentRef: l.File("leak.wasm", wasm), MaxInstances: 1,
		Limits: &lattice.ComponentLimits{MaxMemory: "1048576"}, Annotations: map[string]string{lattice.AnnotationReuse: "sticky"}}))
	stats := func() lattice.ComponentStats { return n.Host.Stats().Components[0] }
	const size, lives, calls = 100_000, 3, 1 << 20 / 100_000 // in one life
	params := append(binary.AppendUvarint(nil, size), make([]byte, size)...)
	take := func() ([]byte, error) {
		out, _, err := l.Calls.Call(t.Context(), wrpc.Target{Prefix: lattice.DirectPrefix(harness.Name, n.ID, "leak"), Func: "take"},
			wrpc.Meta{SourceID: "test"}, params)
		return out, err
	}
	for life := range uint64(lives) {
		for k := range byte(calls) {
			out, err := take()
			require.NoError(t, err)
			require.Equal(t, []byte{k + 1}, out, "calls of this instance")
			l.Eventually("the instance is back", func() bool { return stats().Pool.Idle == 1 })
		}
		_, err := take()
		require.ErrorIs(t, err, wrpc.ErrTrap)
		require.ErrorContains(t, err, "leak: take: unreachable: memory is nearly full: 1048576 of at most 1048576 bytes")
		l.Eventually("it is counted", func() bool { return stats().Errors["unreachable"] == life+1 })
		l.Eventually("its memory is given back", func() bool { return n.Runtime.MemoryInUse()+n.Runtime.MemoryIdle() == 0 })
	}
	s := stats()
	require.Equal(t, uint64(lives), s.Pool.Misses)
	require.Equal(t, uint64(lives), s.Pool.Discarded)
	require.Equal(t, uint64(lives*(calls+1)), s.Calls)
	require.Len(t, s.Errors, 1)
}

// TestHostBoundsWhatItStarts has a host refuse what is too large, and go on.
func TestHostBoundsWhatItStarts(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(func(c *host.Config) { c.Limits.CodeBytes = 1 << 20 })
	for guest, text := range map[string]string{
		"bomb-exports":   "component executes more than 1000000 definitions",
		"bomb-modules":   "at most 1048576 are allowed",
		"minimum-memory": "memory of 65536 pages",
		"minimum-table":  "4294967295",
	} {
		wasm, err := guests.Component(guest)
		require.NoError(t, err)
		err = n.Scale(ctl.ScaleComponent{ComponentID: guest, ComponentRef: l.File(guest+".wasm", wasm), MaxInstances: 1})
		require.ErrorContains(t, err, text)
	}
	require.NoError(t, n.Start("neighbour", "types", 4))
	_, err := l.Call(t.Context(), n, "neighbour", "example:types/values.echo-u32(7)")
	require.NoError(t, err)
}
