package core

import "math"

// code rewrites all function bodies and returns them encoded.
func (w *writer) code() ([]byte, error) {
	s := w.m.sections[secCode]
	out := make([]byte, 0, (s.end-s.start)+(s.end-s.start)/8)
	k := walker{w: w}
	for i := range w.m.bodies {
		if out = k.function(out, i); k.err != nil {
			return nil, k.err
		}
	}
	return out, nil
}

// walker rewrites function bodies. Code that stays as it is is copied in runs:
// what lies between copied and the current instruction is still to be copied.
type walker struct {
	reader
	w *writer
	a asm // the rewritten code

	copied int
	locals int // of the module, parameters included
	total  int // locals of all functions so far
	frames []frame
	run    int // bytes of code since the last payment, on the worst path
	calls  bool
	loops  bool
}

// frame is one open block.
type frame struct {
	kind  byte // opBlock, opLoop, opIf or opElse
	entry int  // run at the start of an if
	exit  int  // the worst run of the branches to the block's end
}

// function appends the rewritten body i to out.
func (k *walker) function(out []byte, i int) []byte {
	m, at := k.w.m, k.w.m.bodies[i]
	k.reader = reader{b: m.bytes[:at.end], pos: at.start}
	k.a.b, k.frames = k.a.b[:0], append(k.frames[:0], frame{kind: opBlock})
	k.run, k.calls, k.loops = 0, false, false

	groups, first := k.declaredLocals(len(m.FuncType(uint32(m.ImportedFuncs + i)).Params))
	start := k.pos
	k.copied = start
	for k.err == nil && len(k.frames) > 0 {
		k.instruction()
	}
	if k.err == nil && k.left() > 0 {
		k.fail(Malformed, k.pos, "code after the end of the function")
	}
	if k.err != nil {
		return out
	}
	k.copyTo(k.pos)

	head := k.head(groups, m.bytes[first:start], at.end-start)
	out = appendU32(out, uint32(len(head)+len(k.a.b)))
	return append(append(out, head...), k.a.b...)
}

// declaredLocals reads the locals. It returns how many groups there are, and
// where the first stands.
func (k *walker) declaredLocals(params int) (groups uint32, first int) {
	start, lim := k.pos, &k.w.m.lim
	n := k.count("groups of locals", math.MaxInt32, 2)
	first = k.pos
	k.locals = params
	for range n {
		count := k.u32()
		k.valType()
		if k.err != nil {
			return
		}
		if uint64(k.locals)+uint64(count) > uint64(lim.Locals) {
			k.fail(LimitExceeded, start, "more than %d locals", lim.Locals)
			return
		}
		k.locals += int(count)
	}
	if k.total += k.locals; k.total > lim.TotalLocals {
		k.fail(LimitExceeded, start, "more than %d locals in all functions", lim.TotalLocals)
	}
	return uint32(n), first
}

// head makes what stands before the code: the locals, with the loop counter
// last, and the payment for the call.
func (k *walker) head(groups uint32, locals []byte, size int) []byte {
	if k.w.plan.NoChecks {
		return append(appendU32(nil, groups), locals...)
	}
	if k.loops {
		groups++
	}
	a := asm{append(appendU32(nil, groups), locals...)}
	if k.loops {
		a.op(1, byte(I32))
	}
	ticks := 0
	if k.calls {
		ticks += callEntry
	}
	if k.loops {
		ticks += loopEntry
	}
	if ticks == 0 && size > leafRun {
		ticks = leafEntry
	}
	if ticks > 0 {
		a.pay(k.w, int32(ticks))
	}
	if k.loops {
		a.resetCounter(uint32(k.locals))
	}
	return a.b
}

// copyTo copies the module's code up to pos.
func (k *walker) copyTo(pos int) {
	k.a.b = append(k.a.b, k.b[k.copied:pos]...)
	k.copied = pos
}

// replace puts what emit writes in the place of the code from start to here.
func (k *walker) replace(start int, emit func(a *asm)) {
	if k.err != nil {
		return
	}
	k.copyTo(start)
	emit(&k.a)
	k.copied = k.pos
}

// pay writes a payment before the instruction at pos.
func (k *walker) pay(pos int, ticks int32) {
	if k.w.plan.NoChecks || k.err != nil {
		return
	}
	k.copyTo(pos)
	k.a.pay(k.w, ticks)
	k.run = 0
}

// instruction walks over one instruction.
func (k *walker) instruction() {
	start := k.pos
	if k.run > maxRun {
		k.pay(start, runTicks)
	}
	switch op := k.byte(); {
	case op <= opTryTable:
		k.control(op, start)
	case op <= opMemoryGrow:
		k.variable(op, start)
	case op <= opF64Const:
		k.constant(op)
	case op <= opI64Extend32S:
	case op <= opRefFunc:
		k.reference(op, start)
	case op == opMiscPrefix:
		k.misc(start)
	case op == opVecPrefix:
		k.vector(start)
	case op == opAtomicPrefix:
		k.atomic(start)
	default:
		k.unknown(start)
	}
	k.run += k.pos - start
}

func (k *walker) unknown(start int) {
	if k.err != nil {
		return
	}
	end := min(start+3, len(k.b))
	k.fail(Unsupported, start, "unknown instruction %#x", k.b[start:end])
}

// variable walks over instructions on locals, globals, tables and memory.
func (k *walker) variable(op byte, start int) {
	m := k.w.m
	switch {
	case op == opLocalGet, op == opLocalSet, op == opLocalTee:
		k.index("local", k.locals)
	case op == opGlobalGet, op == opGlobalSet:
		k.index("global", len(m.Globals))
	case op == opTableGet, op == opTableSet:
		k.index("table", len(m.Tables))
		k.w.facts.MutatesTables = k.w.facts.MutatesTables || op == opTableSet
	case op >= opI32Load && op <= opI64Store32:
		k.memArg()
	case op == opMemorySize, op == opMemoryGrow:
		k.memory()
		k.w.facts.MemoryGrow = k.w.facts.MemoryGrow || op == opMemoryGrow
	default:
		k.unknown(start)
	}
}

// needMemory fails where the module has no memory: the rewriter may give it a
// hidden one.
func (k *walker) needMemory(at int) {
	if len(k.w.m.Memories) == 0 {
		k.fail(Invalid, at, "unknown memory 0")
	}
}

// memory reads a memory index, of which the engine takes a single zero byte.
func (k *walker) memory() {
	at := k.pos
	if i := k.byte(); i != 0 {
		k.fail(Invalid, at, "unknown memory %#x", i)
	}
	k.needMemory(at)
}

func (k *walker) memArg() {
	at := k.pos
	if align := k.u32(); align >= 32 {
		k.fail(Malformed, at, "alignment %#x", align)
	}
	k.u32()
	k.needMemory(at)
}

func (k *walker) constant(op byte) {
	switch op {
	case opI32Const:
		k.sleb(32)
	case opI64Const:
		k.sleb(64)
	case opF32Const:
		k.skip(4)
	case opF64Const:
		k.skip(8)
	}
}

func (k *walker) reference(op byte, start int) {
	switch op {
	case opRefNull:
		k.heapType()
	case opRefIsNull:
	case opRefFunc:
		f := k.index("function", len(k.w.m.Funcs))
		if k.err == nil && (int(f) >= len(k.w.m.declared) || !k.w.m.declared[f]) {
			k.fail(Invalid, start, "undeclared function reference %d", f)
			return
		}
		slot := k.w.slot(f)
		k.replace(start, func(a *asm) {
			a.i32(int32(slot))
			a.opIndex(opTableGet, k.w.hiddenTable())
		})
	default:
		k.unknown(start)
	}
}

// slot returns the place of a function in the hidden table.
func (w *writer) slot(f uint32) uint32 {
	slot, ok := w.hidden[f]
	if !ok {
		slot = uint32(len(w.refFuncs))
		w.hidden[f] = slot
		w.refFuncs = append(w.refFuncs, f)
	}
	return slot
}
