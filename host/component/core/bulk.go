package core

// Bulk instructions are replaced by calls of functions that pay in proportion
// and work in chunks, with a check after each. Bounds are looked at first: what
// does not fit is left to one instruction, which traps before it writes
// anything.

const (
	// A chunk takes about a tenth of a millisecond on pages that are new. The
	// host's other guests wait for it, so a larger one is seen in their p99.
	memoryChunk = 1 << 18 // bytes
	tableChunk  = 1 << 14 // entries
	// What is shorter than this share of a chunk is done without a payment.
	freeChunks = 64
	// A chunk costs a quarter of a period.
	memoryShift = 8 // ticks per byte, as a shift
	tableShift  = 4 // ticks per entry, likewise
)

// bulk is a bulk instruction with its immediates: the indices of a segment, of
// tables, or nothing. It is a key of maps.
type bulk struct{ op, x, y uint32 }

// bulkFunc is an appended function that does b.
type bulkFunc struct {
	bulk
	typ uint32
}

// bulkFunc returns the index of the appended function for b.
func (w *writer) bulkFunc(b bulk) uint32 {
	i, ok := w.bulkIndex[b]
	if !ok {
		i = uint32(len(w.m.Funcs) + checkFuncs + len(w.bulks))
		w.bulkIndex[b] = i
		value := I32
		if b.op == miscTableFill {
			value = w.m.Tables[b.x].Elem
		}
		w.bulks = append(w.bulks, bulkFunc{b, w.appendedType([]ValType{I32, value, I32}, nil)})
	}
	return i
}

// The parameters of all bulk instructions.
const (
	argDst = iota
	argSrc // fill: the value
	argLen
)

func (b bulk) table() bool {
	return b.op == miscTableInit || b.op == miscTableCopy || b.op == miscTableFill
}

func (b bulk) chunk() int32 {
	if b.table() {
		return tableChunk
	}
	return memoryChunk
}

func (b bulk) shift() int32 {
	if b.table() {
		return tableShift
	}
	return memoryShift
}

// overlaps reports whether the places that b reads may be those that it writes.
func (b bulk) overlaps() bool {
	return b.op == miscMemoryCopy || b.op == miscTableCopy && b.x == b.y
}

func (b bulk) fills() bool { return b.op == miscMemoryFill || b.op == miscTableFill }

// bulkBody is b for any length.
func (a *asm) bulkBody(w *writer, b bulk) {
	a.payBulk(w, b)
	a.get(argLen)
	a.i32(b.chunk())
	a.op(opI32GtU)
	a.ifThen(func() {
		a.op(opBlock, blockVoid)
		a.beyond(argDst, func() { a.dstSize(b) })
		a.op(opBrIf, 0)
		if !b.fills() {
			a.beyond(argSrc, func() { a.srcSize(w, b) })
			a.op(opBrIf, 0)
		}
		a.split(w, b)
		a.op(opEnd)
	})
	a.do(b, func() { a.get(argDst) }, func() { a.get(argSrc) }, func() { a.get(argLen) })
}

// payBulk pays for the whole length.
func (a *asm) payBulk(w *writer, b bulk) {
	a.get(argLen)
	a.i32(b.chunk() / freeChunks)
	a.op(opI32GtU)
	a.ifThen(func() {
		a.getMeter(w, globalBudget)
		a.get(argLen)
		a.i32(b.shift())
		a.op(opI32ShrU, opI32Sub)
		a.setMeter(w, globalBudget)
		a.getMeter(w, globalBudget)
		a.checkIfNegative(w)
	})
}

// do writes the instruction.
func (a *asm) do(b bulk, dst, src, n func()) {
	dst()
	src()
	n()
	a.op(opMiscPrefix, byte(b.op))
	switch b.op {
	case miscMemoryInit:
		a.b = append(appendU32(a.b, b.x), 0)
	case miscMemoryCopy:
		a.op(0, 0)
	case miscMemoryFill:
		a.op(0)
	case miscTableInit, miscTableCopy:
		a.b = appendU32(appendU32(a.b, b.x), b.y)
	case miscTableFill:
		a.b = appendU32(a.b, b.x)
	}
}

// dstSize pushes how much there is where b writes, as an i64.
func (a *asm) dstSize(b bulk) {
	switch b.op {
	case miscTableInit:
		a.tableSize(b.y)
	case miscTableCopy, miscTableFill:
		a.tableSize(b.x)
	default:
		a.memorySize()
	}
}

// srcSize pushes how much there is where b reads. A dropped segment has less,
// which the first chunk finds before it writes anything.
func (a *asm) srcSize(w *writer, b bulk) {
	switch b.op {
	case miscMemoryInit:
		d := w.m.data[b.x].bytes
		a.i64(int32(d.end - d.start))
	case miscTableInit:
		a.i64(int32(w.m.elements[b.x].count))
	case miscTableCopy:
		a.tableSize(b.y)
	default:
		a.memorySize()
	}
}

func (a *asm) memorySize() { a.op(opMemorySize, 0, opI64ExtendI32U, opI64Const, 16, opI64Shl) }

func (a *asm) tableSize(table uint32) {
	a.op(opMiscPrefix)
	a.opIndex(miscTableSize, table)
	a.op(opI64ExtendI32U)
}

// beyond tells whether argLen places from an index on reach beyond a size.
func (a *asm) beyond(index uint32, size func()) {
	a.get(index)
	a.op(opI64ExtendI32U)
	a.get(argLen)
	a.op(opI64ExtendI32U, opI64Add)
	size()
	a.op(opI64GtU)
}

// split does chunks until no more than one is left: from the end, where the
// destination is behind the source and nothing may be overwritten before it is
// read.
func (a *asm) split(w *writer, b bulk) {
	if !b.overlaps() {
		a.forward(w, b)
		return
	}
	a.get(argDst)
	a.get(argSrc)
	a.op(opI32LeU)
	a.op(opIf, blockVoid)
	a.forward(w, b)
	a.op(opElse)
	a.chunks(w, b, func() {
		a.advance(b, argLen, opI32Sub)
		a.do(b, func() { a.sum(argDst, argLen) }, func() { a.sum(argSrc, argLen) }, func() { a.i32(b.chunk()) })
	})
	a.op(opEnd)
}

func (a *asm) forward(w *writer, b bulk) {
	a.chunks(w, b, func() {
		a.do(b, func() { a.get(argDst) }, func() { a.get(argSrc) }, func() { a.i32(b.chunk()) })
		a.advance(b, argDst, opI32Add)
		if !b.fills() {
			a.advance(b, argSrc, opI32Add)
		}
		a.advance(b, argLen, opI32Sub)
	})
}

// chunks repeats body, which does one chunk, until one or less is left.
func (a *asm) chunks(w *writer, b bulk, body func()) {
	a.op(opLoop, blockVoid)
	body()
	a.call(w, funcCheck)
	a.get(argLen)
	a.i32(b.chunk())
	a.op(opI32GtU, opBrIf, 0, opEnd)
}

func (a *asm) advance(b bulk, local uint32, op byte) {
	a.get(local)
	a.i32(b.chunk())
	a.op(op)
	a.set(local)
}

func (a *asm) sum(x, y uint32) {
	a.get(x)
	a.get(y)
	a.op(opI32Add)
}
