package engine_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// hostCtx carries what a host function does, and counts its calls.
type hostCtx struct {
	engine.CallContext
	do    func(arg uint64) uint64
	calls int
}

// hostModule is what host.wat and bench.wat import.
func hostModule(t testing.TB, w *world) *engine.HostModule {
	i32 := []wit.CoreType{wit.CoreI32}
	h, err := w.engine.NewHostModule(t.Context(), []engine.HostFunc{
		{Params: i32, Results: i32, Call: func(ctx context.Context, stack []uint64) {
			if c, ok := ctx.(*hostCtx); ok {
				c.calls++
				stack[0] = c.do(stack[0])
			}
		}},
		{
			Params:  []wit.CoreType{wit.CoreI32, wit.CoreI64, wit.CoreF32, wit.CoreF64},
			Results: []wit.CoreType{wit.CoreF64},
			Call: func(_ context.Context, stack []uint64) {
				sum := float64(int32(stack[0])) + float64(int64(stack[1])) +
					float64(math.Float32frombits(uint32(stack[2]))) + math.Float64frombits(stack[3])
				stack[0] = math.Float64bits(sum)
			},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	return h
}

// The indices of functions of testdata/host.
const (
	funcCall   = 3
	funcDivide = 11
)

func hostGuest(t *testing.T) *engine.Module {
	w := newWorld(t, engine.Config{})
	w.byName["host"] = hostModule(t, w)
	return w.must(testdata(t, "host"), core.Plan{})
}

func TestHostFunctions(t *testing.T) {
	t.Parallel()
	m := hostGuest(t)
	ctx := &hostCtx{do: func(arg uint64) uint64 { return arg + 1 }}
	ctx.Base = t.Context()
	stack, err := call(ctx, m, "call", 41)
	require.NoError(t, err)
	require.Equal(t, uint64(42), stack[0])
	require.Equal(t, 1, ctx.calls)

	stack, err = call(ctx, m, "mixed", uint64(math.MaxUint32), 5, uint64(math.Float32bits(0.5)), math.Float64bits(0.25))
	require.NoError(t, err)
	require.Equal(t, 4.75, math.Float64frombits(stack[0]))
	require.Equal(t, 4, m.Func("mixed").Slots())
	require.Nil(t, m.Func("absent"))
	require.Nil(t, m.Global("absent"))
}

func TestHostFailuresAreTraps(t *testing.T) {
	t.Parallel()
	m := hostGuest(t)
	fail := func(do func(uint64) uint64) *trap.Error {
		_, err := call(&hostCtx{do: do}, m, "call", 0)
		return trap.As(err)
	}
	cause := errors.New("cause")
	own := fail(func(uint64) uint64 { panic(&trap.Error{Code: trap.Import, Msg: "x", Err: cause}) })
	require.Equal(t, trap.Import, own.Code)
	require.ErrorIs(t, own, cause)
	require.Equal(t, trap.Stack{{Index: funcCall}}, own.Stack, "the guest's stack")

	shared := trap.New(trap.Exit, "bye")
	require.Equal(t, trap.Exit, fail(func(uint64) uint64 { panic(shared) }).Code)
	require.Empty(t, shared.Stack, "a trap that the host shares must not be written to")

	bug := fail(func(uint64) uint64 { var p *int; return uint64(*p) })
	require.Equal(t, trap.Host, bug.Code)
	require.Contains(t, bug.Msg, "nil pointer")
	require.Contains(t, bug.GoStack, "engine_test.go", "where the host failed")
	require.Equal(t, trap.Stack{{Index: funcCall}}, bug.Stack, "the guest's stack")
	var re runtime.Error
	require.ErrorAs(t, bug, &re)

	require.Equal(t, "odd", fail(func(uint64) uint64 { panic("odd") }).Msg)
	plain := fail(func(uint64) uint64 { panic(cause) })
	require.Equal(t, trap.Host, plain.Code)
	require.ErrorIs(t, plain, cause)

	// A text of the engine's does not make a host's error a guest's trap.
	fake := fail(func(uint64) uint64 { panic(errors.New("wasm error: unreachable")) })
	require.Equal(t, trap.Host, fake.Code)
}

func TestTrapsThroughTwoInstances(t *testing.T) {
	t.Parallel()
	outer, inner := hostGuest(t), hostGuest(t)
	_, err := call(&hostCtx{do: func(uint64) uint64 {
		_, err := call(&hostCtx{}, inner, "divide")
		panic(trap.As(err))
	}}, outer, "call", 0)
	got := requireTrap(t, trap.DivideByZero, err)
	require.Equal(t, trap.Stack{{Index: funcDivide}, {Index: funcCall}}, got.Stack)
}

func TestTrapCodes(t *testing.T) {
	t.Parallel()
	for _, cfg := range []engine.Config{{}, {Interpreter: true}} {
		w := newWorld(t, cfg)
		w.byName["host"] = hostModule(t, w)
		m := w.must(testdata(t, "host"), core.Plan{})
		for export, code := range map[string]trap.Code{
			"unreachable": trap.Unreachable, "memory": trap.MemoryOutOfBounds,
			"table": trap.TableOutOfBounds, "uninitialized": trap.TableOutOfBounds,
			"type": trap.IndirectCall, "divide": trap.DivideByZero, "overflow": trap.IntegerOverflow,
			"convert": trap.Other, "throw": trap.Other, "recurse": trap.StackOverflow,
		} {
			_, err := call(engine.NewContext(context.Background()), m, export, 0)
			got := requireTrap(t, code, err)
			require.NotContains(t, got.Error(), "recovered by wazero")
			_, err = call(engine.NewContext(context.Background()), m, "nothing")
			require.NoError(t, err, "the engine can be used after a trap")
		}
	}
}

func TestFuncIsReusedAndCloned(t *testing.T) {
	t.Parallel()
	m := hostGuest(t)
	f := m.Func("call")
	g := f.Clone()
	ctx := &hostCtx{do: func(arg uint64) uint64 {
		if arg == 0 {
			return 1
		}
		stack := []uint64{arg - 1}
		require.NoError(t, g.Call(&hostCtx{do: func(uint64) uint64 { return 10 }}, stack))
		return stack[0] + 1
	}}
	stack := []uint64{3}
	require.NoError(t, f.Call(ctx, stack))
	require.Equal(t, uint64(11), stack[0])
	stack[0] = 0
	require.NoError(t, f.Call(ctx, stack))
	require.Equal(t, uint64(1), stack[0])
}

// Not parallel: it counts allocations.
func TestCallsDoNotAllocate(t *testing.T) {
	f := hostGuest(t).Func("call")
	ctx := &hostCtx{do: func(arg uint64) uint64 { return arg }}
	stack := make([]uint64, 1)
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = f.Call(ctx, stack) }))
	require.Greater(t, ctx.calls, 100)
}

func TestCallContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	base, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, 1), time.Hour)
	defer cancel()
	ctx := engine.NewContext(base)
	_, ok := ctx.Deadline()
	require.True(t, ok)
	require.NoError(t, ctx.Err())
	require.Nil(t, ctx.Value(key{}), "values are not looked up")
	cancel()
	<-ctx.Done()
	require.ErrorIs(t, ctx.Err(), context.Canceled)

	empty := engine.NewContext(context.Background())
	_, ok = empty.Deadline()
	require.False(t, ok)
	require.NoError(t, empty.Err())
	require.Nil(t, empty.Done())
}

func TestGlobals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	src := mustSource(t, "globals", core.Plan{})
	code, err := w.engine.Compile(t.Context(), src)
	require.NoError(t, err)
	defer code.Close()
	require.False(t, code.Facts().Poolable())
	require.Len(t, code.Facts().MutableGlobals, 3)
	m, err := w.instantiate(engine.NewContext(context.Background()), src)
	require.NoError(t, err)

	hidden := code.Facts().MutableGlobals[1]
	require.Equal(t, core.I64, hidden.Type)
	g := m.Global(hidden.Name)
	require.Equal(t, uint64(6), g.Get())
	require.True(t, g.Set(99))
	stack, err := call(t.Context(), m, "hidden")
	require.NoError(t, err)
	require.Equal(t, uint64(99), stack[0])
	require.False(t, m.Global("const").Set(1))
	require.False(t, m.Global(code.Facts().MutableGlobals[2].Name).Set(1), "v128 has no setter")
}

func TestEmptyImportNamesAndSharedTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	w.byName["h"] = hostModule(t, w)
	owner := w.must(testdata(t, "owner"), core.Plan{MaxMemory: 2 << 16})
	w.byName["i0"] = owner
	_, err := w.load(engine.NewContext(context.Background()), testdata(t, "importer"), core.Plan{})
	require.ErrorContains(t, err, "empty module name", "why renaming is needed")
	importer := w.must(testdata(t, "importer"), core.Plan{Imports: []core.Name{
		{Module: "h", Field: "0"}, {Module: "i0", Field: "memory"}, {Module: "i0", Field: "table"}, {Module: "i0", Field: "g"},
	}})
	require.Nil(t, importer.Memory())

	ctx := &hostCtx{do: func(arg uint64) uint64 { return arg * 2 }}
	value := func(m *engine.Module, export string, args ...uint64) uint64 {
		stack, err := call(ctx, m, export, args...)
		require.NoError(t, err)
		return stack[0]
	}
	require.Equal(t, uint64(42), value(importer, "run", 21))
	require.Equal(t, uint64(21), value(owner, "load", 16))
	require.Equal(t, uint64(21), value(owner, "g_get"))
	require.Equal(t, uint64(7), value(owner, "call", 0))
	require.Equal(t, uint64(42), value(owner, "call", 1), "through the owner's table into the importer and the host")

	require.Equal(t, uint64(1), value(importer, "grow", 1), "the importer may grow the owner's memory")
	require.Equal(t, uint64(0xffffffff), value(importer, "grow", 1), "to its limit")
	require.Len(t, owner.Memory().Bytes(), 2<<16)

	require.NoError(t, importer.Close(t.Context()))
	value(owner, "store", 1<<16, 5)
	require.Equal(t, uint64(5), value(owner, "load", 1<<16), "the owner's memory outlives its importers")
	require.Equal(t, byte(5), owner.Memory().Bytes()[1<<16])
}

func TestMissingImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	_, err := w.load(engine.NewContext(context.Background()), testdata(t, "host"), core.Plan{})
	require.ErrorContains(t, err, "host")
	var none *engine.Module
	w.byName["host"] = none
	_, err = w.load(engine.NewContext(context.Background()), testdata(t, "host"), core.Plan{})
	require.ErrorContains(t, err, "host")
}

func TestActiveElementsOutOfBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	w.byName["env"] = w.must(testdata(t, "env"), core.Plan{})
	for _, guest := range []string{"elements", "ownelements"} {
		_, err := w.load(engine.NewContext(context.Background()), testdata(t, guest), core.Plan{})
		requireTrap(t, trap.TableOutOfBounds, err)
	}
}

// Not parallel: it looks at the heap.
func TestRefFuncDoesNotLeak(t *testing.T) {
	w := newWorld(t, engine.Config{})
	m := w.must(testdata(t, "reffunc"), core.Plan{})
	heap := func() uint64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	before := heap()
	_, err := call(t.Context(), m, "leak", 1_000_000)
	require.NoError(t, err)
	require.Less(t, heap(), before+8<<20, "wazero's own ref.func takes 32 bytes each time")

	_, err = call(t.Context(), m, "fill")
	require.NoError(t, err)
	for slot, want := range []uint64{3, 1, 1} {
		stack, err := call(t.Context(), m, "call", uint64(slot))
		require.NoError(t, err)
		require.Equal(t, want, stack[0])
	}
}

func TestDataIsStrippedOrKept(t *testing.T) {
	t.Parallel()
	for _, strip := range []bool{false, true} {
		w := newWorld(t, engine.Config{})
		src := mustSource(t, "memory", core.Plan{StripData: strip})
		require.Equal(t, strip, len(core.Data(src.Module, src.Plan)) == 2)
		m, err := w.instantiate(engine.NewContext(context.Background()), src)
		require.NoError(t, err)
		require.Equal(t, "heLLO\x00", string(m.Memory().Bytes()[8:14]))
		_, err = call(t.Context(), m, "init_active", 0)
		require.NoError(t, err)
		_, err = call(t.Context(), m, "init_active", 1)
		if strip { // an active segment counts as dropped, which wazero forgets
			requireTrap(t, trap.MemoryOutOfBounds, err)
		}
		_, err = call(t.Context(), m, "init", 0, 0, 7)
		require.NoError(t, err)
		require.Equal(t, "passive", string(m.Memory().Bytes()[:7]))
		_, err = call(t.Context(), m, "drop")
		require.NoError(t, err)
		_, err = call(t.Context(), m, "init", 0, 0, 7)
		requireTrap(t, trap.MemoryOutOfBounds, err)
	}
}
