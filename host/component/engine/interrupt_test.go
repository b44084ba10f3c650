package engine_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/memory"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// runEndless calls an export that never ends. While it runs, the garbage
// collector must be able to stop the world; then it is interrupted. If either
// does not work, the test hangs and the test binary's timeout ends it.
func runEndless(t *testing.T, m *engine.Module, export string) {
	args := make([]uint64, 1)
	done := make(chan error, 1)
	f := m.Func(export)
	require.NotNil(t, f)
	go func() { done <- f.Call(engine.NewContext(context.Background()), args) }()
	for m.Meter().Ticks() == 0 {
		runtime.Gosched()
	}
	for range 3 {
		runtime.GC()
	}
	m.Interrupt()
	requireTrap(t, trap.Unreachable, <-done)
}

func TestInterruptStopsEndlessGuests(t *testing.T) {
	t.Parallel()
	guests := map[string][]string{
		"interrupt": {
			"loop", "loop_params", "tree", "tail", "tail_indirect", "exceptions", "nested", "bulk", "grow",
		},
		"nomemory": {"loop", "tree"},
	}
	for module, exports := range guests {
		for _, export := range exports {
			t.Run(module+"/"+export, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, engine.Config{})
				runEndless(t, w.must(testdata(t, module), core.Plan{}), export)
			})
		}
	}
}

// endlessGoto is what Go makes of "one: goto two; two: goto one": a loop whose
// start branches by a local, which each branch back to it sets before.
const endlessGoto = "\x00asm\x01\x00\x00\x00\x01\x05\x01\x60\x01\x7f\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01\x07\x08\x01\x04loop\x00\x00" +
	"\x0a\x1f\x01\x1d\x00\x03\x40\x02\x40\x02\x40\x20\x00\x0e\x01\x00\x01\x0b" +
	"\x41\x01\x21\x00\x0c\x01\x0b\x41\x00\x21\x00\x0c\x00\x0b\x0b"

func TestInterruptStopsEndlessGoto(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	runEndless(t, w.must([]byte(endlessGoto), core.Plan{}), "loop")
}

func TestInterruptStopsTheInterpreter(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("the interpreter reads the flag in Go code without synchronization")
	}
	w := newWorld(t, engine.Config{Interpreter: true})
	runEndless(t, w.must(testdata(t, "interrupt"), core.Plan{}), "loop")
}

func TestInterruptBeforeTheCallAndAfterIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	m := w.must(testdata(t, "interrupt"), core.Plan{})
	m.Interrupt()
	_, err := call(t.Context(), m, "short")
	require.NoError(t, err, "a guest that ends before its next check is not stopped")
	_, err = call(t.Context(), m, "loop")
	requireTrap(t, trap.Unreachable, err)
	m.ClearInterrupt()
	for range 100 {
		_, err = call(t.Context(), m, "short")
		require.NoError(t, err)
	}
	// Each call makes 250 passes, and pays ahead for what it does not count.
	require.Greater(t, m.Meter().Ticks(), uint64(100*32))
}

func TestTicksGrowWithWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	w.byName["host"] = hostModule(t, w)
	m := w.must(testdata(t, "bench"), core.Plan{})
	for _, n := range []uint64{1_000, 1_000_000} {
		before := m.Meter().Ticks()
		_, err := call(t.Context(), m, "spin", n)
		require.NoError(t, err)
		require.InDelta(t, n, m.Meter().Ticks()-before, float64(n)/2)
	}
}

// startCtx reports what is being instantiated.
type startCtx struct {
	engine.CallContext
	modules chan *engine.Module
	seen    []uint64
}

func (c *startCtx) Instantiated(m *engine.Module) { c.modules <- m }

func TestStartFunctionGetsTheContextAndCanBeInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	running := make(chan struct{})
	h, err := w.engine.NewHostModule(t.Context(), []engine.HostFunc{{
		Params: []wit.CoreType{wit.CoreI32}, Results: []wit.CoreType{wit.CoreI32},
		Call: func(ctx context.Context, stack []uint64) {
			c := ctx.(*startCtx)
			c.seen = append(c.seen, stack[0])
			close(running)
		},
	}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	w.byName["host"] = h

	ctx := &startCtx{modules: make(chan *engine.Module, 1)}
	ctx.Base = t.Context()
	done := make(chan error, 1)
	go func() {
		_, err := w.load(ctx, testdata(t, "start"), core.Plan{})
		done <- err
	}()
	m := <-ctx.modules
	<-running
	runtime.GC()
	m.Interrupt()
	requireTrap(t, trap.Unreachable, <-done)
	require.Equal(t, []uint64{7}, ctx.seen)
}

func TestHugeBulkOperationsAreSplitAndExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	m := w.must(testdata(t, "memory"), core.Plan{})
	mem := m.Memory().Bytes()
	size := uint64(len(mem))
	for i := range mem {
		mem[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	want := append([]byte(nil), mem...)
	const mib = 1 << 20
	for _, c := range [][3]uint64{ // dst, src, len
		{0, 2*mib + 1, 2 * mib}, {2*mib + 1, 0, 2 * mib}, // apart
		{5, 0, 3 * mib}, {0, 5, 3*mib + 17}, {1, 0, size - 1}, {0, 1, size - 1}, // overlapping
		{mib, 0, mib + 1}, {0, mib, mib}, {0, 0, size}, {size, size, 0}, {0, 0, 0}, {0, size, 0},
	} {
		_, err := call(t.Context(), m, "copy", c[:]...)
		require.NoError(t, err)
		copy(want[c[0]:c[0]+c[2]], want[c[1]:c[1]+c[2]])
		require.True(t, string(want) == string(mem), "copy %v", c)
	}
	for _, c := range [][3]uint64{{3, 9, 3*mib + 5}, {0, 0x1ff, size}, {size - 1, 1, 1}} { // dst, value, len
		_, err := call(t.Context(), m, "fill", c[:]...)
		require.NoError(t, err)
		for i := c[0]; i < c[0]+c[2]; i++ {
			want[i] = byte(c[1])
		}
		require.True(t, string(want) == string(mem), "fill %v", c)
	}
}

func TestBulkOperationsOutOfMemoryWriteNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	m := w.must(testdata(t, "memory"), core.Plan{})
	size := uint64(len(m.Memory().Bytes()))
	before := append([]byte(nil), m.Memory().Bytes()...)
	for _, c := range []struct {
		export string
		args   [3]uint64
	}{
		{"copy", [3]uint64{2 << 20, 0, size}}, {"copy", [3]uint64{0, 2 << 20, size}},
		{"copy", [3]uint64{0, 0, 0xffffffff}}, {"copy", [3]uint64{0xffffffff, 0, 2 << 20}},
		{"copy", [3]uint64{size + 1, 0, 0}}, {"fill", [3]uint64{1, 1, size}},
		{"fill", [3]uint64{0xffffffff, 1, 0xffffffff}}, {"fill", [3]uint64{size + 1, 1, 0}},
		{"init", [3]uint64{0, 0, 8}}, {"init", [3]uint64{size, 0, 1}},
	} {
		_, err := call(t.Context(), m, c.export, c.args[:]...)
		requireTrap(t, trap.MemoryOutOfBounds, err)
		require.True(t, string(before) == string(m.Memory().Bytes()), "%v", c)
	}
}

func TestMemoryLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	grow := func(m *engine.Module, pages uint64) int32 {
		stack, err := call(t.Context(), m, "grow", pages)
		require.NoError(t, err)
		return int32(stack[0])
	}
	plan := core.Plan{MaxMemory: 90 * memory.PageSize}
	m := w.must(testdata(t, "memory"), plan)
	require.Equal(t, int32(80), grow(m, 10))
	require.Equal(t, int32(-1), grow(m, 1), "the page above the limit is not the guest's")
	require.Len(t, m.Memory().Bytes(), 90*memory.PageSize)

	m = w.must(testdata(t, "memory"), core.Plan{})
	require.Equal(t, int32(-1), grow(m, 21), "the module's own maximum is 100")
	require.Equal(t, int32(80), grow(m, 20))

	_, err := w.load(engine.NewContext(context.Background()), testdata(t, "memory"), core.Plan{MaxMemory: 79 * memory.PageSize})
	var refused *core.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, core.LimitExceeded, refused.Reason)

	w.budget = memory.NewBudget(165*memory.PageSize, nil)
	m = w.must(testdata(t, "memory"), core.Plan{})
	_, err = w.load(engine.NewContext(context.Background()), testdata(t, "memory"), core.Plan{MaxMemory: 100 * memory.PageSize})
	require.NoError(t, err)
	require.Equal(t, int32(-1), grow(m, 6), "the budget of both is used up")
	require.Equal(t, int32(80), grow(m, 5))
	_, err = w.load(engine.NewContext(context.Background()), testdata(t, "memory"), core.Plan{})
	require.ErrorIs(t, err, engine.ErrMemory)
}

func TestTableLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	m := w.must(testdata(t, "table"), core.Plan{MaxTable: 50})
	for _, c := range []struct{ by, want uint64 }{{49, 1}, {1, 0xffffffff}} {
		stack, err := call(t.Context(), m, "grow", c.by)
		require.NoError(t, err)
		require.Equal(t, c.want, stack[0])
	}
}
