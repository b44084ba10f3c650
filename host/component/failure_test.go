package component_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

func TestTrapsAreTyped(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types", Limits: component.Limits{Memory: 4 << 20}})
	for expr, code := range map[string]trap.Code{
		"trap()":            trap.Unreachable,
		"peek(4294967295)":  trap.MemoryOutOfBounds,
		"bad-string()":      trap.Abi,
		"bad-list()":        trap.Abi,
		"bad-alignment()":   trap.Abi,
		"bad-char()":        trap.Abi,
		"bad-case()":        trap.Abi,
		"recurse(50000000)": trap.StackOverflow,
	} {
		_, err := call(t, tm, "example:types/failures."+expr)
		require.Error(t, err, expr)
		require.NotNil(t, trap.As(err), "%s: %v", expr, err)
		require.Equal(t, code, trap.As(err).Code, "%s: %v", expr, err)
		require.Equal(t, "types", trap.As(err).Component)
		require.Contains(t, err.Error(), "example:types/failures.", "the trap says where")
	}
	got, err := call(t, tm, "example:types/failures.grow(1000)")
	require.NoError(t, err)
	require.Equal(t, "none", got, "memory may not grow past its limit")
	got, err = call(t, tm, "example:types/failures.recurse(100)")
	require.NoError(t, err)
	require.Equal(t, "100", got, "the host goes on")
}

func TestEndlessLoopEndsAtTheDeadline(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := tm.Call(ctx, tm.Export("example:types/failures", "spin"), nil, nil)
	require.Equal(t, trap.Deadline, trap.As(err).Code, "%v", err)

	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	runtime.GC() // must not wait for the guest
	_, err = tm.Call(ctx, tm.Export("example:types/failures", "spin"), nil, nil)
	require.Equal(t, trap.Cancelled, trap.As(err).Code, "%v", err)
}

func TestImportNobodySatisfies(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	c := compile(t, rt, "../../examples/types/relay.wasm")
	_, err := c.Link(t.Context(), component.LinkConfig{Name: "relay", Host: []component.HostInterface{{Name: "other:types/values@1.0.0"}}})
	require.ErrorIs(t, err, component.ErrNoImport)
	require.ErrorContains(t, err, "example:types/values")
	require.ErrorContains(t, err, "other:types/values@1.0.0", "it names a candidate")
}

// failing is a callee that cannot answer.
type failing struct{ err error }

func (f failing) Call(*component.ImportCall) error { return f.err }

func TestFailureBecomesAValueWhereThereIsRoom(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	relay := linkTo(t, compile(t, rt, "../../examples/types/relay.wasm"), component.LinkConfig{Name: "relay",
		Import: func(string, *wit.Func) (component.Callee, error) { return failing{errors.New("the wire is cut")}, nil }})

	got, err := call(t, relay, "example:types/values.echo-result(ok(1))")
	require.NoError(t, err)
	require.Equal(t, `err("the wire is cut")`, got)

	_, err = call(t, relay, "example:types/values.echo-u32(1)")
	require.Equal(t, trap.Import, trap.As(err).Code)
	require.ErrorContains(t, err, "example:types/values.echo-u32: the wire is cut")
	_, err = call(t, relay, "example:types/values.echo-result-err(ok)")
	require.Equal(t, trap.Import, trap.As(err).Code, "an enum has no room for a text")
}

func TestTargetsTrapIsNotTheCallers(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	target := linkTo(t, compile(t, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types", Limits: component.Limits{Memory: 256 << 10}})
	for name, imports := range map[string]func(string, *wit.Func) (component.Callee, error){"memory": forwardTo(target), "wire": remoteTo(target)} {
		relay := linkTo(t, compile(t, rt, "../../examples/types/relay.wasm"), component.LinkConfig{Name: "relay", Import: imports})
		_, err := call(t, relay, "example:types/values.fill(1000000, 1)")
		got := trap.As(err)
		require.NotNil(t, got, name)
		require.Equal(t, trap.Import, got.Code, "%s: %v", name, err)
		require.Equal(t, "relay", got.Component, name)
		require.ErrorContains(t, err, "types: example:types/values.fill", name)
	}
}

func TestMalformedParametersAreRefused(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := linkTo(t, compile(t, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	e := tm.Export("example:types/values", "echo-string")
	for _, params := range [][]byte{nil, {5, 'a'}, {1, 0xff}, {1, 'a', 'b'}, {0xff, 0xff, 0xff, 0xff, 0x0f}} {
		_, err := tm.Call(t.Context(), e, params, nil)
		require.Error(t, err, "% x", params)
	}
}
