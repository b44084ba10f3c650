//go:build !linux

package memory

// Elsewhere than on Linux a mapping that was used cannot be made as good as new.

func (*Image) reuse(uint64) []byte { return nil }

func (*Image) forgo() {}

func (m *mapping) retire(*Image, uint64, *Budget) error { return m.release() }

func (*Image) dropSpares(bool) (dropped bool, err error) { return false, nil }
