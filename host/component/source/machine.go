package source

// registers are the state of the machine that a line table is a program of.
type registers struct {
	address, file, line, column uint64
}

// machine runs the program of one unit.
type machine struct {
	reader
	h *header
	registers
	ended bool // a sequence
}

// The opcodes that matter.
const (
	opExtended = iota
	opCopy
	opAdvancePC
	opAdvanceLine
	opSetFile
	opSetColumn
	opNegate
	opBasicBlock
	opConstAddPC
	opFixedAdvancePC
)

const (
	extEndSequence = 1
	extSetAddress  = 2
)

// reset begins a sequence.
func (m *machine) reset() {
	m.registers, m.ended = registers{file: 1, line: 1}, false
}

// step runs one opcode and reports whether it made a row.
func (m *machine) step() (row bool) {
	op := m.u8()
	if op >= m.h.opcodeBase {
		op -= m.h.opcodeBase
		m.advance(uint64(op / m.h.lineRange))
		m.line += uint64(int64(m.h.lineBase) + int64(op%m.h.lineRange))
		return true
	}
	switch op {
	case opExtended:
		return m.extended()
	case opCopy:
		return true
	case opAdvancePC:
		m.advance(m.uleb())
	case opAdvanceLine:
		m.line += uint64(m.sleb())
	case opSetFile:
		m.file = m.uleb()
	case opSetColumn:
		m.column = m.uleb()
	case opConstAddPC:
		m.advance(uint64((255 - m.h.opcodeBase) / m.h.lineRange))
	case opFixedAdvancePC:
		m.address += m.uint(2)
	default:
		for range m.h.lengths[op-1] {
			m.uleb()
		}
	}
	return false
}

func (m *machine) advance(n uint64) { m.address += n * uint64(m.h.minLength) }

func (m *machine) extended() (row bool) {
	args := reader{b: m.bytes(m.uleb())}
	switch args.u8() {
	case extEndSequence:
		m.ended = true
		return true
	case extSetAddress:
		m.address = args.uint(min(args.left(), 8))
	}
	return false
}
