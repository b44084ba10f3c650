package core

import (
	"math"
	"slices"
)

// code rewrites all function bodies and returns them encoded.
func (w *writer) code() ([]byte, error) {
	if w.metered {
		if err := w.scan(); err != nil {
			return nil, err
		}
	}
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

// scan reads all function bodies for what must be known before the first is
// rewritten.
func (w *writer) scan() error {
	w.graph.funcs = make([]graphNode, len(w.m.bodies))
	k := walker{w: w, scanning: true}
	for i := range w.m.bodies {
		k.scan(i)
		if k.err != nil {
			return k.err
		}
	}
	w.graph.charge()
	w.metered = k.pays || w.graph.charges
	return nil
}

// walker walks over function bodies to rewrite them. Code that stays as it is
// is copied in runs: what lies between copied and the current instruction is
// still to be copied.
type walker struct {
	reader
	w        *writer
	scanning bool // writes nothing
	a        asm  // the rewritten code

	copied  int
	locals  int // of the module, parameters included
	total   int // locals of all functions so far
	frames  []frame
	run     int // bytes of code since the last payment, on the worst path
	calls   bool
	loops   bool // passes through them are counted
	jump    jump
	targets []uint32   // labels of the dispatches of this function
	catches int32      // try_tables that are open
	node    *graphNode // &none, without a meter
	none    graphNode
	pays    bool      // some function pays for time
	runs    []codeRun // of the function, for Plan.KeepOffsets

	at   int  // where the instruction starts
	dead bool // it cannot be reached

	hasLoops bool

	// Counted by a scan.
	sets       int // of locals
	phis       int // at most, where branches meet
	loopPhis   int // likewise where loops start
	values     int // slots of what blocks take and leave, if by a type
	area       int // slots of the parameters and results of one call, at most
	ops        operands
	hasVectors bool
}

// frame is one open block.
type frame struct {
	kind   byte // opBlock, opLoop, opIf, opElse or opTryTable
	opened int  // where the instruction that opens it stands
	caught bool // the target of a catch clause
	dead   bool // cannot be reached
	entry  int  // run at the start of an if
	exit   int  // the worst run of the branches to the block's end

	height          int // of the operands below the block
	params, results int // how many values it takes and leaves
	meeting         meeting
	dispatch        dispatch // of a loop
}

// begin prepares to walk over body i. It returns where its groups of locals
// and its code are.
func (k *walker) begin(i int) (groups uint32, first, start int) {
	m, at := k.w.m, k.w.m.bodies[i]
	k.reader = reader{b: m.bytes[:at.end], pos: at.start}
	k.a.b, k.frames = k.a.b[:0], append(k.frames[:0], frame{kind: opBlock})
	k.run, k.calls, k.loops, k.hasLoops, k.catches = 0, false, false, false, 0
	k.jump, k.targets = jump{}, k.targets[:0]
	k.dead, k.sets, k.phis, k.loopPhis, k.values, k.area, k.ops, k.hasVectors = false, 0, 0, 0, 0, 0, operands{}, false
	k.node = &k.none
	if k.w.metered {
		k.node = &k.w.graph.funcs[i]
	}
	groups, first = k.declaredLocals(len(m.FuncType(uint32(m.ImportedFuncs + i)).Params))
	k.copied = k.pos
	return groups, first, k.pos
}

// walk walks over the code to its end.
func (k *walker) walk() {
	for k.err == nil && len(k.frames) > 0 {
		k.instruction()
	}
	if k.err == nil && k.left() > 0 {
		k.fail(Malformed, k.pos, "code after the end of the function")
	}
}

// scan fills in the node of function i.
func (k *walker) scan(i int) {
	g := &k.w.graph
	from := len(g.callees)
	_, _, start := k.begin(i)
	k.walk()
	own := g.callees[from:]
	slices.Sort(own)
	g.callees = g.callees[:from+len(slices.Compact(own))]
	k.node.callees = span{from, len(g.callees)}
	k.loops = k.loops || k.hasLoops && !k.paysBack()
	k.pays = k.pays || k.ticks(k.pos-start) > 0
	k.node.frame = k.frameOf(k.w.m.FuncType(uint32(k.w.m.ImportedFuncs + i)))
}

// function appends the rewritten body i to out.
func (k *walker) function(out []byte, i int) []byte {
	groups, first, start := k.begin(i)
	k.walk()
	if k.err != nil {
		return out
	}
	k.copyTo(k.pos)
	k.leave()

	t := k.w.m.FuncType(uint32(k.w.m.ImportedFuncs + i))
	head := k.head(t, groups, k.w.m.bytes[first:start], k.pos-start)
	out = appendU32(out, uint32(len(head)+len(k.a.b)))
	k.placed(len(out), len(head), start)
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

// In a function that catches exceptions, locals keep what StackGlobal is
// in it and ClonesGlobal was before it: whatever an exception goes past gives nothing back.
const (
	savedStack = iota
	savedClones
	savedLocals
)

func (k *walker) saved(i int) uint32 { return uint32(k.locals + i) }

// counter is the local that counts passes through loops.
func (k *walker) counter() uint32 {
	if k.node.catches > 0 {
		return k.saved(savedLocals)
	}
	return uint32(k.locals)
}

// head makes what stands before the code: the locals, those of the rewriter
// last, the payment for the call, and the start of the block that a charged
// function's code becomes, so that it has one end.
func (k *walker) head(t *FuncType, groups uint32, locals []byte, size int) []byte {
	if !k.w.metered {
		return append(appendU32(nil, groups), locals...)
	}
	n := k.counter() - uint32(k.locals)
	if k.loops {
		n++
	}
	if n > 0 {
		groups++
	}
	a := asm{append(appendU32(nil, groups), locals...)}
	if n > 0 {
		a.op(byte(n), byte(I32))
	}
	a.enter(k.w, k.ticks(size), k.node.charge)
	if k.node.catches > 0 {
		a.getMeter(k.w, globalStack)
		a.set(k.saved(savedStack))
		a.getMeter(k.w, globalClones)
		a.set(k.saved(savedClones))
		a.payClones(k.w, k.node.catches)
	}
	if k.loops {
		a.resetCounter(k.counter())
	}
	if k.node.charge > 0 {
		a.op(opBlock)
		a.blockType(k.w, t)
	}
	return a.b
}

// ticks is what a call of the function costs.
func (k *walker) ticks(size int) int32 {
	ticks := int32(0)
	if k.calls {
		ticks += callEntry
	}
	if k.loops {
		ticks += loopEntry
	}
	if ticks == 0 && size > leafRun {
		ticks = leafEntry
	}
	return ticks
}

// leave ends a charged function.
func (k *walker) leave() {
	if k.node.charge > 0 {
		k.giveBack()
		k.a.op(opEnd)
	}
}

// giveBack returns what the function took.
func (k *walker) giveBack() {
	if k.node.catches > 0 {
		k.a.restore(k.w, k.saved(savedStack), globalStack)
		k.a.restore(k.w, k.saved(savedClones), globalClones)
	}
	k.a.giveBack(k.w, k.node.charge)
}

// caught restores StackGlobal and ClonesGlobal where an exception may have been
// caught. At other times it changes nothing.
func (k *walker) caught() {
	k.a.restore(k.w, k.saved(savedStack), globalStack)
	k.a.restore(k.w, k.saved(savedClones), globalClones)
	k.a.payClones(k.w, k.node.catches)
}

func (a *asm) restore(w *writer, local uint32, global int) {
	a.get(local)
	a.setMeter(w, global)
}

// copyTo copies the module's code up to pos.
func (k *walker) copyTo(pos int) {
	if k.scanning {
		return
	}
	k.note(pos)
	k.a.b = append(k.a.b, k.b[k.copied:pos]...)
	k.copied = pos
}

// replace puts what emit writes in the place of the code from start to here.
func (k *walker) replace(start int, emit func(a *asm)) {
	if k.err != nil || k.scanning {
		return
	}
	k.copyTo(start)
	emit(&k.a)
	k.copied = k.pos
}

// pay writes a payment before the instruction at pos.
func (k *walker) pay(pos int, ticks int32) {
	if !k.w.metered || k.err != nil {
		return
	}
	k.run = 0
	if k.scanning {
		k.pays = true
		return
	}
	k.copyTo(pos)
	k.a.pay(k.w, ticks)
}

// instruction walks over one instruction.
func (k *walker) instruction() {
	start := k.pos
	if k.run > maxRun {
		k.pay(start, runTicks)
	}
	k.at = start
	op := k.byte()
	switch {
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
	if k.scanning && op > opTryTable {
		k.ops.move(plainEffect(op))
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
	case op == opLocalGet:
		k.sawLocal(op, k.index("local", k.locals))
	case op == opLocalSet, op == opLocalTee:
		k.sawLocal(op, k.index("local", k.locals))
		if !k.dead {
			k.sets++
		}
	case op == opGlobalGet, op == opGlobalSet:
		k.global(op, start)
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

func (k *walker) global(op byte, start int) {
	i := k.index("global", len(k.w.m.Globals))
	if moved := k.w.global(i); moved != i {
		k.replace(start, func(a *asm) { a.opIndex(op, moved) })
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
		k.sawConstant(k.sleb(32))
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
