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
	simSteps = flag.Int("sim.steps", 0, "the steps of a schedule")
)

// Schedules of commands, calls and faults, by ten seeds; see package sim. One is
// played again by: go test ./test/lattice -run TestSchedules -v -args -sim.seed=N
func TestSchedules(t *testing.T) {
	t.Parallel()
	playSchedules(t, 10, sim.Config{Steps: 500})
}

// The same on a cluster of three NATS servers, which stop, die, and do not reach each
// other.
func TestClusterSchedules(t *testing.T) {
	t.Parallel()
	playSchedules(t, 2, sim.Config{Steps: 250, Servers: 3})
}

func playSchedules(t *testing.T, seeds uint64, cfg sim.Config) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	m, err := sim.NewMachine(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	if *simSteps > 0 {
		cfg.Steps = *simSteps
	}
	first := uint64(1)
	if *simSeed > 0 {
		first, seeds = *simSeed, 1
	}
	for seed := first; seed < first+seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			cfg := cfg
			cfg.Seed, cfg.Log = seed, zap.NewNop()
			if *simSeed > 0 {
				cfg.Log = zaptest.NewLogger(t)
			}
			did, err := sim.Run(t.Context(), m, cfg)
			require.NoError(t, err)
			t.Logf("%+v", did)
			require.Equal(t, cfg.Steps, did.Steps)
			require.Greater(t, did.Acknowledged, did.Commands/4, "a schedule whose commands are not taken tells nothing")
			require.GreaterOrEqual(t, did.Answered, did.Checks, "nor does one that answers no calls between its faults")
			require.NotZero(t, did.Checks)
			require.NotZero(t, did.Faults)
			require.NotZero(t, did.Clocks)
			require.NotZero(t, did.Ticks)
		})
	}
}
