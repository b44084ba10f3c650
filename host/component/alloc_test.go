package component_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
)

// TestAFreshInstanceAllocatesLittle holds in place what linking does once so that
// no instance has to. Of about 37 allocations 25 are wazero's.
func TestAFreshInstanceAllocatesLittle(t *testing.T) {
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "../../examples/types/types.wasm"),
		component.LinkConfig{Name: "types", Pool: component.PoolConfig{Reuse: component.Fresh}})
	allocs := testing.AllocsPerRun(100, func() {
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		require.NoError(t, i.Close())
	})
	require.LessOrEqual(t, allocs, 45.0)
}
