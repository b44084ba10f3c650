package core

// operands follows how many values are on the operand stack, to know which of
// them the engine's compiler has to spill: it keeps few in registers, and over
// a call none. Code that was not made for it spills hardly any.
//
// In code that cannot be reached the heights are wrong, and mean nothing.
type operands struct {
	height  int
	counted int // values at the bottom that are known to be spilled
	spilled int
}

// inHand is how many values the compiler surely keeps in registers.
const inHand = 8

func (o *operands) move(delta int) {
	o.height = max(o.height+delta, 0)
	o.counted = min(o.counted, o.height)
	o.spill(o.height - inHand)
}

// reset sets the height, as at the end of a block.
func (o *operands) reset(height int) {
	o.height = height
	o.move(0)
}

// spill counts the values at the bottom, up to n, as spilled.
func (o *operands) spill(n int) {
	if n > o.counted {
		o.spilled += n - o.counted
		o.counted = n
	}
}

// call takes the parameters, spills what is below them and leaves the results.
func (o *operands) call(params, results int) {
	o.height = max(o.height-params, 0)
	o.counted = min(o.counted, o.height)
	o.spill(o.height)
	o.move(results)
}

// plainEffect returns by how much an instruction changes the height. Those of
// control and with a prefix are left to others.
func plainEffect(op byte) int {
	switch {
	case op >= opMiscPrefix:
		return 0
	case op == opLocalGet, op == opGlobalGet, op == opMemorySize, op >= opI32Const && op <= opF64Const,
		op == opRefNull, op == opRefFunc:
		return 1
	case op == opLocalSet, op == opGlobalSet:
		return -1
	case op == opTableSet, op > opI64Load32U && op <= opI64Store32:
		return -2
	case op >= opI32Eqz && op < opI32WrapI64 && !unary(op):
		return -1
	}
	return 0
}

// unary reports whether a comparison or arithmetic instruction has one operand.
func unary(op byte) bool {
	switch {
	case op == opI32Eqz, op == opI64Eqz:
		return true
	case op >= 0x67 && op <= 0x69, op >= 0x79 && op <= 0x7b: // bits of integers
		return true
	case op >= 0x8b && op <= 0x91, op >= 0x99 && op <= 0x9f: // abs to sqrt
		return true
	}
	return false
}

// miscEffect is plainEffect after opMiscPrefix.
func miscEffect(op uint32) int {
	switch op {
	case miscMemoryInit, miscMemoryCopy, miscMemoryFill, miscTableInit, miscTableCopy, miscTableFill:
		return -3
	case miscTableGrow:
		return -1
	case miscTableSize:
		return 1
	}
	return 0
}

// vecEffect is plainEffect after opVecPrefix.
func vecEffect(op byte) int {
	switch {
	case op < vecStore, op == vecLoad32Zero, op == vecLoad64Zero: // loads
		return 0
	case op == vecConst:
		return 1
	case op == vecStore, op == vecBitSelect, op > vecLastLoadLane-4 && op <= vecLastLoadLane:
		return -2
	case op >= vecFirstLane && op <= vecLastLane:
		return -int(vecReplaceLane[op-vecFirstLane])
	case vecUnary[op]:
		return 0
	}
	return -1
}

// atomicEffect is plainEffect after opAtomicPrefix.
func atomicEffect(op byte) int {
	switch {
	case op == atomicFence, op >= atomicFirstOp && op < atomicFirstStore:
		return 0
	case op >= atomicFirstStore && op <= atomicLastStore, op >= atomicFirstExchange, op > atomicNotify && op <= atomicWait64:
		return -2
	}
	return -1
}
