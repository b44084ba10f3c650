//go:build !linux

package memory

// dirty appends all of [0, size): the system cannot tell what was written.
func (m *Linear) dirty(runs []run, size uint64) (_ []run, exact bool) {
	return append(runs, run{end: size}), false
}

// discard does nothing: elsewhere than on Linux a private page that was given
// back need not read as zeros.
func (*mapping) discard(uint64, uint64) bool { return false }
