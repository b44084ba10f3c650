//go:build wasip1

// Package abi lets the canonical ABI and the preview 1 adapter share the memory
// of a Go program: it exports cabi_realloc. Without that, the adapter takes its
// pages by memory.grow, and Go's heap, which assumes that it alone grows memory,
// breaks soon after.
package abi

import (
	"runtime/debug"
	"unsafe"
)

// early is what the adapter gets before Go's runtime is up: it allocates its
// state and its stack when the first function of preview 1 is called, which the
// runtime does before anything else. (In a program with a start function it is
// called even before that, and Go cannot answer: commands are libraries that
// export wasi:cli/run.)
var early [4 << 16]byte

var (
	taken uint32
	ready bool
	// kept are the allocations that the ABI holds, by address. Go's heap does
	// not move.
	kept = map[uint32][]uint64{}
)

// A collection reads the clock, which is an import, and none may be called while
// the ABI allocates: collections happen in [Bytes] alone.
func init() {
	debug.SetGCPercent(-1)
	ready = true
}

// realloc is the canonical ABI's. Before the runtime is up it must not allocate
// or grow the stack.
//
//go:wasmexport cabi_realloc
//go:nosplit
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	if ready {
		return grow(old, oldSize, size)
	}
	at := (uint32(uintptr(unsafe.Pointer(&early))) + taken + align - 1) &^ (align - 1)
	taken = at + size - uint32(uintptr(unsafe.Pointer(&early)))
	if taken > uint32(len(early)) {
		return nil
	}
	return unsafe.Add(unsafe.Pointer(&early), taken-size)
}

// grow allocates on Go's heap: every allocation is aligned to 8 bytes.
func grow(old unsafe.Pointer, oldSize, size uint32) unsafe.Pointer {
	space := make([]uint64, size/8+1)
	p := unsafe.Pointer(&space[0])
	copy(unsafe.Slice((*byte)(p), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	kept[uint32(uintptr(p))] = space
	return p
}
