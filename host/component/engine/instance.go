package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero/api"

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
	inst  api.Module
	mem   *memory.Linear
	saved []savedGlobal
	meter *Meter
	own   bool // meter is this module's alone
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
	cc := ctx.callContext()
	m := &Module{meter: cc.Meter}
	if m.meter == nil {
		var err error
		if m.meter, err = e.NewMeter(); err != nil {
			return nil, err
		}
		m.own = true
	}
	cc.making.begin(m, resolve, newMemory)
	err := m.instantiate(ctx, e, code)
	cc.making.end()
	if err != nil {
		m.closeMeter()
		return nil, err
	}
	ctx.Instantiated(m)
	if start := m.start(code.c); start != nil {
		if err := start.Call(ctx, nil); err != nil {
			return nil, errors.Join(err, m.Close(context.WithoutCancel(ctx)))
		}
	}
	return m, nil
}

// start returns the function to call once, or nil. That there is none is found
// out by the first instance: wazero makes an error of it, which costs.
func (m *Module) start(c *compilation) *Func {
	if c.noStart.Load() {
		return nil
	}
	start := m.Func(core.StartFunc)
	if start == nil {
		c.noStart.Store(true)
	}
	return start
}

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

// Meter returns the meter that the module was instantiated with.
func (m *Module) Meter() *Meter { return m.meter }

// Interrupt is [Meter.Interrupt].
func (m *Module) Interrupt() { m.meter.Interrupt() }

// ClearInterrupt is [Meter.ClearInterrupt].
func (m *Module) ClearInterrupt() { m.meter.ClearInterrupt() }

// Close takes the instance out of the engine. See [Module] for what else must
// be closed with it, and close its memory after it. No guest may be running.
func (m *Module) Close(ctx context.Context) error {
	m.closeMeter()
	if err := m.inst.Close(ctx); err != nil {
		return fmt.Errorf("close core instance: %w", err)
	}
	return nil
}

func (m *Module) closeMeter() {
	if m.own {
		m.meter.Close()
	}
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
