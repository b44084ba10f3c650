package core

// The meter is the globals by which a host watches and stops what a guest does.
// They belong to no module: all instances of a store, which run one at a time,
// import the same ones, so that what one spends another cannot spend again.
//
// Imported globals come before a module's own, whose indices move up.

// MeterModule is the name of the module from which rewritten modules import the
// meter. [MeterBinary] is one that has it.
const MeterModule = ReservedPrefix + "meter"

// The meter's globals, all mutable.
const (
	// StopGlobal is an i32. Once the host sets it to 1, the guest traps as
	// unreachable at its next check.
	StopGlobal = "stop"
	// LeftGlobal is an i64: the ticks that the guest may still spend, as of the
	// last check. A guest that finds it below 0 traps as unreachable.
	LeftGlobal = "left"
	// BudgetGlobal is an i32: what is left of the ticks until the next check.
	// A guest has spent CheckPeriod - BudgetGlobal since the last one.
	BudgetGlobal = "budget"
	// StackGlobal is an i32: the bytes of stack that are left, as the rewriter
	// estimates them. A guest that finds it below 0 traps as unreachable, and
	// leaves it as it is.
	StackGlobal = "stack"
	// ClonesGlobal is an i32: the bytes that are left for copies of the stack,
	// of which the engine makes one for each try_table that is open. A guest
	// that finds it below 0 traps as unreachable. Only modules with exceptions
	// import it.
	ClonesGlobal = "clones"
)

// The meter's globals, in the order in which they are imported.
const (
	globalStop = iota
	globalLeft
	globalBudget
	globalStack
	globalClones
	allGlobals
)

var meter = [allGlobals]struct {
	name string
	typ  ValType
}{
	globalStop:   {StopGlobal, I32},
	globalLeft:   {LeftGlobal, I64},
	globalBudget: {BudgetGlobal, I32},
	globalStack:  {StackGlobal, I32},
	globalClones: {ClonesGlobal, I32},
}

// MeterBinary returns a module that exports a meter. Its globals are 0 but for
// BudgetGlobal: the host must say what a guest may take before it runs.
func MeterBinary() []byte {
	globals, exports := []byte{allGlobals}, []byte{allGlobals}
	for i, g := range meter {
		constant := byte(opI32Const)
		if g.typ == I64 {
			constant = opI64Const
		}
		value := int32(0)
		if i == globalBudget {
			value = CheckPeriod
		}
		globals = append(appendI32(append(globals, byte(g.typ), 1, constant), value), opEnd)
		exports = append(appendName(exports, g.name), byte(KindGlobal), byte(i))
	}
	b := appendSection(append([]byte{}, preamble...), secGlobal, globals)
	return appendSection(b, secExport, exports)
}

// meterGlobals returns how much of the meter the module imports.
func (w *writer) meterGlobals() int {
	switch {
	case !w.metered:
		return 0
	case w.facts.Exceptions:
		return allGlobals
	}
	return globalClones
}

func (w *writer) meterImports(b []byte) []byte {
	for _, g := range meter[:w.meterGlobals()] {
		b = appendName(appendName(b, MeterModule), g.name)
		b = append(b, byte(KindGlobal), byte(g.typ), 1)
	}
	return b
}

// meterGlobal returns the index of a global of the meter.
func (w *writer) meterGlobal(i int) uint32 { return uint32(w.m.ImportedGlobals + i) }

// global returns the new index of a global of the module.
func (w *writer) global(i uint32) uint32 {
	if int(i) >= w.m.ImportedGlobals {
		return i + uint32(w.meterGlobals())
	}
	return i
}
