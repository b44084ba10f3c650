package component_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// Where the host has no room, its callers can try again; where the component's own
// limit is too small, they cannot.
func TestNoMemoryOnTheHost(t *testing.T) {
	t.Parallel()
	rt, err := component.New(t.Context(), component.Config{MemoryLimit: 7 << 16}) // an instance has 3 pages
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close(context.Background())) })
	tm := linkTo(t, compile(t, rt, "testdata/state.wasm"), component.LinkConfig{Name: "state"})
	var out [2]*component.Instance
	for k := range out {
		out[k], err = tm.Take(t.Context())
		require.NoError(t, err)
	}
	_, err = tm.Take(t.Context())
	require.ErrorIs(t, err, component.ErrNoMemory)
	require.ErrorIs(t, err, &trap.Error{Code: trap.Limit})
	require.NoError(t, out[0].Close())
	i, err := tm.Take(t.Context())
	require.NoError(t, err, "there is room again")
	require.NoError(t, i.Close())
	require.NoError(t, out[1].Close())
}
