package core

// control walks over control instructions, calls and the parametric ones.
func (k *walker) control(op byte, start int) {
	switch op {
	case opUnreachable, opThrowRef, opReturn:
		k.run = 0 // what follows is dead until the block's end
	case opUnreachable + 1, opDrop, opSelect: // and nop
	case opBlock, opIf, opLoop:
		k.open(op)
	case opElse:
		k.elseArm(start)
	case opEnd:
		k.close()
	case opThrow:
		k.index("tag", len(k.w.m.Tags))
		k.w.facts.Exceptions = true
		k.run = 0
	case opBr:
		k.branch()
		k.run = 0
	case opBrIf:
		k.branch()
	case opBrTable:
		for range k.count("branch targets", maxTargets, 1) {
			k.branch()
		}
		k.branch()
		k.run = 0
	case opCall, opCallIndirect, opReturnCall, opReturnCallIndirect:
		k.callTo(op)
	case opSelectTyped:
		for range k.count("types of select", maxTargets, 1) {
			k.valType()
		}
	case opTryTable:
		k.tryTable(start)
	default:
		k.unknown(start)
	}
}

// maxTargets bounds one br_table. Its bytes bound it too.
const maxTargets = 1 << 20

func (k *walker) callTo(op byte) {
	k.calls = true
	if op == opCall || op == opReturnCall {
		k.index("function", len(k.w.m.Funcs))
	} else {
		k.index("type", len(k.w.m.Types))
		k.index("table", len(k.w.m.Tables))
	}
	k.run += callRun
	if op >= opReturnCall {
		k.run = 0
	}
}

func (k *walker) blockType() {
	at := k.pos
	b := k.b[min(at, len(k.b)-1)]
	switch {
	case b == blockVoid:
		k.pos++
	case b > blockVoid && b < 0x80:
		k.valType()
	default:
		if i := k.sleb(33); i < 0 || i >= int64(len(k.w.m.Types)) {
			k.fail(Invalid, at, "unknown type %d", i)
		}
	}
}

func (k *walker) push(kind byte) {
	if len(k.frames) > k.w.m.lim.Nesting {
		k.fail(LimitExceeded, k.pos, "blocks are nested deeper than %d", k.w.m.lim.Nesting)
		return
	}
	k.frames = append(k.frames, frame{kind: kind, entry: k.run})
}

func (k *walker) open(op byte) {
	k.blockType()
	k.push(op)
	if op != opLoop || k.w.plan.NoChecks || k.err != nil {
		return
	}
	k.loops = true
	k.copyTo(k.pos)
	k.a.countPass(k.w, uint32(k.locals))
	k.run = 0
}

func (k *walker) elseArm(start int) {
	f := &k.frames[len(k.frames)-1]
	if f.kind != opIf {
		k.fail(Malformed, start, "else without if")
		return
	}
	f.kind, f.exit = opElse, max(f.exit, k.run)
	k.run = f.entry
}

func (k *walker) close() {
	f := k.frames[len(k.frames)-1]
	k.frames = k.frames[:len(k.frames)-1]
	switch f.kind {
	case opIf: // without else: the code may have been skipped
		k.run = max(k.run, f.exit, f.entry)
	case opBlock, opElse:
		k.run = max(k.run, f.exit)
	}
}

// branch reads a label and notes how long the run to it is. A loop pays at its
// start, so a branch back to it needs no note.
func (k *walker) branch() {
	label := k.index("label", len(k.frames))
	if k.err != nil {
		return
	}
	f := &k.frames[len(k.frames)-1-int(label)]
	f.exit = max(f.exit, k.run)
}

// tryTable counts as a payment, and its catch clauses as branches with the
// longest run that there may be.
func (k *walker) tryTable(start int) {
	k.w.facts.Exceptions = true
	k.pay(start, tryTicks)
	k.blockType()
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
		k.branch()
	}
	k.run = 0
	k.push(opBlock)
}
