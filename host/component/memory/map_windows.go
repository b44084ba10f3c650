package memory

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

// mapping is a reserved range of which the memory's current size is committed.
type mapping struct{ base []byte }

func reserve(min, max uint64, image *Image) (mapping, error) {
	if max == 0 {
		return mapping{base: []byte{}}, nil
	}
	addr, err := windows.VirtualAlloc(0, uintptr(max), windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return mapping{}, err
	}
	// The address is not the Go heap's, so no pointer rule is at stake.
	m := mapping{base: unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), max)}
	if !m.grow(0, min) {
		_ = m.release()
		return mapping{}, windows.ERROR_COMMITMENT_LIMIT
	}
	if image == nil {
		return m, nil
	}
	if _, err := image.place(m.base); err != nil {
		_ = m.release()
		return mapping{}, err
	}
	return m, nil
}

func (m *mapping) slice(size uint64) []byte { return m.base[:size:size] }

func (m *mapping) grow(old, size uint64) bool {
	if size == old {
		return true
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(m.base))) + uintptr(old)
	_, err := windows.VirtualAlloc(start, uintptr(size-old), windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err == nil
}

func (m *mapping) release() error {
	base := m.base
	m.base = nil
	if len(base) == 0 {
		return nil
	}
	return windows.VirtualFree(uintptr(unsafe.Pointer(unsafe.SliceData(base))), 0, windows.MEM_RELEASE)
}
