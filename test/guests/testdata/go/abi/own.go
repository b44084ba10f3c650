//go:build wasip1

package abi

import (
	"runtime"
	"unsafe"
)

// garbage is how many bytes the program may throw away before they are
// collected.
const garbage = 8 << 20

var thrown uint32

// Bytes copies what the ABI allocated for the program, and frees it. It must not
// be called by cabi_realloc or a post-return function: it may collect garbage,
// and so read the clock.
func Bytes(at, n uint32) []byte {
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(uintptr(at))), n))
	delete(kept, at)
	if thrown += n; thrown > garbage {
		runtime.GC()
		thrown = 0
	}
	return b
}
