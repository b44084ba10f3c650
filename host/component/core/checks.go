package core

// How checks work. A guest pays into a budget for what it runs: loops for each
// pass, functions for each call, long runs of code for their length. Whoever
// uses the budget up calls $check, which leaves native code by a memory.grow of
// 0 pages, so that the Go runtime can preempt it, and then reads the stop flag.
//
// Loops pay by a local counter, that they flush into the budget now and then;
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
	bulkTicks  = 1024 // ticks for table.* and memory.init
	tryTicks   = 64   // ticks for try_table, which copies the stack

	chunk     = 1 << 20 // the most bytes that memory.copy and .fill do at once
	freeBulk  = 4096    // bytes that they do without a payment
	bulkShift = 8       // ticks per byte, as a shift
)

// The appended functions, by their distance from the module's own.
const (
	funcCheck = iota
	funcFlush
	funcCopy
	funcFill
	checkFuncs
)

// The appended globals, likewise.
const (
	globalStop = iota
	globalTicks
	globalBudget
)

func (w *writer) appendedFunc(i int) uint32   { return uint32(len(w.m.Funcs) + i) }
func (w *writer) appendedGlobal(i int) uint32 { return uint32(len(w.m.Globals) + i) }

// asm assembles code.
type asm struct{ b []byte }

func (a *asm) op(ops ...byte)            { a.b = append(a.b, ops...) }
func (a *asm) opIndex(op byte, i uint32) { a.b = appendU32(append(a.b, op), i) }
func (a *asm) i32(v int32)               { a.b = appendI32(append(a.b, opI32Const), v) }
func (a *asm) get(local uint32)          { a.opIndex(opLocalGet, local) }
func (a *asm) set(local uint32)          { a.opIndex(opLocalSet, local) }
func (a *asm) misc(op byte, imm ...byte) { a.op(opMiscPrefix, op); a.op(imm...) }
func (a *asm) getBudget(w *writer)       { a.opIndex(opGlobalGet, w.appendedGlobal(globalBudget)) }
func (a *asm) setBudget(w *writer)       { a.opIndex(opGlobalSet, w.appendedGlobal(globalBudget)) }
func (a *asm) call(w *writer, f int)     { a.opIndex(opCall, w.appendedFunc(f)) }
func (a *asm) ifThen(body func())        { a.op(opIf, blockVoid); body(); a.op(opEnd) }
func (a *asm) checkIfOverspent(w *writer) {
	a.getBudget(w)
	a.i32(0)
	a.op(opI32LtS)
	a.ifThen(func() { a.call(w, funcCheck) })
}

// pay takes ticks from the budget.
func (a *asm) pay(w *writer, ticks int32) {
	w.charged = true
	a.getBudget(w)
	a.i32(ticks)
	a.op(opI32Sub)
	a.setBudget(w)
	a.checkIfOverspent(w)
}

// countPass pays for one pass through a loop. The local counter counts down
// from flushEvery.
func (a *asm) countPass(w *writer, counter uint32) {
	w.charged = true
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
	void := uint32(len(w.m.Types))
	if w.charged || len(w.checked) > 0 {
		a.types = append(a.types, []byte{0x60, 0, 0})
	}
	if w.charged {
		a.types = append(a.types, []byte{0x60, 3, byte(I32), byte(I32), byte(I32), 0})
		a.funcs = append(a.funcs, void, void, void+1, void+1)
		a.bodies = append(a.bodies, function(w.checkBody), function(w.flushBody), function(w.copyBody), function(w.fillBody))
		a.globals = append(a.globals,
			[]byte{byte(I32), 1, opI32Const, 0, opEnd},
			[]byte{byte(I64), 1, opI64Const, 0, opEnd},
			append(appendI32([]byte{byte(I32), 1, opI32Const}, CheckPeriod), opEnd))
		for i, name := range []string{StopGlobal, TicksGlobal, BudgetGlobal} {
			a.export(name, KindGlobal, w.appendedGlobal(i))
		}
	}
	for _, g := range w.facts.MutableGlobals {
		a.export(g.Name, KindGlobal, g.Index)
	}
	w.start(a, void)
	return a
}

func (a *additions) export(name string, kind Kind, index uint32) {
	a.exports = append(a.exports, appendU32(append(appendName(nil, name), byte(kind)), index))
}

// start exports the start function, behind the checks of element segments if
// there are any.
func (w *writer) start(a *additions, void uint32) {
	switch {
	case len(w.checked) > 0:
		index := uint32(len(w.m.Funcs) + len(a.funcs))
		a.funcs = append(a.funcs, void)
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
	a.opIndex(opGlobalGet, w.appendedGlobal(globalTicks))
	a.i32(CheckPeriod)
	a.getBudget(w)
	a.op(opI32Sub, opI64ExtendI32U, opI64Add)
	a.opIndex(opGlobalSet, w.appendedGlobal(globalTicks))
	a.i32(CheckPeriod)
	a.setBudget(w)
	a.opIndex(opGlobalGet, w.appendedGlobal(globalStop))
	a.ifThen(func() { a.op(opUnreachable) })
}

func (w *writer) flushBody(a *asm) { a.pay(w, flushEvery) }

// startBody traps like table.init would where an active element segment does
// not fit its table, then runs the module's start function.
func (w *writer) startBody(a *asm) {
	for _, e := range w.checked {
		a.op(w.m.bytes[e.expr.start:e.expr.end]...)
		a.op(opI64ExtendI32U)
		a.b = appendI32(append(a.b, opI64Const), int32(e.count))
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

// The parameters of memory.copy and memory.fill.
const (
	argDst = iota
	argSrc // fill: the value
	argLen
)

// payBulk pays for argLen bytes.
func (a *asm) payBulk(w *writer) {
	a.get(argLen)
	a.i32(freeBulk)
	a.op(opI32GtU)
	a.ifThen(func() {
		a.getBudget(w)
		a.get(argLen)
		a.i32(bulkShift)
		a.op(opI32ShrU, opI32Sub)
		a.setBudget(w)
		a.checkIfOverspent(w)
	})
}

// copyBody is memory.copy in chunks. What does not fit memory is left to one
// instruction, which traps before it writes anything.
func (w *writer) copyBody(a *asm) {
	copyAll := func() { a.get(argDst); a.get(argSrc); a.get(argLen); a.misc(miscMemoryCopy, 0, 0) }
	a.bulk(w, copyAll, []uint32{argDst, argSrc}, func() {
		a.get(argDst)
		a.get(argSrc)
		a.op(opI32LeU)
		a.op(opIf, blockVoid)
		a.chunks(w, func() {
			a.get(argDst)
			a.get(argSrc)
			a.i32(chunk)
			a.misc(miscMemoryCopy, 0, 0)
			a.advance(argDst, opI32Add)
			a.advance(argSrc, opI32Add)
			a.advance(argLen, opI32Sub)
		})
		a.op(opElse)
		a.chunks(w, func() { // from the end, so that nothing is overwritten before it is read
			a.advance(argLen, opI32Sub)
			a.sum(argDst, argLen)
			a.sum(argSrc, argLen)
			a.i32(chunk)
			a.misc(miscMemoryCopy, 0, 0)
		})
		a.op(opEnd)
	})
}

// fillBody is memory.fill in chunks.
func (w *writer) fillBody(a *asm) {
	fillAll := func() { a.get(argDst); a.get(argSrc); a.get(argLen); a.misc(miscMemoryFill, 0) }
	a.bulk(w, fillAll, []uint32{argDst}, func() {
		a.chunks(w, func() {
			a.get(argDst)
			a.get(argSrc)
			a.i32(chunk)
			a.misc(miscMemoryFill, 0)
			a.advance(argDst, opI32Add)
			a.advance(argLen, opI32Sub)
		})
	})
}

// bulk pays, splits what is long and inside memory, and does the rest at once.
func (a *asm) bulk(w *writer, all func(), addresses []uint32, split func()) {
	a.payBulk(w)
	a.get(argLen)
	a.i32(chunk)
	a.op(opI32GtU)
	a.ifThen(func() {
		a.op(opBlock, blockVoid)
		for _, addr := range addresses {
			a.outOfMemory(addr)
			a.op(opBrIf, 0)
		}
		split()
		a.op(opEnd)
	})
	all()
}

// outOfMemory tells whether argLen bytes at an address reach beyond memory.
func (a *asm) outOfMemory(addr uint32) {
	a.get(addr)
	a.op(opI64ExtendI32U)
	a.get(argLen)
	a.op(opI64ExtendI32U, opI64Add)
	a.op(opMemorySize, 0, opI64ExtendI32U, opI64Const, 16, opI64Shl, opI64GtU)
}

// chunks repeats body, which does one chunk, until one or less is left.
func (a *asm) chunks(w *writer, body func()) {
	a.op(opLoop, blockVoid)
	body()
	a.call(w, funcCheck)
	a.get(argLen)
	a.i32(chunk)
	a.op(opI32GtU, opBrIf, 0, opEnd)
}

func (a *asm) advance(local uint32, op byte) {
	a.get(local)
	a.i32(chunk)
	a.op(op)
	a.set(local)
}

func (a *asm) sum(x, y uint32) {
	a.get(x)
	a.get(y)
	a.op(opI32Add)
}
