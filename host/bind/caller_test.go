package bind_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	typesbind "github.com/lathhost/lath/host/bind/example/types"
	httpbind "github.com/lathhost/lath/host/bind/wasi/http"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit/example/types"
	"github.com/lathhost/lath/wit/example/types/typestest"
)

// valuesOf calls a guest that stays.
func valuesOf(t testing.TB, guest string, limits component.Limits) (*component.Instance, typesbind.ValuesCaller) {
	t.Helper()
	tm := linkWith(t, "../../examples/types/"+guest+".wasm", component.LinkConfig{Name: guest, Limits: limits})
	exports, err := typesbind.NewValuesExports(tm)
	require.NoError(t, err)
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	return i, exports.On(i)
}

// TestCallers has every value type go through a caller: a guest hands it on to
// one, by the glue for the same contract, that calls another guest with it.
func TestCallers(t *testing.T) {
	t.Parallel()
	for k, guest := range []string{"types", "types-utf16", "types-latin1"} {
		t.Run(guest, func(t *testing.T) {
			t.Parallel()
			_, caller := valuesOf(t, guest, component.Limits{})
			tm := link(t, "../../examples/types/"+relays[k]+".wasm", typesbind.Values(caller))
			for _, c := range typestest.Calls() {
				got, err := call(t, tm, "example:types/values."+c.Func+"("+c.Args+")")
				require.NoError(t, err, c)
				require.Equal(t, c.Result, got, c)
			}
			// What it returns is its own, also when the guest's memory is used again.
			ctx := t.Context()
			first, err := caller.EchoBytes(ctx, []byte("first"))
			require.NoError(t, err)
			_, err = caller.EchoBytes(ctx, []byte("other"))
			require.NoError(t, err)
			require.Equal(t, "first", string(first))
		})
	}
}

// TestCallersTellTraps: a guest that traps ends, and says why.
func TestCallersTellTraps(t *testing.T) {
	t.Parallel()
	tm := link(t, "../../examples/types/types.wasm")
	exports, err := typesbind.NewFailuresExports(tm)
	require.NoError(t, err)
	type failing func(typesbind.FailuresCaller, context.Context) error
	for name, c := range map[string]struct {
		code trap.Code
		call failing
	}{
		"trap": {trap.Unreachable, typesbind.FailuresCaller.Trap},
		"bad string": {trap.Abi, func(f typesbind.FailuresCaller, ctx context.Context) error {
			_, err := f.BadString(ctx)
			return err
		}},
		"bad list": {trap.Abi, func(f typesbind.FailuresCaller, ctx context.Context) error {
			_, err := f.BadList(ctx)
			return err
		}},
		"bad char": {trap.Abi, func(f typesbind.FailuresCaller, ctx context.Context) error {
			_, err := f.BadChar(ctx)
			return err
		}},
		"bad case": {trap.Abi, func(f typesbind.FailuresCaller, ctx context.Context) error {
			_, err := f.BadCase(ctx)
			return err
		}},
		"recursion": {trap.StackOverflow, func(f typesbind.FailuresCaller, ctx context.Context) error {
			_, err := f.Recurse(ctx, 1<<31)
			return err
		}},
	} {
		for _, held := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				i, err := tm.Take(ctx)
				require.NoError(t, err)
				f := exports.On(i)
				if held {
					require.NoError(t, i.Hold(ctx))
				}
				err = c.call(f, ctx)
				require.ErrorIs(t, err, &trap.Error{Code: c.code})
				require.Contains(t, trap.As(err).Func, "example:types/failures.")
				_, err = f.Peek(ctx, 0)
				require.ErrorIs(t, err, &trap.Error{Code: trap.Poisoned})
				i.Unhold()
				require.ErrorIs(t, i.Hold(ctx), &trap.Error{Code: trap.Poisoned})
				require.NoError(t, i.Release())
			})
		}
	}
}

// TestCallersCheckWhatTheyAreGiven: a value that its type does not have is the
// host's fault, and never reaches the guest.
func TestCallersCheckWhatTheyAreGiven(t *testing.T) {
	t.Parallel()
	_, caller := valuesOf(t, "types", component.Limits{})
	_, err := caller.EchoColor(t.Context(), types.Color(3))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Host})
	require.ErrorContains(t, err, "case 3 of 3")
}

func TestExportsOfAnotherInterface(t *testing.T) {
	t.Parallel()
	tm := link(t, "../../examples/types/types.wasm")
	_, err := httpbind.NewIncomingHandlerExports(tm)
	require.ErrorContains(t, err, "does not export wasi:http/incoming-handler")
}

// TestHold: calls that share a context have their limits together, no other call
// comes between, and a context that ends stops the next one.
func TestHold(t *testing.T) {
	t.Parallel()
	i, caller := valuesOf(t, "types", component.Limits{CPU: 1 << 20})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.NoError(t, i.Hold(ctx))
	require.Error(t, i.Hold(ctx))
	for n := range uint32(10) {
		v, err := caller.EchoU32(ctx, n)
		require.NoError(t, err)
		require.Equal(t, n, v)
		s, err := caller.EchoString(ctx, strings.Repeat("x", int(n)))
		require.NoError(t, err)
		require.Len(t, s, int(n))
	}
	_, err := caller.EchoU32(t.Context(), 1)
	require.ErrorContains(t, err, "running a call", "another context")
	i.Unhold()
	i.Unhold()
	_, err = caller.EchoU32(t.Context(), 1)
	require.NoError(t, err)
}

// TestHoldEndsWithItsContext: a call after the end is stopped, if not at once.
func TestHoldEndsWithItsContext(t *testing.T) {
	t.Parallel()
	i, caller := valuesOf(t, "types", component.Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, i.Hold(ctx))
	cancel()
	var err error
	for err == nil {
		_, err = caller.Sum(ctx, make([]uint64, 10_000))
	}
	require.ErrorIs(t, err, &trap.Error{Code: trap.Cancelled})
	i.Unhold()
}

// TestHoldHasLimits: the calls have CPU time together.
func TestHoldHasLimits(t *testing.T) {
	t.Parallel()
	i, caller := valuesOf(t, "types", component.Limits{CPU: 1 << 20})
	require.NoError(t, i.Hold(t.Context()))
	defer i.Unhold()
	var err error
	calls := 0
	for list := make([]uint64, 10_000); err == nil; calls++ {
		_, err = caller.Sum(t.Context(), list)
	}
	require.ErrorIs(t, err, &trap.Error{Code: trap.Limit})
	require.Greater(t, calls, 10, "one call alone is far below the limit")
}

func TestCallersAllocateNothing(t *testing.T) {
	i, caller := valuesOf(t, "types", component.Limits{})
	ctx := t.Context()
	once := func() {
		v, err := caller.EchoU32(ctx, 42)
		if err != nil || v != 42 {
			t.Fatal(v, err)
		}
	}
	require.Zero(t, testing.AllocsPerRun(100, once))
	require.NoError(t, i.Hold(ctx))
	defer i.Unhold()
	require.Zero(t, testing.AllocsPerRun(100, once))
}

// BenchmarkCaller is a call into a guest by generated bindings.
func BenchmarkCaller(b *testing.B) {
	i, caller := valuesOf(b, "types", component.Limits{})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for name, held := range map[string]bool{"u32": false, "u32/held": true} {
		b.Run(name, func(b *testing.B) {
			if held {
				require.NoError(b, i.Hold(ctx))
				defer i.Unhold()
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := caller.EchoU32(ctx, 42); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
