package state

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Outcomes are kept for less time where there are very many, and never so short that
// who asks for one misses it.
func TestManyOpsAreKeptForLessTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var r opRate
	for range opsAMinute {
		require.Equal(t, OpKept, r.keep(now))
	}
	for range opsAMinute {
		r.keep(now)
	}
	require.InDelta(t, OpKept/2, r.keep(now.Add(time.Second)), float64(time.Second))
	for range 100 * opsAMinute {
		r.keep(now)
	}
	require.Equal(t, opKeptLeast, r.keep(now.Add(59*time.Second)))
	require.Equal(t, opKeptLeast, r.keep(now.Add(61*time.Second)), "what was in the minute before counts")
	require.Equal(t, OpKept, r.keep(now.Add(10*time.Minute)))

	// A host at four times the limit keeps little more than one at the limit.
	kept, at := 0, now.Add(time.Hour)
	for range 20 * opsAMinute { // for five minutes
		if until := at.Add(r.keep(at)); until.After(now.Add(time.Hour + 5*time.Minute)) {
			kept++
		}
		at = at.Add(time.Minute / (4 * opsAMinute))
	}
	require.Less(t, kept, 15*opsAMinute)
}
