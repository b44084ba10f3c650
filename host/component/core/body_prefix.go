package core

// What follows a prefix is a LEB128, but for vector and atomic instructions the
// engine reads a single byte. Longer forms of these are refused, so that this
// walk and the engine's never part.

// misc walks over an instruction after opMiscPrefix.
func (k *walker) misc(start int) {
	m, f := k.w.m, &k.w.facts
	op := k.u32()
	k.ops.move(miscEffect(op))
	switch op {
	case 0, 1, 2, 3, 4, 5, 6, miscTruncLast:
	case miscDataDrop:
		k.index("data segment", len(m.data))
		f.DropsSegments = true
	case miscElemDrop:
		k.index("element segment", len(m.elements))
		f.DropsSegments = true
	case miscTableGrow:
		k.pay(start, growTicks)
		k.index("table", len(m.Tables))
		f.MutatesTables = true
	case miscTableSize:
		k.index("table", len(m.Tables))
	case miscMemoryInit, miscMemoryCopy, miscMemoryFill, miscTableInit, miscTableCopy, miscTableFill:
		k.bulk(op, start)
	default:
		k.unknown(start)
	}
}

// bulk replaces a bulk instruction by a call.
func (k *walker) bulk(op uint32, start int) {
	m, f := k.w.m, &k.w.facts
	b := bulk{op: op}
	switch op {
	case miscMemoryInit:
		b.x = k.index("data segment", len(m.data))
		k.memory()
		f.MemoryInit = true
	case miscMemoryCopy:
		k.memory()
		k.memory()
	case miscMemoryFill:
		k.memory()
	case miscTableInit:
		b.x = k.index("element segment", len(m.elements))
		b.y = k.index("table", len(m.Tables))
	case miscTableCopy:
		b.x = k.index("table", len(m.Tables))
		b.y = k.index("table", len(m.Tables))
	case miscTableFill:
		b.x = k.index("table", len(m.Tables))
	}
	f.MutatesTables = f.MutatesTables || b.table()
	if k.w.metered {
		k.pays = true
		k.replace(start, func(a *asm) { a.opIndex(opCall, k.w.bulkFunc(b)) })
	}
}

// vector walks over an instruction after opVecPrefix.
func (k *walker) vector(start int) {
	op := k.byte()
	if op >= 0x80 && k.byte() != 1 {
		k.unknown(start)
		return
	}
	k.hasVectors = true
	k.ops.move(vecEffect(op))
	switch {
	case op <= vecStore, op == vecLoad32Zero, op == vecLoad64Zero:
		k.memArg()
	case op == vecConst, op == vecShuffle:
		k.skip(16)
	case op >= vecFirstLane && op <= vecLastLane:
		k.byte()
	case op >= vecFirstLoadLane && op <= vecLastLoadLane:
		k.memArg()
		k.byte()
	case vecReserved[op]:
		k.unknown(start)
	}
}

// atomic walks over an instruction after opAtomicPrefix. Waiting needs shared
// memory, which is refused, so that it traps.
func (k *walker) atomic(start int) {
	k.w.facts.Atomics = true
	op := k.byte()
	k.ops.move(atomicEffect(op))
	switch {
	case op == atomicFence:
		if k.byte() != 0 {
			k.unknown(start)
		}
	case op <= atomicWait64, op >= atomicFirstOp && op <= atomicLastOp:
		k.memArg()
	default:
		k.unknown(start)
	}
}
