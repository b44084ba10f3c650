//go:build wasip1

package abi

import (
	"runtime"
	"unsafe"
)

// Address is where something lies in memory.
func Address[T any](p *T) uint32 { return uint32(uintptr(unsafe.Pointer(p))) }

// Bytes copies what the ABI allocated for the program, and frees it.
func Bytes(at, n uint32) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(uintptr(at))), n))
	delete(kept, at)
	return b
}

// Collect runs the garbage collector. It must be called outside of cabi_realloc
// and of post-return functions.
func Collect() { runtime.GC() }
