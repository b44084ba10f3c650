package component

import (
	"fmt"
	"time"

	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/host/component/trap"
)

// Limits bound what one component may be and take. Zero fields mean the
// defaults, which are on. Those of Link refuse the component there; those of an
// instance trap its guest with [trap.Limit], or tell it in the words that
// WebAssembly has for that (memory.grow and table.grow return -1).
type Limits struct {
	// CPU bounds what guest code may run in one call, making an instance being
	// a call of its own. It is counted, not timed, so that it does not depend
	// on what else the machine does: in ticks, for which a nanosecond each is
	// the nominal price. A tick is about one pass through a small loop or one
	// call; long code and bulk instructions cost more. All core modules of the
	// instance draw on it, the host's work for them does not. The guest traps
	// with [trap.Limit], some thousand ticks sooner or later. Default: 1 minute.
	CPU time.Duration
	// Memory bounds the linear memories of one instance together, in bytes.
	// Default: 256 MiB.
	Memory uint64
	// TableElements bounds the tables of one instance together. What they do
	// not begin with is shared among its modules, to grow into. Default:
	// 1,000,000.
	TableElements uint32
	// Handles bounds the handle tables of one instance together: the sum of
	// what each of its component instances had open at most. Default: 100,000.
	Handles int
	// LiftBytes bounds what one lift may copy into host memory, in bytes, so
	// that a list cannot name one string a million times. Default: 64 MiB.
	LiftBytes int
	// HostBytes bounds what the host's own objects may hold for one instance at
	// a time, in bytes, as far as their implementations charge it to the
	// [HostBudget] of their calls. Default: 64 MiB.
	HostBytes int64

	// CoreInstances, Instances, Memories and Tables count what one instance
	// consists of, by Link: core module instances, component instances, and
	// the memories and tables that core modules define. Defaults: 1,000,
	// 10,000, 100 and 1,000.
	CoreInstances, Instances, Memories, Tables int

	// CodeBytes and Functions bound the core modules that Link compiles, in
	// bytes without their data, checks included, and in functions of their own.
	// A module that is instantiated again counts again if its imports come from
	// elsewhere. Defaults: 128 MiB and
	// 1,000,000.
	CodeBytes, Functions int
	// CompileTime bounds how long Link may take, waiting for its turn
	// included. Default: 2 minutes.
	CompileTime time.Duration
}

// The defaults of [Limits].
const (
	defaultCPU           = time.Minute
	defaultMemory        = 256 << 20
	defaultTableElements = 1_000_000
	defaultHandles       = 100_000
	defaultLiftBytes     = 64 << 20
	defaultHostBytes     = 64 << 20
	defaultMemories      = 100
	defaultTables        = 1_000
	defaultCodeBytes     = 128 << 20
	defaultFunctions     = 1_000_000
	defaultCompileTime   = 2 * time.Minute
)

func (l Limits) withDefaults() Limits {
	orDefault(&l.CPU, defaultCPU)
	orDefault(&l.Memory, defaultMemory)
	orDefault(&l.TableElements, defaultTableElements)
	orDefault(&l.Handles, defaultHandles)
	orDefault(&l.LiftBytes, defaultLiftBytes)
	orDefault(&l.HostBytes, defaultHostBytes)
	orDefault(&l.CoreInstances, link.DefaultLimits.Cores)
	orDefault(&l.Instances, link.DefaultLimits.Instances)
	orDefault(&l.Memories, defaultMemories)
	orDefault(&l.Tables, defaultTables)
	orDefault(&l.CodeBytes, defaultCodeBytes)
	orDefault(&l.Functions, defaultFunctions)
	orDefault(&l.CompileTime, defaultCompileTime)
	return l
}

func orDefault[T int | int64 | uint32 | uint64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// noteMemory adds to the text of a trap that the instance had hardly any memory
// left. A guest that was refused more seldom says so: it aborts, or breaks a rule
// as it tries to print why.
func (i *Instance) noteMemory(t *trap.Error) {
	s := i.budget.Stats()
	if s.Used < s.Limit-s.Limit/16 {
		return
	}
	if t.Msg != "" {
		t.Msg += "; "
	}
	t.Msg += fmt.Sprintf("memory is nearly full: %d of at most %d bytes", s.Used, s.Limit)
}

// flatten are the limits of the plan.
func (l Limits) flatten() link.Limits {
	return link.Limits{Cores: l.CoreInstances, Instances: l.Instances}
}

// countParts checks what every instance of the template will consist of.
func (t *Template) countParts() error {
	memories, tables := 0, 0
	for _, site := range t.plan.Cores {
		m := t.plan.Modules[site.Module]
		memories += len(m.Memories) - m.ImportedMemories
		tables += len(m.Tables) - m.ImportedTables
	}
	if memories > t.limits.Memories {
		return fmt.Errorf("%d memories, at most %d are allowed", memories, t.limits.Memories)
	}
	if tables > t.limits.Tables {
		return fmt.Errorf("%d tables, at most %d are allowed", tables, t.limits.Tables)
	}
	return nil
}

// codeCost counts what Link compiles.
type codeCost struct{ bytes, functions int }

func (c *codeCost) charge(bytes, functions int, l *Limits) error {
	c.bytes += bytes
	c.functions += functions
	if c.bytes > l.CodeBytes {
		return fmt.Errorf("core modules of %d bytes without their data, at most %d are allowed", c.bytes, l.CodeBytes)
	}
	if c.functions > l.Functions {
		return fmt.Errorf("core modules of %d functions, at most %d are allowed", c.functions, l.Functions)
	}
	return nil
}
