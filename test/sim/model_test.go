package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var r register[string]
	require.True(t, r.may(""))
	r.set("a")
	require.True(t, r.sure(now))
	require.False(t, r.may(""), "a command that was acknowledged has taken effect")

	r.maybe("b", now.Add(time.Second))
	require.False(t, r.sure(now))
	r.set("c")
	require.False(t, r.may("a"))
	require.True(t, r.may("b"), "what got no answer may come late")
	r.saw("b", now, now.Add(time.Minute))
	require.True(t, r.may("b"))
	require.True(t, r.may("c"), "it may have been seen in the middle of a change")
	require.False(t, r.sure(now.Add(2*time.Second)), "that lingers, too")
	require.True(t, r.sure(now.Add(2*time.Minute)))
	require.False(t, r.may("c"))
	r.saw("d", now, now.Add(time.Minute))
	require.False(t, r.may("d"), "what nobody commanded is not taken for what is")
}

func TestPlace(t *testing.T) {
	t.Parallel()
	now := time.Now()
	one, two := run{count: 2, image: "a", command: 1}, run{count: 3, image: "b", command: 2}
	var p place
	p.accepted(pending{command: 1, run: one})
	p.accepted(pending{command: 2, run: two, fails: true})
	require.Equal(t, one, p.expected(), "a command that has to fail changes nothing")
	require.EqualValues(t, 3, p.most)
	_, known := p.told(3)
	require.False(t, known)
	c, known := p.told(1)
	require.True(t, known)
	p.set(c.run)
	require.True(t, p.sure(now))

	p.accepted(pending{command: 3, run: run{}})
	lost := p.shaken(now.Add(time.Minute))
	require.Len(t, lost, 2)
	require.Empty(t, p.pending)
	require.True(t, p.may(one), "it may not have stopped")
	require.True(t, p.may(run{}), "or it may")
	require.False(t, p.may(two))
}

// The same seed makes the same schedule, and faults come when there is something to
// break.
func TestSchedule(t *testing.T) {
	t.Parallel()
	names := func(seed uint64, clustered bool) (list []string, faults []int) {
		for i, s := range schedule(seed, 1000, clustered) {
			list = append(list, s.kind.name)
			if s.kind.fault {
				faults = append(faults, i)
			}
		}
		return list, faults
	}
	a, faults := names(1, false)
	b, _ := names(1, false)
	c, _ := names(2, false)
	require.Equal(t, a, b)
	require.NotEqual(t, a, c)
	require.GreaterOrEqual(t, faults[0], 200)
	for _, k := range kinds(false) {
		require.Contains(t, a, k.name)
	}
	d, _ := names(1, true)
	for _, k := range kinds(true) {
		require.Contains(t, d, k.name)
	}
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	var g growth
	for range firstSamples {
		require.NoError(t, g.check(size{goroutines: 100, heap: 1 << 20}))
	}
	require.NoError(t, g.check(size{goroutines: 100 + moreGoroutine, heap: 1<<20 + moreHeap}))
	require.ErrorContains(t, g.check(size{goroutines: 101 + moreGoroutine}), "goroutines")
	require.ErrorContains(t, g.check(size{heap: 2<<20 + moreHeap}), "heap")
}
