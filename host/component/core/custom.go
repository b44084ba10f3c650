package core

// Custom returns the contents of the first custom section of that name, or nil.
// They alias the module.
func (m *Module) Custom(name string) []byte {
	r := reader{b: m.bytes, pos: len(preamble)}
	for r.left() > 0 {
		id := r.byte()
		size := r.u32()
		if r.err != nil || uint64(size) > uint64(r.left()) {
			return nil // Parse has seen to it
		}
		sub := reader{b: m.bytes[:r.pos+int(size)], pos: r.pos}
		if id == secCustom && sub.name(m.lim.NameSize) == name && sub.err == nil {
			return sub.b[sub.pos:]
		}
		r.bytes(size)
	}
	return nil
}
