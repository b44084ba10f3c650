package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/memory"
)

// Importable is what a module can import from: a [*Module] or a [*HostModule].
type Importable interface{ instance() api.Module }

// ErrMemory is returned by [Engine.Instantiate] where there is no memory for
// the instance.
var ErrMemory = errors.New("no linear memory for the instance")

// Module is an instance of a core module.
//
// The instances that share memories, tables or globals must be closed together:
// wazero lets go of a memory when the first instance that sees it is closed,
// and the others can no longer grow it.
type Module struct {
	inst api.Module
	mem  *memory.Linear

	mu     sync.Mutex // guards the globals against each other, not the guest
	stop   api.MutableGlobal
	ticks  api.Global
	budget api.Global
}

// Instantiate makes an instance and runs its start function, with ctx itself
// as the context of the host functions that it calls.
//
// resolve returns what an import module name stands for, nil meaning that
// there is none. newMemory makes the memory if the module defines one, of min
// bytes that may grow to max bytes or less; max is the lower of what the module
// declared and its core.Plan allowed. It may return nil, which fails with
// [ErrMemory]. The memory stays the caller's to close, also after an error.
//
// A start function that traps makes it return a trap.Error. What the instance
// wrote to imported tables and memories stays written: treat them as poisoned.
func (e *Engine) Instantiate(
	ctx Context, code *Code, resolve func(module string) Importable, newMemory func(min, max uint64) *memory.Linear,
) (*Module, error) {
	m := &Module{}
	cc := ctx.callContext()
	cc.values = experimental.WithMemoryAllocator(
		experimental.WithImportResolver(context.Background(), resolver(resolve)), m.allocator(newMemory))
	err := m.instantiate(ctx, e, code)
	cc.values = nil
	if err != nil {
		return nil, err
	}
	m.stop, _ = m.inst.ExportedGlobal(core.StopGlobal).(api.MutableGlobal)
	m.ticks = m.inst.ExportedGlobal(core.TicksGlobal)
	m.budget = m.inst.ExportedGlobal(core.BudgetGlobal)
	ctx.Instantiated(m)
	if start := m.Func(core.StartFunc); start != nil {
		if err := start.Call(ctx, nil); err != nil {
			return nil, errors.Join(err, m.Close(context.WithoutCancel(ctx)))
		}
	}
	return m, nil
}

func resolver(resolve func(string) Importable) experimental.ImportResolver {
	return func(name string) api.Module {
		if resolve == nil {
			return nil
		}
		if i := resolve(name); i != nil {
			return i.instance()
		}
		return nil
	}
}

// noMemory is panicked through wazero, which has no other way to fail here.
type noMemory struct{}

func (m *Module) allocator(newMemory func(min, max uint64) *memory.Linear) experimental.MemoryAllocatorFunc {
	return func(min, max uint64) experimental.LinearMemory {
		if max == 0 {
			return emptyMemory{} // also the one that core adds to a module without
		}
		if newMemory != nil {
			m.mem = newMemory(min, max-memory.PageSize) // core declared a page more
		}
		if m.mem == nil || uint64(len(m.mem.Bytes())) > min || m.mem.Reallocate(min) == nil {
			panic(noMemory{})
		}
		return m.mem
	}
}

// emptyMemory is a memory of no pages that cannot grow.
type emptyMemory struct{}

func (emptyMemory) Reallocate(size uint64) []byte {
	if size > 0 {
		return nil
	}
	return []byte{}
}

func (emptyMemory) Free() {}

func (m *Module) instantiate(ctx context.Context, e *Engine, code *Code) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(noMemory); !ok {
				panic(r)
			}
			err = ErrMemory
		}
	}()
	if code.c.code == nil {
		return errors.New("instantiate core module: its code is closed")
	}
	m.inst, err = e.runtime.InstantiateModule(ctx, code.c.code, anonymous)
	if err != nil {
		return instantiateError(err)
	}
	return nil
}

// Memory returns the memory that the module defines, or nil.
func (m *Module) Memory() *memory.Linear { return m.mem }

// Func returns a new call engine for the exported function of that name, or
// nil. Each call of Func costs about 4 us and 12 KB: keep the result.
func (m *Module) Func(name string) *Func {
	fn := m.inst.ExportedFunction(name)
	if fn == nil {
		return nil
	}
	return &Func{fn: fn, m: m, name: name}
}

// Global returns the exported global of that name, or nil.
func (m *Module) Global(name string) *Global {
	g := m.inst.ExportedGlobal(name)
	if g == nil {
		return nil
	}
	return &Global{g}
}

// Interrupt makes the guest trap as unreachable at its next check. It may be
// called from any goroutine, also after Close, and does not wait. It does
// nothing if the module has no checks, because it runs nothing long.
//
// The guest may be past its last check, so a call may still end well. A host
// function that it is in is not woken: that is its context's task.
func (m *Module) Interrupt() { m.setStop(1) }

// ClearInterrupt takes an [Module.Interrupt] back, for the next call.
func (m *Module) ClearInterrupt() { m.setStop(0) }

func (m *Module) setStop(v uint64) {
	if m.stop == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop.Set(v)
}

// Ticks returns about how many passes through loops and calls of functions the
// guest has made. Call it while the guest is not running.
func (m *Module) Ticks() uint64 {
	if m.ticks == nil || m.budget == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ticks.Get() + uint64(int64(core.CheckPeriod)-int64(int32(m.budget.Get())))
}

// Close takes the instance out of the engine. See [Module] for what else must
// be closed with it, and close its memory after it. No guest may be running.
func (m *Module) Close(ctx context.Context) error {
	if err := m.inst.Close(ctx); err != nil {
		return fmt.Errorf("close core instance: %w", err)
	}
	return nil
}

func (m *Module) instance() api.Module {
	if m == nil {
		return nil
	}
	return m.inst
}

// Global is an exported global. Use it while the guest is not running.
type Global struct{ g api.Global }

// Get returns the value; of a v128, the lower half.
func (g *Global) Get() uint64 { return g.g.Get() }

// Set sets the value and reports whether it could: immutable and v128 globals
// cannot be set.
func (g *Global) Set(v uint64) bool {
	mut, ok := g.g.(api.MutableGlobal)
	if !ok || g.g.Type() == valueTypeV128 {
		return false
	}
	mut.Set(v)
	return true
}

// valueTypeV128 is the type's byte in the binary format; wazero's api has no
// name for it.
const valueTypeV128 api.ValueType = 0x7b
