//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package memory

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is an anonymous private mapping of the memory's maximum size. The
// system commits a page when it is first touched.
type mapping struct {
	base   []byte
	copied bool // the image was copied into it, not mapped
	noScan bool // for tests: as on a system that cannot tell what was written
}

func reserve(_, max uint64, image *Image) (mapping, error) {
	if max == 0 {
		return mapping{base: []byte{}}, nil
	}
	if image == nil {
		return mapZeros(max)
	}
	if base := image.reuse(max); base != nil {
		return mapping{base: base}, nil
	}
	m, err := mapZeros(max)
	if err == nil {
		if m.copied, err = image.place(m.base); err != nil {
			_ = m.release()
			err = fmt.Errorf("place the image: %w", err)
		}
	}
	if err != nil {
		image.forgo()
		return mapping{}, err
	}
	return m, nil
}

// mapZeros maps memory. It does without the functions of package unix that keep
// a list of all mappings, under a lock.
func mapZeros(size uint64) (mapping, error) {
	at, err := unix.MmapPtr(-1, 0, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|mapNoReserve)
	if err != nil {
		return mapping{}, err
	}
	m := mapping{base: unsafe.Slice((*byte)(at), size)}
	if hugeAlways() {
		noHugePages(m.base)
	}
	return m, nil
}

// slice keeps the mapping's whole capacity: an engine that appends to the
// slice stays in place.
func (m *mapping) slice(size uint64) []byte { return m.base[:size] }

func (m *mapping) grow(_, _ uint64) bool { return true }

func (m *mapping) release() error {
	base := m.base
	m.base = nil
	return unmap(base)
}

func unmap(base []byte) error {
	if len(base) == 0 {
		return nil
	}
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(base)), uintptr(len(base)))
}
