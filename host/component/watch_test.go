package component_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// odd is a context that cannot be compared, by value.
type odd struct {
	context.Context
	_ []int
}

// TestContextsFollowEachOther: calls with the same context, another one, one
// that never ends and one that cannot be compared; each call is bound to its
// own, and what is over does not reach the next one.
func TestContextsFollowEachOther(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	defer i.Close()
	echo, spin := tm.Export("example:types/values", "echo-u32"), tm.Export("example:types/failures", "spin")
	for range 3 {
		first, cancel := context.WithCancel(t.Context())
		late, cancelLate := context.WithTimeout(t.Context(), 3*time.Millisecond)
		for _, ctx := range []context.Context{first, first, context.Background(), odd{Context: first}, odd{Context: first}, late} {
			out, err := i.Call(ctx, echo, []byte{7}, nil)
			if ctx != late {
				require.NoError(t, err)
				require.Equal(t, []byte{7}, out)
			} else if err != nil { // nothing ran
				require.Equal(t, trap.Deadline, trap.As(err).Code)
			}
		}
		<-late.Done() // the watchdog may have looked at it by now
		cancel()
		cancelLate()
		_, err = i.Call(first, echo, []byte{7}, nil)
		require.Equal(t, trap.Cancelled, trap.As(err).Code, "nothing ran, so that nothing is dead")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = i.Call(odd{Context: ctx}, spin, nil, nil)
	require.Equal(t, trap.Deadline, trap.As(err).Code)
}
