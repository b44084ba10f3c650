package component_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// The components of these tests are in testdata, with their source; wasm-tools
// parse, or jco parse, makes the one of the other.

// What is wrong with a call between two components of one store is told as it
// would be on a call from outside: by its code, not as a failure of the host.
func TestTrapsBetweenComponentsAreTyped(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "testdata/callee-traps.wasm"), component.LinkConfig{})
	for expr, code := range map[string]trap.Code{
		"char()":      trap.Abi,
		"unaligned()": trap.Abi,
		"outside()":   trap.Abi,
		"handle()":    trap.Handle,
	} {
		_, err := call(t, tm, expr)
		require.NotNil(t, trap.As(err), "%s: %v", expr, err)
		require.Equal(t, code, trap.As(err).Code, "%s: %v", expr, err)
	}
}

func TestThreadStorage(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "testdata/thread-storage.wasm"), component.LinkConfig{})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, i.Close()) }()
	for range 2 {
		got, err := callOn(t, i, tm, "call()")
		require.NoError(t, err)
		require.Equal(t, "0", got, "storage that was not fresh, or not put back")
		got, err = callOn(t, i, tm, "seen()")
		require.NoError(t, err)
		require.Equal(t, "52", got, "post-return sees its call's storage, and may look at handles")
	}
}

func TestBackpressureIsBounded(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "testdata/thread-storage.wasm"), component.LinkConfig{})
	for _, expr := range []string{"underflow()", "overflow()"} {
		_, err := call(t, tm, expr)
		require.ErrorContains(t, err, "backpressure counter "+expr[:len(expr)-2])
	}
}

func TestAsyncCallsWithoutWaiting(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "testdata/async.wasm"), component.LinkConfig{})
	for expr, want := range map[string]string{
		"sync()": "5", "sync-a()": "6", // lifted with the synchronous ABI
		"text()": "5111", "text-a()": "5111", // through memory
		"sum()": "15", "sum-a()": "150", // parameters flat, and in memory
		"exit()": "7", // with a callback that is not needed
	} {
		got, err := call(t, tm, expr)
		require.NoError(t, err, expr)
		require.Equal(t, want, got, expr)
	}
	for expr, code := range map[string]trap.Code{
		"yield()": trap.Unsupported, "silent()": trap.Abi, "wrong()": trap.Abi,
		"twice()": trap.Abi, "by-sync()": trap.Abi,
	} {
		_, err := call(t, tm, expr)
		require.NotNil(t, trap.As(err), "%s: %v", expr, err)
		require.Equal(t, code, trap.As(err).Code, "%s: %v", expr, err)
	}
}
