package core

// The opcodes that are handled by name. Where a range shares a form, only its
// ends are named.
const (
	opUnreachable        = 0x00
	opBlock              = 0x02
	opLoop               = 0x03
	opIf                 = 0x04
	opElse               = 0x05
	opThrow              = 0x08
	opThrowRef           = 0x0a
	opEnd                = 0x0b
	opBr                 = 0x0c
	opBrIf               = 0x0d
	opBrTable            = 0x0e
	opReturn             = 0x0f
	opCall               = 0x10
	opCallIndirect       = 0x11
	opReturnCall         = 0x12
	opReturnCallIndirect = 0x13
	opDrop               = 0x1a
	opSelect             = 0x1b
	opSelectTyped        = 0x1c
	opTryTable           = 0x1f
	opLocalGet           = 0x20
	opLocalSet           = 0x21
	opLocalTee           = 0x22
	opGlobalGet          = 0x23
	opGlobalSet          = 0x24
	opTableGet           = 0x25
	opTableSet           = 0x26
	opI32Load            = 0x28
	opI64Load32U         = 0x35
	opI64Store32         = 0x3e
	opMemorySize         = 0x3f
	opMemoryGrow         = 0x40
	opI32Const           = 0x41
	opI64Const           = 0x42
	opF32Const           = 0x43
	opF64Const           = 0x44
	opI32Eqz             = 0x45
	opI32LtS             = 0x48
	opI32LtU             = 0x49
	opI32GtU             = 0x4b
	opI32LeU             = 0x4d
	opI64Eqz             = 0x50
	opI64LtS             = 0x53
	opI64GtU             = 0x56
	opI32Add             = 0x6a
	opI32Sub             = 0x6b
	opI32Mul             = 0x6c
	opI32Or              = 0x72
	opI32Shl             = 0x74
	opI32ShrU            = 0x76
	opI64Add             = 0x7c
	opI64Sub             = 0x7d
	opI64Shl             = 0x86
	opI32WrapI64         = 0xa7
	opI64ExtendI32U      = 0xad
	opI64Extend32S       = 0xc4
	opRefNull            = 0xd0
	opRefIsNull          = 0xd1
	opRefFunc            = 0xd2
	opMiscPrefix         = 0xfc
	opVecPrefix          = 0xfd
	opAtomicPrefix       = 0xfe

	blockVoid = 0x40 // the block type without parameters and results
)

// Second bytes after opMiscPrefix.
const (
	miscTruncLast  = 7
	miscMemoryInit = 8
	miscDataDrop   = 9
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscElemDrop   = 13
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17
)

// Second bytes after opVecPrefix.
const (
	vecStore         = 0x0b
	vecConst         = 0x0c
	vecShuffle       = 0x0d
	vecFirstLane     = 0x15
	vecLastLane      = 0x22
	vecBitSelect     = 0x52
	vecFirstLoadLane = 0x54
	vecLastLoadLane  = 0x5b
	vecLoad32Zero    = 0x5c
	vecLoad64Zero    = 0x5d
)

// Second bytes after opAtomicPrefix.
const (
	atomicNotify  = 0x00
	atomicWait64  = 0x02
	atomicFence   = 0x03
	atomicFirstOp = 0x10
	atomicLastOp  = 0x4e

	atomicFirstStore    = 0x17
	atomicLastStore     = 0x1d
	atomicFirstExchange = 0x48 // compare and exchange
)

// vecReserved tells which second bytes after opVecPrefix mean nothing.
var vecReserved = [256]bool{
	0x9a: true, 0xa2: true, 0xa5: true, 0xa6: true, 0xaf: true, 0xb0: true, 0xb2: true,
	0xb3: true, 0xb4: true, 0xbb: true, 0xc2: true, 0xc5: true, 0xc6: true, 0xcf: true,
	0xd0: true, 0xd2: true, 0xd3: true, 0xd4: true, 0xe2: true, 0xee: true,
}

// vecReplaceLane tells, from vecFirstLane on, which instructions replace a lane
// and not extract one: 1 for these.
var vecReplaceLane = [vecLastLane - vecFirstLane + 1]byte{2: 1, 5: 1, 7: 1, 9: 1, 11: 1, 13: 1}

// vecUnary tells which of the other instructions after opVecPrefix have one
// operand.
var vecUnary = [256]bool{
	0x0f: true, 0x10: true, 0x11: true, 0x12: true, 0x13: true, 0x14: true, // splat
	0x4d: true, 0x53: true, 0x5e: true, 0x5f: true,
	0x60: true, 0x61: true, 0x62: true, 0x63: true, 0x64: true, 0x67: true, 0x68: true, 0x69: true, 0x6a: true,
	0x74: true, 0x75: true, 0x7a: true, 0x7c: true, 0x7d: true, 0x7e: true, 0x7f: true,
	0x80: true, 0x81: true, 0x83: true, 0x84: true, 0x87: true, 0x88: true, 0x89: true, 0x8a: true, 0x94: true,
	0xa0: true, 0xa1: true, 0xa3: true, 0xa4: true, 0xa7: true, 0xa8: true, 0xa9: true, 0xaa: true,
	0xc0: true, 0xc1: true, 0xc3: true, 0xc4: true, 0xc7: true, 0xc8: true, 0xc9: true, 0xca: true,
	0xe0: true, 0xe1: true, 0xe3: true, 0xec: true, 0xed: true, 0xef: true,
	0xf8: true, 0xf9: true, 0xfa: true, 0xfb: true, 0xfc: true, 0xfd: true, 0xfe: true, 0xff: true,
}
