package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/memory"
	"github.com/lathhost/lath/host/component/trap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an engine with the instances of one test.
type world struct {
	t      testing.TB
	engine *engine.Engine
	budget *memory.Budget
	byName map[string]engine.Importable
}

func newWorld(t testing.TB, cfg engine.Config) *world {
	e, err := engine.New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return &world{t: t, engine: e, byName: map[string]engine.Importable{}}
}

// rewrite parses and rewrites a module.
func rewrite(wasm []byte, plan core.Plan) (*core.Rewritten, error) {
	m, err := core.Parse(wasm, core.Limits{})
	if err != nil {
		return nil, err
	}
	return core.Rewrite(m, plan)
}

// load rewrites, compiles and instantiates a module.
func (w *world) load(ctx engine.Context, wasm []byte, plan core.Plan) (*engine.Module, error) {
	r, err := rewrite(wasm, plan)
	if err != nil {
		return nil, err
	}
	return w.instantiate(ctx, r, plan)
}

func (w *world) instantiate(ctx engine.Context, r *core.Rewritten, plan core.Plan) (*engine.Module, error) {
	wasm := r.Bytes
	if !plan.KeepNames {
		wasm = engine.Mark(wasm, 1, false)
	}
	code, err := w.engine.Compile(ctx, wasm)
	if err != nil {
		return nil, err
	}
	defer code.Close()
	m, err := w.engine.Instantiate(ctx, code,
		func(name string) engine.Importable { return w.byName[name] },
		func(min, max uint64) *memory.Linear { return w.memory(r, plan, min, max) })
	if err == nil {
		w.t.Cleanup(func() { require.NoError(w.t, m.Close(context.Background())) })
	}
	return m, err
}

func (w *world) memory(r *core.Rewritten, plan core.Plan, min, max uint64) *memory.Linear {
	if plan.MaxMemory > 0 {
		require.LessOrEqual(w.t, max, plan.MaxMemory)
	}
	segments := make([]memory.Segment, len(r.Data))
	for i, s := range r.Data {
		segments[i] = memory.Segment{Offset: s.Offset, Bytes: s.Bytes}
	}
	img, err := memory.NewImage(segments)
	require.NoError(w.t, err)
	defer img.Close()
	lin, err := img.New(min, max, w.budget)
	if err != nil {
		return nil
	}
	w.t.Cleanup(func() { require.NoError(w.t, lin.Close()) })
	return lin
}

// must is load where failing is not an option.
func (w *world) must(wasm []byte, plan core.Plan) *engine.Module {
	w.t.Helper()
	m, err := w.load(engine.NewContext(w.t.Context()), wasm, plan)
	require.NoError(w.t, err)
	return m
}

// call calls an exported function with arguments and returns its stack.
func call(ctx context.Context, m *engine.Module, name string, args ...uint64) ([]uint64, error) {
	f := m.Func(name)
	stack := make([]uint64, max(f.Slots(), len(args)))
	copy(stack, args)
	err := f.Call(ctx, stack)
	if err != nil {
		m.Meter().Unwind()
	}
	return stack, err
}

func testdata(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name+".wasm"))
	require.NoError(t, err)
	return b
}

// requireTrap asserts that err is a trap of that code and returns it.
func requireTrap(t testing.TB, code trap.Code, err error) *trap.Error {
	t.Helper()
	require.Error(t, err)
	require.NotNil(t, trap.As(err), "%v", err)
	require.Equal(t, code, trap.As(err).Code, "%v", err)
	return trap.As(err)
}
