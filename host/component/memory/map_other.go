//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package memory

// mapping is plain Go memory. It moves when it grows.
type mapping struct{ base []byte }

func reserve(min, _ uint64, image *Image) (mapping, error) {
	m := mapping{base: make([]byte, min)}
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

func (m *mapping) grow(_, size uint64) bool {
	if size <= uint64(cap(m.base)) {
		m.base = m.base[:size]
		return true
	}
	base := make([]byte, size, min(size+size/4, MaxSize))
	copy(base, m.base)
	m.base = base
	return true
}

func (m *mapping) release() error {
	m.base = nil
	return nil
}
