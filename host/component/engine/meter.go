package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/trap"
)

// Meter watches and bounds what the instances of a store use: one meter serves
// all modules of a store, whose calls run one at a time. Put it in the
// [CallContext] with which they are instantiated, and close it after them.
//
// Only [Meter.Interrupt] and [Meter.ClearInterrupt] may be called while a guest
// runs.
type Meter struct {
	e     *Engine
	limit uint64 // ticks since spent
	spent uint64 // ticks up to the last SetTickLimit

	mu sync.Mutex // guards g against Close, not the guest
	g  *meterGlobals
}

// meterGlobals is an instance of core.MeterBinary.
type meterGlobals struct {
	inst                              api.Module
	stop, left, budget, stack, clones api.MutableGlobal
}

// NewMeter makes a meter without a limit of ticks.
func (e *Engine) NewMeter() (*Meter, error) {
	g, err := e.takeMeter()
	if err != nil {
		return nil, err
	}
	m := &Meter{e: e, g: g}
	m.Reset()
	return m, nil
}

// Reset makes the meter a new one.
func (m *Meter) Reset() {
	m.setStop(0)
	m.g.budget.Set(core.CheckPeriod)
	m.Unwind()
	m.limit, m.spent = math.MaxInt64, 0
	m.g.left.Set(m.limit)
}

// Close gives the meter up. Nothing that was instantiated with it may run again.
// A later Interrupt does nothing.
func (m *Meter) Close() {
	m.mu.Lock()
	g := m.g
	if g != nil {
		m.spent += m.sinceLimit()
	}
	m.g = nil
	m.mu.Unlock()
	if g != nil {
		m.e.returnMeter(g)
	}
}

// Interrupt makes the guest trap as unreachable at its next check. It may be
// called from any goroutine, also after Close, and does not wait.
//
// The guest may be past its last check, so a call may still end well. A host
// function that it is in is not woken: that is its context's task.
func (m *Meter) Interrupt() { m.setStop(1) }

// ClearInterrupt takes an [Meter.Interrupt] back, for the next call.
func (m *Meter) ClearInterrupt() { m.setStop(0) }

func (m *Meter) setStop(v uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.g != nil {
		m.g.stop.Set(v)
	}
}

// Ticks returns how many ticks guests have spent since the meter was made, also
// after Close. A tick is about one pass through a loop, or one call.
func (m *Meter) Ticks() uint64 {
	if m.g == nil {
		return m.spent
	}
	return m.spent + m.sinceLimit()
}

// sinceLimit returns the ticks spent since the last SetTickLimit.
func (m *Meter) sinceLimit() uint64 {
	period := int64(core.CheckPeriod) - int64(int32(m.g.budget.Get()))
	return m.limit - m.g.left.Get() + uint64(period)
}

// SetTickLimit lets guests spend n ticks from now on, or one part in 64 less:
// what is left of the period is not settled where that is more work than it
// matters. Who spends more traps with [trap.Limit] at its next check. A limit
// above math.MaxInt64 is none.
func (m *Meter) SetTickLimit(n uint64) {
	n = min(n, math.MaxInt64)
	if n < 64*core.CheckPeriod {
		m.spent += m.sinceLimit()
		m.limit = n
		m.g.left.Set(n)
		m.g.budget.Set(core.CheckPeriod)
		return
	}
	left := m.g.left.Get()
	if left == n && m.limit == n {
		return // most calls end before their first check
	}
	m.spent += m.limit - left
	m.limit = n
	m.g.left.Set(n)
}

// Unwind gives back the stack that calls which trapped have kept. Trapped code is
// dead, so this is for stores that only look at what it did.
func (m *Meter) Unwind() {
	m.g.stack.Set(core.MaxStack)
	m.g.clones.Set(core.MaxClones)
}

// StackLeft returns the bytes of stack that guests may still use, as core
// estimates them: core.MaxStack where none is running.
func (m *Meter) StackLeft() int { return int(int32(m.g.stack.Get())) }

// ClonesLeft returns the bytes that are left for copies of the stack.
func (m *Meter) ClonesLeft() int { return int(int32(m.g.clones.Get())) }

// SetStackLeft bounds the stack of all calls that wait for each other.
func (m *Meter) SetStackLeft(n int) { m.g.stack.Set(uint64(uint32(min(n, core.MaxStack)))) }

// explain gives a trap at a check the reason that the meter knows. An
// interruption stays unreachable: who interrupted knows better.
func (m *Meter) explain(t *trap.Error) *trap.Error {
	if m == nil || m.g == nil || t.Code != trap.Unreachable || m.interrupted() {
		return t
	}
	switch {
	case int32(m.g.stack.Get()) < 0:
		t.Code, t.Msg = trap.StackOverflow, fmt.Sprintf("more than %d bytes", core.MaxStack)
	case int32(m.g.clones.Get()) < 0:
		t.Code, t.Msg = trap.StackOverflow, "too many open try blocks in deep calls"
	case int64(m.g.left.Get()) < 0:
		t.Code, t.Msg = trap.Limit, fmt.Sprintf("the call takes more than %d ticks of CPU time", m.limit)
	}
	return t
}

// interrupted reads what [Meter.Interrupt] may be writing.
func (m *Meter) interrupted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.g.stop.Get() != 0
}

// maxSpareMeters bounds the meters that are kept for later stores.
const maxSpareMeters = 1000

// spareMeters are meters that no store uses. The lock is one that every store
// which is made or ended takes: nothing that takes time is done under it.
type spareMeters struct {
	mu     sync.Mutex
	list   []*meterGlobals
	closed bool
}

func (s *spareMeters) take() (g *meterGlobals, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if n := len(s.list) - 1; n >= 0 {
		g, s.list[n] = s.list[n], nil
		s.list = s.list[:n]
	}
	return g, nil
}

// put keeps a meter and reports whether it did.
func (s *spareMeters) put(g *meterGlobals) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.list) == maxSpareMeters {
		return false
	}
	s.list = append(s.list, g)
	return true
}

func (s *spareMeters) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.closed = nil, true
}

func (e *Engine) takeMeter() (*meterGlobals, error) {
	if g, err := e.meters.take(); g != nil || err != nil {
		return g, err
	}
	inst, err := e.runtime.InstantiateModule(e.ctx, e.meterCode, anonymous)
	if err != nil {
		return nil, fmt.Errorf("make a meter: %w", err)
	}
	g := &meterGlobals{inst: inst}
	for name, p := range map[string]*api.MutableGlobal{
		core.StopGlobal: &g.stop, core.LeftGlobal: &g.left, core.BudgetGlobal: &g.budget,
		core.StackGlobal: &g.stack, core.ClonesGlobal: &g.clones,
	} {
		var ok bool
		if *p, ok = inst.ExportedGlobal(name).(api.MutableGlobal); !ok {
			return nil, errors.New("make a meter: it has no " + name)
		}
	}
	return g, nil
}

func (e *Engine) returnMeter(g *meterGlobals) {
	if !e.meters.put(g) {
		_ = g.inst.Close(context.Background()) // cannot fail: it forgets the instance
	}
}

func (g *meterGlobals) instance() api.Module { return g.inst }

// compileMeter compiles what all meters are instances of.
func compileMeter(ctx context.Context, r wazero.Runtime) (wazero.CompiledModule, error) {
	code, err := r.CompileModule(ctx, core.MeterBinary())
	if err != nil {
		return nil, fmt.Errorf("compile the meter: %w", err)
	}
	return code, nil
}
