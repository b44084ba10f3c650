package component_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// TestInstanceRunsOneCallAtATime: a second caller is refused, and an early
// Close ends the call but unmaps nothing under it.
func TestInstanceRunsOneCallAtATime(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		for {
			_, err := i.Call(ctx, tm.Export("example:types/failures", "spin"), nil, nil)
			if trap.As(err) != nil {
				ended <- err
				return
			} // else the other caller held the token
		}
	}()
	for refused := false; !refused; {
		_, err := i.Call(ctx, tm.Export("example:types/values", "echo-u32"), []byte{1}, nil)
		refused = err != nil
		if refused {
			require.ErrorContains(t, err, "one at a time")
		}
	}
	require.ErrorContains(t, i.Close(), "running a call")
	require.Equal(t, trap.Cancelled, trap.As(<-ended).Code)
	require.NoError(t, i.Close())
	require.NoError(t, i.Close(), "idempotent")
}
