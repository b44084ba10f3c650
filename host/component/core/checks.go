package core

// How checks work. A guest pays into a budget for what it runs: loops for each
// pass, functions for each call, long runs of code for their length. Whoever
// uses the budget up calls $check, which leaves native code by a memory.grow of
// 0 pages, so that the Go runtime can preempt it, and then reads what the host
// says in the meter.
//
// Loops pay by a local counter (loops.go), that is flushed into the budget now and then;
// everything else pays directly. What a guest can run without paying is
// bounded: at most flushEvery passes per call (a function with loops pays
// loopEntry for that in advance), and at most maxRun bytes of code per pass.
const (
	// CheckPeriod is the budget between two checks, in ticks. A tick is about
	// one pass through a loop.
	CheckPeriod = 4096

	flushEvery = 256  // passes
	loopEntry  = 32   // ticks for calling a function with loops
	callEntry  = 1    // ticks for calling a function with calls
	leafEntry  = 8    // ticks for calling any other, if longer than leafRun
	leafRun    = 256  // bytes
	maxRun     = 1024 // bytes of code without a payment
	runTicks   = 64   // ticks for maxRun bytes
	callRun    = 128  // what a call counts for, in bytes
	growTicks  = 1024 // ticks for table.grow
	tryTicks   = 64   // ticks for try_table, which copies the stack
)

// The appended functions, by their distance from the module's own. Those for
// bulk instructions follow; see bulk.go.
const (
	funcCheck = iota
	funcFlush
	checkFuncs
)

func (w *writer) appendedFunc(i int) uint32 { return uint32(len(w.m.Funcs) + i) }

// appendedType returns the index of a function type, which is appended if it is
// new.
func (w *writer) appendedType(params, results []ValType) uint32 {
	enc := appendU32([]byte{0x60}, uint32(len(params)))
	for _, t := range params {
		enc = append(enc, byte(t))
	}
	enc = appendU32(enc, uint32(len(results)))
	for _, t := range results {
		enc = append(enc, byte(t))
	}
	i, ok := w.typeIndex[string(enc)]
	if !ok {
		i = uint32(len(w.m.Types) + len(w.types))
		w.typeIndex[string(enc)] = i
		w.types = append(w.types, enc)
	}
	return i
}

// asm assembles code.
type asm struct{ b []byte }

func (a *asm) op(ops ...byte)            { a.b = append(a.b, ops...) }
func (a *asm) opIndex(op byte, i uint32) { a.b = appendU32(append(a.b, op), i) }
func (a *asm) i32(v int32)               { a.b = appendI32(append(a.b, opI32Const), v) }
func (a *asm) get(local uint32)          { a.opIndex(opLocalGet, local) }
func (a *asm) set(local uint32)          { a.opIndex(opLocalSet, local) }
func (a *asm) i64(v int32)               { a.b = appendI32(append(a.b, opI64Const), v) }
func (a *asm) getMeter(w *writer, g int) { a.opIndex(opGlobalGet, w.meterGlobal(g)) }
func (a *asm) setMeter(w *writer, g int) { a.opIndex(opGlobalSet, w.meterGlobal(g)) }
func (a *asm) call(w *writer, f int)     { a.opIndex(opCall, w.appendedFunc(f)) }
func (a *asm) ifThen(body func())        { a.op(opIf, blockVoid); body(); a.op(opEnd) }

// checkIf calls $check if the value on the stack is negative.
func (a *asm) checkIfNegative(w *writer) {
	a.i32(0)
	a.op(opI32LtS)
	a.ifThen(func() { a.call(w, funcCheck) })
}

// spend takes an amount from a global of the meter.
func (a *asm) spend(w *writer, global int, amount int32) {
	a.getMeter(w, global)
	a.i32(amount)
	a.op(opI32Sub)
	a.setMeter(w, global)
}

// pay takes ticks from the budget.
func (a *asm) pay(w *writer, ticks int32) {
	a.spend(w, globalBudget, ticks)
	a.getMeter(w, globalBudget)
	a.checkIfNegative(w)
}

// enter pays for a call, in time and stack, with one check for both.
func (a *asm) enter(w *writer, ticks, charge int32) {
	if ticks > 0 {
		a.spend(w, globalBudget, ticks)
	}
	if charge > 0 {
		a.spend(w, globalStack, charge)
	}
	switch {
	case ticks > 0 && charge > 0:
		a.getMeter(w, globalBudget)
		a.getMeter(w, globalStack)
		a.op(opI32Or)
	case ticks > 0:
		a.getMeter(w, globalBudget)
	case charge > 0:
		a.getMeter(w, globalStack)
	default:
		return
	}
	a.checkIfNegative(w)
}

// blockType is the type of a block with the results of t.
func (a *asm) blockType(w *writer, t *FuncType) {
	switch len(t.Results) {
	case 0:
		a.op(blockVoid)
	case 1:
		a.op(byte(t.Results[0]))
	default:
		a.b = appendI32(a.b, int32(w.appendedType(nil, t.Results)))
	}
}

// countPass pays for one pass through a loop. The local counter counts down
// from flushEvery.
func (a *asm) countPass(w *writer, counter uint32) {
	a.get(counter)
	a.i32(1)
	a.op(opI32Sub)
	a.opIndex(opLocalTee, counter)
	a.op(opI32Eqz)
	a.ifThen(func() {
		a.call(w, funcFlush)
		a.resetCounter(counter)
	})
}

func (a *asm) resetCounter(counter uint32) {
	a.i32(flushEvery)
	a.set(counter)
}

// function makes a body of the code that f writes, without locals.
func function(f func(a *asm)) []byte {
	a := &asm{b: []byte{0}}
	f(a)
	a.op(opEnd)
	return append(appendU32(nil, uint32(len(a.b))), a.b...)
}

// appended decides what to append and encodes it.
func (w *writer) appended() *additions {
	a := &additions{}
	if w.metered {
		a.funcs = append(a.funcs, w.void(), w.void())
		a.bodies = append(a.bodies, function(w.checkBody), function(w.flushBody))
		for _, b := range w.bulks {
			a.funcs = append(a.funcs, b.typ)
			a.bodies = append(a.bodies, function(func(a *asm) { a.bulkBody(w, b.bulk) }))
		}
	}
	for _, g := range w.facts.MutableGlobals {
		a.export(g.Name, KindGlobal, w.global(g.Index))
	}
	w.start(a)
	a.types = w.types
	return a
}

func (w *writer) void() uint32 { return w.appendedType(nil, nil) }

func (a *additions) export(name string, kind Kind, index uint32) {
	a.exports = append(a.exports, appendU32(append(appendName(nil, name), byte(kind)), index))
}

// start exports the start function, behind the checks of element segments if
// there are any.
func (w *writer) start(a *additions) {
	switch {
	case len(w.checked) > 0:
		index := uint32(len(w.m.Funcs) + len(a.funcs))
		a.funcs = append(a.funcs, w.void())
		a.bodies = append(a.bodies, function(w.startBody))
		a.export(StartFunc, KindFunc, index)
	case w.m.HasStart:
		a.export(StartFunc, KindFunc, w.m.Start)
	}
}

// checkBody: leave native code, settle the period, look whether to stop.
func (w *writer) checkBody(a *asm) {
	a.i32(0)
	a.op(opMemoryGrow, 0, opDrop)
	a.getMeter(w, globalLeft)
	a.i32(CheckPeriod)
	a.getMeter(w, globalBudget)
	a.op(opI32Sub, opI64ExtendI32U, opI64Sub)
	a.setMeter(w, globalLeft)
	a.i32(CheckPeriod)
	a.setMeter(w, globalBudget)
	a.getMeter(w, globalStop)
	a.getMeter(w, globalLeft)
	a.i64(0)
	a.op(opI64LtS, opI32Or)
	a.getMeter(w, globalStack)
	a.i32(0)
	a.op(opI32LtS, opI32Or)
	if w.facts.Exceptions {
		a.getMeter(w, globalClones)
		a.i32(0)
		a.op(opI32LtS, opI32Or)
	}
	a.ifThen(func() { a.op(opUnreachable) })
}

func (w *writer) flushBody(a *asm) { a.pay(w, flushEvery) }

// startBody traps like table.init would where an active element segment does
// not fit its table, then runs the module's start function.
func (w *writer) startBody(a *asm) {
	for _, e := range w.checked {
		a.b = w.moved(a.b, e.expr)
		a.op(opI64ExtendI32U)
		a.i64(int32(e.count))
		a.op(opI64Add, opMiscPrefix)
		a.opIndex(miscTableSize, e.table)
		a.op(opI64ExtendI32U, opI64GtU)
		a.ifThen(func() {
			a.i32(-1) // no table is that long
			a.opIndex(opTableGet, e.table)
			a.op(opDrop)
		})
	}
	if w.m.HasStart {
		a.opIndex(opCall, w.m.Start)
	}
}
