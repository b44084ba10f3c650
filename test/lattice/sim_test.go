package lattice_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/lathhost/lath/test/sim"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "play only the schedule of this seed")
	simSteps = flag.Int("sim.steps", 500, "the steps of a schedule")
)

// Schedules of commands, calls and faults, by ten seeds; see package sim. One is
// played again by: go test ./test/lattice -run TestSchedules -v -args -sim.seed=N
func TestSchedules(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	m, err := sim.NewMachine(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	for seed := uint64(1); seed <= 10; seed++ {
		if *simSeed > 0 && seed != *simSeed%10+1 {
			continue
		}
		play := seed
		if *simSeed > 0 {
			play = *simSeed
		}
		t.Run(fmt.Sprint(play), func(t *testing.T) {
			t.Parallel()
			log := zap.NewNop()
			if *simSeed > 0 {
				log = zaptest.NewLogger(t)
			}
			did, err := sim.Run(t.Context(), m, sim.Config{Seed: play, Steps: *simSteps, Log: log})
			require.NoError(t, err)
			t.Logf("%+v", did)
			require.Equal(t, *simSteps, did.Steps)
			require.Greater(t, did.Acknowledged, did.Commands/4, "a schedule whose commands are not taken tells nothing")
			require.NotZero(t, did.Answered, "nor does one that answers no calls")
			require.NotZero(t, did.Faults)
			require.NotZero(t, did.Clocks)
			require.NotZero(t, did.Ticks)
		})
	}
}
