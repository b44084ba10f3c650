package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/lattice"
)

func TestCommandsCannotLiftWhatAGrantBounds(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "grants.yaml")
	require.NoError(t, os.WriteFile(file, []byte("components: {bound: {memory: 4MiB, cpu: 1s, time: 2s, log-rate: 1KiB}}"), 0o600))
	policy, err := grant.ReadFile(file)
	require.NoError(t, err)
	h := &Host{cfg: Config{Limits: component.Limits{Memory: 1 << 20}, MaxTime: time.Minute, LogRate: 5, Grants: policy}}

	for _, c := range []struct {
		id     string
		asked  *lattice.ComponentLimits
		memory uint64
		time   time.Duration
	}{
		{"free", nil, 1 << 20, time.Minute},
		{"free", &lattice.ComponentLimits{MaxMemory: "8388608", MaxExecutionTime: "90000"}, 8 << 20, time.Minute},
		{"bound", nil, 4 << 20, 2 * time.Second},
		{"bound", &lattice.ComponentLimits{MaxMemory: "8388608", MaxExecutionTime: "90000"}, 4 << 20, 2 * time.Second},
		{"bound", &lattice.ComponentLimits{MaxMemory: "65536", MaxExecutionTime: "1"}, 65536, time.Millisecond},
	} {
		limits, maxTime, err := h.limits(c.id, c.asked)
		require.NoError(t, err)
		require.Equal(t, c.memory, limits.Memory, c)
		require.Equal(t, c.time, maxTime, c)
	}
	limits, _, err := h.limits("bound", nil)
	require.NoError(t, err)
	require.Equal(t, time.Second, limits.CPU)
	require.Equal(t, uint64(1<<10), h.logRate(policy.For("bound")))
	require.Equal(t, uint64(5), h.logRate(policy.For("free")))
}
