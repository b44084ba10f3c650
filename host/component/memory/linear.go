package memory

import "fmt"

// PageSize is the WebAssembly page size in bytes.
const PageSize = 65536

// MaxSize is the largest linear memory in bytes: 2^16 pages.
const MaxSize = 65536 * PageSize

// Linear is one guest's linear memory. Where the system allows, its base
// address never moves, so that growing is a matter of a few instructions and
// old views stay readable.
//
// A Linear belongs to one guest: its methods must not run at the same time.
type Linear struct {
	buf    []byte // what the guest sees: base[:size]
	base   mapping
	max    uint64
	high   uint64 // the most that buf was
	budget *Budget
	image  *Image // may be nil
	reset  pristine
	shrunk bool // since the engine was told the size
	closed bool
}

// New makes a memory of min bytes that can grow to max bytes, and charges min
// to the budget. Both are rounded up to whole pages. Address space for max is
// reserved at once, but no page is used before it is touched. It fails with a
// [*BudgetError] where min does not fit.
func New(min, max uint64, budget *Budget) (*Linear, error) {
	return newLinear(min, max, budget, nil)
}

func newLinear(min, max uint64, budget *Budget, image *Image) (*Linear, error) {
	min, max = roundUp(min), roundUp(max)
	if min > max || max > MaxSize {
		return nil, fmt.Errorf("linear memory of %d to %d bytes: want at most %d", min, max, uint64(MaxSize))
	}
	if image != nil && image.size > min {
		return nil, fmt.Errorf("linear memory of %d bytes is too small for its image of %d", min, image.size)
	}
	if !budget.take(min) {
		return nil, &BudgetError{Want: min}
	}
	base, err := reserve(min, max, image)
	for err != nil && (budget.dropSpares() || budget.retry(min)) { // there are only so many mappings
		base, err = reserve(min, max, image)
	}
	if err != nil {
		budget.give(min)
		return nil, fmt.Errorf("reserve %d bytes of linear memory: %w", max, err)
	}
	budget.reserve(max)
	m := &Linear{base: base, max: max, high: min, budget: budget, image: image}
	m.buf = m.base.slice(min)
	return m, nil
}

// Bytes returns the memory as it is now. A call of Reallocate, which is what
// memory.grow comes to, makes the slice's length stale: fetch it again. It is
// nil after Close.
func (m *Linear) Bytes() []byte { return m.buf }

// Max returns the size in bytes that the memory cannot grow beyond.
func (m *Linear) Max() uint64 { return m.max }

// Reallocate makes the memory size bytes long and returns it, or returns nil
// and changes nothing if size is beyond the maximum or the budget. The engine
// calls it with the initial size and for every memory.grow. Fresh bytes are 0.
//
// After a [Linear.Reset] that shrank the memory, the next call answers with the
// memory as it is, whatever size it asks for: see [Linear.Shrunk].
func (m *Linear) Reallocate(size uint64) []byte {
	if m.shrunk {
		m.shrunk = false
		return m.buf
	}
	old := uint64(len(m.buf))
	if m.closed || size > m.max || size < old {
		return nil
	}
	if size == old {
		return m.buf
	}
	if !m.budget.take(size - old) {
		return nil
	}
	if !m.base.grow(old, size) {
		m.budget.give(size - old)
		return nil
	}
	m.buf, m.high = m.base.slice(size), max(m.high, size)
	return m.buf
}

// Free does nothing. The engine calls it when it closes any instance that sees
// the memory, owner and importers alike; only [Linear.Close] releases it.
func (m *Linear) Free() {}

// Close releases the memory and what it drew on the budget. Every view of it
// is dead afterwards: call it when no guest, host call or reader is left. It
// may be called more than once.
func (m *Linear) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	m.budget.give(uint64(len(m.buf)))
	m.budget.unreserve(m.max)
	err := m.base.retire(m.image, m.high, m.budget)
	m.buf, m.reset, m.image = nil, pristine{}, nil
	if err != nil {
		return fmt.Errorf("release linear memory: %w", err)
	}
	return nil
}

func roundUp(n uint64) uint64 {
	if n > MaxSize {
		return n
	}
	return (n + PageSize - 1) &^ (PageSize - 1)
}
