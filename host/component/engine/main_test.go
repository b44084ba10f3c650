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

// source parses a module that is to be rewritten by a plan.
func source(wasm []byte, plan core.Plan) (engine.Source, error) {
	m, err := core.Parse(wasm, core.Limits{})
	return engine.Source{Module: m, Plan: plan, Number: 1}, err
}

// mustSource is source of a guest.
func mustSource(t testing.TB, name string, plan core.Plan) engine.Source {
	src, err := source(testdata(t, name), plan)
	require.NoError(t, err)
	return src
}

// load rewrites, compiles and instantiates a module.
func (w *world) load(ctx engine.Context, wasm []byte, plan core.Plan) (*engine.Module, error) {
	src, err := source(wasm, plan)
	if err != nil {
		return nil, err
	}
	return w.instantiate(ctx, src)
}

func (w *world) instantiate(ctx engine.Context, src engine.Source) (*engine.Module, error) {
	code, err := w.engine.Compile(ctx, src)
	if err != nil {
		return nil, err
	}
	defer code.Close()
	m, err := w.engine.Instantiate(ctx, code,
		func(name string) engine.Importable { return w.byName[name] },
		func(min, max uint64) *memory.Linear { return w.memory(code, src.Plan, min, max) })
	if err == nil {
		w.t.Cleanup(func() { require.NoError(w.t, m.Close(context.Background())) })
	}
	return m, err
}

func (w *world) memory(code *engine.Code, plan core.Plan, min, max uint64) *memory.Linear {
	if plan.MaxMemory > 0 {
		require.LessOrEqual(w.t, max, plan.MaxMemory)
	}
	img := image(w.t, code.Data())
	defer img.Close()
	lin, err := img.New(min, max, w.budget)
	if err != nil {
		return nil
	}
	w.t.Cleanup(func() { require.NoError(w.t, lin.Close()) })
	return lin
}

// image makes an image of what was stripped.
func image(t testing.TB, data []core.Segment) *memory.Image {
	segments := make([]memory.Segment, len(data))
	for i, s := range data {
		segments[i] = memory.Segment{Offset: s.Offset, Bytes: s.Bytes}
	}
	img, err := memory.NewImage(segments)
	require.NoError(t, err)
	return img
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
