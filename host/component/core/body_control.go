package core

// control walks over control instructions, calls and the parametric ones.
func (k *walker) control(op byte, start int) {
	switch op {
	case opUnreachable, opThrowRef:
		k.end()
	case opReturn:
		k.end()
		if k.node.charge > 0 {
			k.replace(start, k.toEnd)
		}
	case opUnreachable + 1: // nop
	case opDrop:
		k.ops.move(-1)
	case opSelect:
		k.ops.move(-2)
	case opBlock, opIf, opLoop:
		k.open(op)
	case opElse:
		k.elseArm(start)
	case opEnd:
		k.close()
	case opThrow:
		k.index("tag", len(k.w.m.Tags))
		k.w.facts.Exceptions = true
		k.end()
	case opBr:
		k.br(start)
	case opBrIf:
		k.brIf(start)
	case opBrTable:
		k.brTable(start)
	case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect:
		k.callTo(op, start)
	case opSelectTyped:
		for range k.count("types of select", maxTargets, 1) {
			k.valType()
		}
		k.ops.move(-2)
	case opTryTable:
		k.tryTable(start)
	default:
		k.unknown(start)
	}
}

// end notes that what follows is dead until the block's end.
func (k *walker) end() { k.run, k.dead = 0, true }

// maxTargets bounds one br_table. Its bytes bound it too.
const maxTargets = 1 << 20

func (k *walker) callTo(op byte, start int) {
	k.calls = true
	m := k.w.m
	var t *FuncType
	if op == opCall || op == opReturnCall {
		f := k.index("function", len(m.Funcs))
		if k.err != nil {
			return
		}
		t = m.FuncType(f)
		k.callee(int(f) - m.ImportedFuncs)
	} else {
		i := k.index("type", len(m.Types))
		k.index("table", len(m.Tables))
		if k.err != nil {
			return
		}
		t = &m.Types[i]
		k.callee(-1)
		k.ops.move(-1)
	}
	k.area = max(k.area, slots(t.Params)+slots(t.Results))
	k.ops.call(len(t.Params), len(t.Results))
	k.run += callRun
	if op >= opReturnCall {
		k.end()
		k.returnCall(op, start, t)
	}
}

// callee notes a call of own function f, or if that is negative of something
// that is not known here.
func (k *walker) callee(f int) {
	switch g := &k.w.graph; {
	case !k.scanning:
	case f < 0:
		k.node.unknown = true
	default:
		g.callees = append(g.callees, uint32(f))
	}
}

// toEnd branches to the end of a charged function.
func (k *walker) toEnd(a *asm) { a.opIndex(opBr, uint32(len(k.frames)-1)) }

// returnCall gives a function's charge back before a tail call; where that is
// none to the engine, it becomes a call.
func (k *walker) returnCall(op byte, start int, t *FuncType) {
	switch {
	case k.node.charge == 0 || k.scanning:
	case t.isTail():
		k.copyTo(start)
		k.giveBack()
	default:
		k.copyTo(start)
		k.a.op(op - opReturnCall + opCall)
		k.copied++
		k.copyTo(k.pos)
		k.toEnd(&k.a)
	}
}

// blockType reads how many values a block takes and leaves.
func (k *walker) blockType() (params, results int) {
	at := k.pos
	b := k.b[min(at, len(k.b)-1)]
	switch {
	case b == blockVoid:
		k.pos++
		return 0, 0
	case b > blockVoid && b < 0x80:
		k.valType()
		return 0, 1
	}
	i := k.sleb(33)
	if i < 0 || i >= int64(len(k.w.m.Types)) {
		k.fail(Invalid, at, "unknown type %d", i)
		return 0, 0
	}
	t := &k.w.m.Types[i]
	k.values += slots(t.Params) + slots(t.Results)
	return len(t.Params), len(t.Results)
}

// push opens a block.
func (k *walker) push(kind byte, params, results int) {
	if len(k.frames) > k.w.m.lim.Nesting {
		k.fail(LimitExceeded, k.pos, "blocks are nested deeper than %d", k.w.m.lim.Nesting)
		return
	}
	k.frames = append(k.frames, frame{
		kind: kind, opened: k.at, entry: k.run, dead: k.dead, meeting: meeting{start: k.sets},
		height: max(k.ops.height-params, 0), params: params, results: results,
	})
}

func (k *walker) open(op byte) {
	if op == opIf {
		k.ops.move(-1)
	}
	params, results := k.blockType()
	k.push(op, params, results)
	k.sawBlock(op)
	if op == opLoop && k.err == nil {
		k.enterLoop()
	}
}

func (k *walker) elseArm(start int) {
	f := &k.frames[len(k.frames)-1]
	if f.kind != opIf {
		k.fail(Malformed, start, "else without if")
		return
	}
	f.kind, f.exit = opElse, max(f.exit, k.run)
	k.arrive(f)
	k.run, k.dead = f.entry, f.dead
	k.ops.reset(f.height + f.params)
}

func (k *walker) close() {
	f := k.frames[len(k.frames)-1]
	k.frames = k.frames[:len(k.frames)-1]
	k.ops.reset(f.height + f.results)
	switch f.kind {
	case opIf: // without else: the code may have been skipped
		k.run = max(k.run, f.exit, f.entry)
	case opBlock, opElse, opTryTable:
		k.run = max(k.run, f.exit)
	}
	if f.kind == opTryTable {
		k.catches--
	}
	k.meet(&f)
	if f.caught && k.w.metered && !k.scanning && len(k.frames) > 0 {
		k.copyTo(k.pos)
		k.caught()
	}
}

// branch reads a label and notes how long the run to it is.
func (k *walker) branch() (f *frame, label uint32) {
	label = k.index("label", len(k.frames))
	if k.err != nil {
		return &frame{}, 0
	}
	f = &k.frames[len(k.frames)-1-int(label)]
	f.exit = max(f.exit, k.run)
	k.arrive(f)
	return f, label
}

// payTry pays for a copy of the stack.
func (k *walker) payTry(start int) {
	if !k.w.metered || k.scanning {
		return
	}
	k.copyTo(start)
	k.a.getMeter(k.w, globalBudget)
	k.a.i32(tryTicks)
	k.a.op(opI32Sub)
	k.a.i32(MaxStack)
	k.a.getMeter(k.w, globalStack)
	k.a.op(opI32Sub)
	k.a.i32(memoryShift)
	k.a.op(opI32ShrU, opI32Sub)
	k.a.setMeter(k.w, globalBudget)
	k.a.getMeter(k.w, globalBudget)
	k.a.checkIfNegative(k.w)
}

// tryTable counts as a payment, and its catch clauses as branches with the
// longest run that there may be.
func (k *walker) tryTable(start int) {
	k.w.facts.Exceptions = true
	k.payTry(start)
	params, results := k.blockType()
	k.run = maxRun
	for range k.count("catch clauses", maxTargets, 2) {
		at := k.pos
		kind := k.byte()
		switch {
		case kind > 3:
			k.fail(Malformed, at, "unknown catch clause %#x", kind)
		case kind < 2:
			k.index("tag", len(k.w.m.Tags))
		}
		f, _ := k.branch()
		f.caught = true
	}
	k.run = 0
	k.push(opTryTable, params, results)
	k.catches++
	if k.scanning {
		k.node.catches = max(k.node.catches, k.catches)
	}
	if k.catches > maxCatches {
		k.fail(LimitExceeded, start, "more than %d try_table inside each other", maxCatches)
	}
}
