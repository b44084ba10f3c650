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

func TestTheOperatorDecidesAboutPools(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "grants.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`components:
  sticky: {pool: {reuse: sticky, min: 3, max: 5, idle: 2m}}
  pristine: {pool: {reuse: pristine}}
  fresh: {pool: {reuse: fresh}}
  small: {pool: {max: 2}}
`), 0o600))
	policy, err := grant.ReadFile(file)
	require.NoError(t, err)
	h := &Host{cfg: Config{Grants: policy}}
	asks := func(reuse, warm string) map[string]string {
		m := map[string]string{"other": "x"}
		if reuse != "" {
			m[lattice.AnnotationReuse] = reuse
		}
		if warm != "" {
			m[lattice.AnnotationWarm] = warm
		}
		return m
	}
	most := grant.MaxPool
	for _, c := range []struct {
		id          string
		reuse, warm string
		max         uint32
		want        component.PoolConfig
	}{
		{"free", "", "", 10, component.PoolConfig{Max: most}},
		{"free", "sticky", "4", 10, component.PoolConfig{Reuse: component.Sticky, Min: 4, Max: most}},
		{"free", "fresh", "", 10, component.PoolConfig{Reuse: component.Fresh}},
		{"free", "", "", 1 << 31, component.PoolConfig{Max: most}},
		{"sticky", "", "", 10, component.PoolConfig{Reuse: component.Sticky, Min: 3, Max: 5, Idle: 2 * time.Minute}},
		{"sticky", "pristine", "1", 10, component.PoolConfig{Reuse: component.Sticky, Min: 3, Max: 5, Idle: 2 * time.Minute}},
		{"sticky", "", "", 2, component.PoolConfig{Reuse: component.Sticky, Min: 2, Max: 5, Idle: 2 * time.Minute}},
		{"pristine", "sticky", "2", 10, component.PoolConfig{Min: 2, Max: most}},
		{"fresh", "sticky", "2", 10, component.PoolConfig{Reuse: component.Fresh}},
		{"small", "", "4", 10, component.PoolConfig{Min: 2, Max: 2}},
	} {
		got, err := h.pool(c.id, asks(c.reuse, c.warm), c.max)
		require.NoError(t, err, c)
		require.Equal(t, c.want, got, c)
	}
	for _, c := range []struct {
		reuse, warm string
		want        string
	}{
		{"dirty", "", `annotation lath.reuse: invalid: "dirty": want pristine`},
		{"", "0", `annotation lath.warm: invalid: "0": want a number of instances, 1 to 20000`},
		{"", "many", `annotation lath.warm: invalid: "many": want`},
		{"", "11", "annotation lath.warm: invalid: 11 instances, but only 10 calls may run at a time"},
		{"fresh", "1", "annotation lath.warm: invalid: none is kept, since lath.reuse is fresh"},
	} {
		_, err := h.pool("free", asks(c.reuse, c.warm), 10)
		require.ErrorIs(t, err, lattice.ErrInvalid)
		require.ErrorContains(t, err, c.want)
	}
}
