package bind

import (
	"encoding/binary"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// maxList is the most bytes that a list or string may take in a guest's memory
// (Canonical ABI, MAX_LIST_BYTE_LENGTH).
const maxList = 1<<28 - 1

// Case checks the index of one of n cases that a guest gave.
func Case(inv *component.Invocation, index, n uint32) uint32 {
	if index >= n {
		inv.Trap(trap.New(trap.Abi, "case %d of %d", index, n))
	}
	return index
}

// Char checks a char that a guest gave: a code point that is no surrogate.
func Char(inv *component.Invocation, c uint32) rune {
	if c >= 0x110000 || c >= 0xd800 && c < 0xe000 {
		inv.Trap(trap.New(trap.Abi, "char %#x is no Unicode scalar value", c))
	}
	return rune(c)
}

// Owned are the objects that a call took from the guest and has not handed to
// the host's own code yet. If a later argument traps, nobody else would drop
// them: a guest could so leak what it likes.
type Owned struct {
	objs  []component.Resource
	first [2]component.Resource // what objs begins in, to save an allocation
}

// Passed says that the host's own code owns the objects now.
func (o *Owned) Passed() { o.objs = nil }

// Close drops what was not passed, the newest first, also where dropping one of
// them panics.
func (o *Owned) Close() {
	for _, obj := range o.objs {
		defer obj.Drop()
	}
}

// Own takes an owned handle away from the guest and returns its object, of
// which owned keeps note.
func Own[T component.Resource](inv *component.Invocation, owned *Owned, r *wit.Resource, handle uint32) T {
	obj := inv.LiftOwn(r, handle)
	if owned.objs == nil {
		owned.objs = owned.first[:0]
	}
	owned.objs = append(owned.objs, obj)
	return object[T](inv, r, obj)
}

// Borrow returns the object of a handle that the guest lends.
func Borrow[T component.Resource](inv *component.Invocation, r *wit.Resource, handle uint32) T {
	return object[T](inv, r, inv.LiftBorrow(r, handle))
}

func object[T component.Resource](inv *component.Invocation, r *wit.Resource, obj component.Resource) T {
	t, ok := obj.(T)
	if !ok {
		inv.Trap(trap.New(trap.Host, "resource %s is a %T", r.Name, obj))
	}
	return t
}

// Index checks the index of one of n cases that the host's own code returned.
func Index(inv *component.Invocation, index, n uint32) uint32 {
	if index >= n {
		inv.Trap(trap.New(trap.Host, "returned case %d of %d", index, n))
	}
	return index
}

// Scalar checks a char that the host's own code returned.
func Scalar(inv *component.Invocation, c rune) uint32 {
	if uint32(c) >= 0x110000 || c >= 0xd800 && c < 0xe000 {
		inv.Trap(trap.New(trap.Host, "returned char %#x, which is no Unicode scalar value", c))
	}
	return uint32(c)
}

// Bit is a bool as a guest sees it.
func Bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// Lower gives the guest an owned handle of an object that the host's own code
// returned.
func Lower(inv *component.Invocation, r *wit.Resource, obj component.Resource) uint32 {
	if obj == nil {
		inv.Trap(trap.New(trap.Host, "returned no %s", r.Name))
	}
	return inv.LowerOwn(r, obj)
}

// Place checks the place that the guest gave for a result, and returns it. Glue
// does so before the call, so that no result is left without a place; memory
// never shrinks, so that the check holds afterwards.
func Place(inv *component.Invocation, word uint64, size, align uint32) uint32 {
	at := uint32(word)
	inv.Region(at, 1, size, align)
	return at
}

// Alloc asks the guest for n elements of size bytes.
func Alloc(inv *component.Invocation, n int, size, align uint32) (ptr uint32) {
	total := uint64(n) * uint64(size)
	if uint64(n) > maxList || total > maxList {
		inv.Trap(trap.New(trap.Limit, "returned a list of %d bytes, more than %d", total, maxList))
	}
	return inv.Realloc(align, uint32(total))
}

// The Put functions store a value at a place that was checked. They fetch the
// guest's memory after anything that may move it.

// PutString stores a string's pointer and length at at, and its bytes where
// the guest says.
func PutString(inv *component.Invocation, at uint32, s string) {
	ptr, n := inv.LowerString(s)
	putPair(inv, at, ptr, n)
}

// FlatString is [PutString] for values on the stack.
func FlatString(inv *component.Invocation, s string) (ptr, units uint64) {
	p, n := inv.LowerString(s)
	return uint64(p), uint64(n)
}

// FlatBytes is [PutBytes] for values on the stack.
func FlatBytes(inv *component.Invocation, b []byte) (ptr, n uint64) {
	p := Alloc(inv, len(b), 1, 1)
	copy(inv.Memory()[p:], b)
	return uint64(p), uint64(len(b))
}

// PutBytes stores a list<u8> like [PutString].
func PutBytes(inv *component.Invocation, at uint32, b []byte) {
	ptr := Alloc(inv, len(b), 1, 1)
	copy(inv.Memory()[ptr:], b)
	putPair(inv, at, ptr, uint32(len(b)))
}

// PutList stores the pointer and length of a list whose elements are stored.
func PutList(inv *component.Invocation, at, ptr uint32, n int) {
	putPair(inv, at, ptr, uint32(n))
}

// PutOwn stores an owned handle of obj.
func PutOwn(inv *component.Invocation, at uint32, r *wit.Resource, obj component.Resource) {
	h := Lower(inv, r, obj)
	binary.LittleEndian.PutUint32(inv.Memory()[at:], h)
}

func putPair(inv *component.Invocation, at, ptr, n uint32) {
	m := inv.Memory()
	binary.LittleEndian.PutUint32(m[at:], ptr)
	binary.LittleEndian.PutUint32(m[at+4:], n)
}
