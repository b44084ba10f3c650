package abi

import (
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// Encoding is the string encoding that a guest chose (canonical option
// string-encoding).
type Encoding uint8

// The encodings. Latin1UTF16 is "latin1+utf16": each string is either, and
// bit 31 of its length says which.
const (
	UTF8 Encoding = iota
	UTF16
	Latin1UTF16
)

// String returns the encoding's name in the spec.
func (e Encoding) String() string {
	if e > Latin1UTF16 {
		return "invalid"
	}
	return [...]string{"utf8", "utf16", "latin1+utf16"}[e]
}

// Memory is a guest's linear memory. Bytes returns it as it is now; the slice
// is stale as soon as guest code ran, and is fetched again after each realloc.
// Memory never shrinks during a call.
type Memory interface{ Bytes() []byte }

// Handles is a component instance's handle table as one call sees it: the call
// knows to which task or subtask borrows belong. An error is a trap of the
// guest that gave the handle, or of the one whose table is full; errors that
// are not traps yet become trap.Handle.
type Handles interface {
	// LiftOwn removes an owned handle and returns its representation.
	LiftOwn(r *wit.Resource, handle uint32) (rep uint32, err error)
	// LiftBorrow lends a handle for the call and returns its representation.
	LiftBorrow(r *wit.Resource, handle uint32) (rep uint32, err error)
	// LowerOwn adds an owned handle.
	LowerOwn(r *wit.Resource, rep uint32) (handle uint32, err error)
	// LowerBorrow adds a borrowed handle, or returns rep itself where the
	// instance defines the resource.
	LowerBorrow(r *wit.Resource, rep uint32) (handle uint32, err error)
}

// DefaultBudget is the usual [Guest.Budget] of one call, in bytes.
const DefaultBudget = 64 << 20

// Guest is one side of a call. It lives as long as its instance, is reused for
// each call and serves one call at a time.
type Guest struct {
	// Mem is the memory of the canonical options; nil where they name none.
	Mem Memory
	// Handles may be nil where no type of the function has handles.
	Handles Handles
	// Realloc calls the guest's realloc; nil where the options name none. It
	// need not check the result.
	Realloc func(oldPtr, oldSize, align, newSize uint32) (uint32, error)
	// Budget is how many bytes lifts into host memory may still copy. A list
	// may point many times at one string, so a small memory can hold a huge
	// value; the budget bounds it. The owner sets it before each call; at zero
	// nothing can be lifted. Transfers between guests do not use it.
	Budget int64
	// Poll, where it is not nil, is called now and then during a long transfer
	// from or to the guest, once for each MiB or so. Its error, such
	// as a passed deadline, ends the transfer.
	Poll func() error
	// Fault is the error that this guest was stopped with: by its realloc, by
	// what that returned, or by Poll. It tells whose fault it is where two
	// guests meet. What a guest gives is wrong is not noted here, since the one
	// that gives is known.
	Fault error
}

// pollBytes is what a transfer moves between two polls: some milliseconds of
// work for the smallest elements.
const pollBytes = 1 << 20

func (g *Guest) bytes() []byte {
	if g.Mem == nil {
		return nil
	}
	return g.Mem.Bytes()
}

// Alloc asks the guest for size new bytes and checks that the answer is
// aligned and inside memory. A size of 0 asks as well, as the spec says.
func Alloc(g *Guest, align, size uint32) (ptr uint32, err error) {
	ptr, _, err = g.realloc(0, 0, align, size)
	return ptr, err
}

// realloc returns the new block and its place in memory. All other slices of
// the guest's memory are stale after it.
func (g *Guest) realloc(old, oldSize, align, size uint32) (uint32, []byte, error) {
	ptr, mem, err := g.block(old, oldSize, align, size)
	if err != nil {
		return 0, nil, err
	}
	return ptr, mem[ptr:][:size:size], nil
}

// block is realloc with all of the memory as it is now.
func (g *Guest) block(old, oldSize, align, size uint32) (ptr uint32, mem []byte, err error) {
	if g.Realloc == nil {
		return g.fault(trap.New(trap.Abi, "realloc is needed but the canonical options name none"))
	}
	if ptr, err = g.Realloc(old, oldSize, align, size); err != nil {
		return g.fault(err)
	}
	mem = g.bytes()
	if ptr&(align-1) != 0 {
		return g.fault(trap.New(trap.Abi, "realloc result %#x is not aligned to %d", ptr, align))
	}
	if uint64(ptr)+uint64(size) > uint64(len(mem)) {
		return g.fault(trap.New(trap.Abi, "realloc result out of bounds: %d bytes at %#x, memory has %d", size, ptr, len(mem)))
	}
	return ptr, mem, nil
}

func (g *Guest) fault(err error) (uint32, []byte, error) {
	g.Fault = err
	return 0, nil, err
}

// MaxListBytes and MaxStringBytes bound one list's and one string's bytes in
// linear memory.
const (
	MaxListBytes   = 1<<28 - 1
	MaxStringBytes = 1<<28 - 1
)

// Region returns the n elements of size bytes at ptr after checking that they
// are aligned, inside memory and within [MaxListBytes]. The slice is stale
// when guest code runs.
func Region(mem []byte, ptr, n, size, align uint32) ([]byte, error) {
	bytes := uint64(n) * uint64(size)
	if bytes > MaxListBytes {
		return nil, trap.New(trap.Abi, "list is too long: %d elements of %d bytes", n, size)
	}
	return area(mem, "list", ptr, bytes, align)
}

// area is the n bytes at ptr.
func area(mem []byte, what string, ptr uint32, n uint64, align uint32) ([]byte, error) {
	if ptr&(align-1) != 0 {
		return nil, trap.New(trap.Abi, "%s pointer %#x is not aligned to %d", what, ptr, align)
	}
	if uint64(ptr)+n > uint64(len(mem)) {
		return nil, trap.New(trap.Abi, "%s pointer out of bounds: %d bytes at %#x, memory has %d", what, n, ptr, len(mem))
	}
	return mem[ptr:][:n:n], nil
}
