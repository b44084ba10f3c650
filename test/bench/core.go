package main

import (
	"context"
	"errors"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/memory"
	"github.com/lathhost/lath/test/bench/guests"
)

// module is a core module on the component runtime's own engine: what is left
// when no component is around it, to compare with runtimes that know none.
type module struct {
	engine *engine.Engine
	code   *engine.Code
	image  *memory.Image
	budget *memory.Budget
	hosts  map[string]engine.Importable
}

// instance is one of a module, with its memory.
type instance struct {
	*engine.Module
	mem *memory.Linear
}

// coreMemory bounds a memory as the runtime does by default.
const coreMemory = 256 << 20

// module rewrites and compiles a core module; plan says how.
func (b *bed) module(ctx context.Context, wasm []byte, plan core.Plan) (*module, error) {
	e, err := b.coreEngine(ctx)
	if err != nil {
		return nil, err
	}
	parsed, err := core.Parse(wasm, core.Limits{})
	if err != nil {
		return nil, err
	}
	plan.StripData, plan.MaxMemory = true, coreMemory
	m := &module{engine: e, budget: memory.NewBudget(0, nil), hosts: map[string]engine.Importable{}}
	if m.code, err = e.Compile(ctx, engine.Source{Module: parsed, Plan: plan}); err != nil {
		return nil, err
	}
	data := m.code.Data()
	segments := make([]memory.Segment, len(data))
	for i, s := range data {
		segments[i] = memory.Segment{Offset: s.Offset, Bytes: s.Bytes}
	}
	if m.image, err = memory.NewImage(segments); err != nil {
		return nil, err
	}
	b.later(func() error { m.code.Close(); return m.image.Close() })
	return m, nil
}

// coreEngine is the engine of all modules.
func (b *bed) coreEngine(ctx context.Context) (_ *engine.Engine, err error) {
	if b.engine == nil {
		if b.engine, err = engine.New(ctx, engine.Config{}); err != nil {
			return nil, err
		}
		b.later(func() error { return b.engine.Close(context.Background()) })
	}
	return b.engine, nil
}

// callee is the core module of callee.wasm, with its data or without.
func callee(data bool) ([]byte, error) {
	wasm, err := guests.Component("callee")
	if err != nil {
		return nil, err
	}
	if data {
		if wasm, err = guests.WithData(wasm); err != nil {
			return nil, err
		}
	}
	return guests.Core(wasm)
}

func (m *module) instantiate(ctx context.Context) (*instance, error) {
	i := &instance{}
	var err error
	i.Module, err = m.engine.Instantiate(engine.NewContext(ctx), m.code, func(name string) engine.Importable { return m.hosts[name] },
		func(min, max uint64) *memory.Linear {
			i.mem, _ = m.image.New(min, max, m.budget) // the engine says so
			return i.mem
		})
	return i, err
}

func (i *instance) close() error {
	err := i.Close(context.Background())
	if i.mem != nil {
		err = errors.Join(err, i.mem.Close())
	}
	return err
}

// keep makes an instance that the bed closes.
func (b *bed) keep(ctx context.Context, m *module) (*instance, error) {
	i, err := m.instantiate(ctx)
	if err == nil {
		b.later(i.close)
	}
	return i, err
}
