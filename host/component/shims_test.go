package component_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// TestShims calls functions by way of shims, whether their detours are shortened
// or not.
func TestShims(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "testdata/shims.wasm"), component.LinkConfig{Name: "shims"})
	for expr, want := range map[string]string{
		"direct(5)": "12", "late(5)": "18", "shared(5)": "7", "starts(1)": "43",
	} {
		got, err := call(t, tm, expr)
		require.NoError(t, err, expr)
		require.Equal(t, want, got, expr)
	}
	for expr, want := range map[string]trap.Code{"hole(5)": trap.TableOutOfBounds, "type(5)": trap.IndirectCall} {
		_, err := call(t, tm, expr)
		require.NotNil(t, trap.As(err), "%s: %v", expr, err)
		require.Equal(t, want, trap.As(err).Code, expr)
	}
}

func TestShimCalledBeforeItIsFilledTraps(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "testdata/shim-early.wasm"), component.LinkConfig{Name: "early"})
	_, err := tm.Take(t.Context())
	require.NotNil(t, trap.As(err), "%v", err)
	require.Equal(t, trap.TableOutOfBounds, trap.As(err).Code)
}
