package core

// funcName is one entry of the name section's function names.
type funcName struct {
	index uint32
	name  string
}

// The subsections of the name section that are read.
const (
	nameModule    = 0
	nameFunctions = 1
)

// parseNames reads the name section. Names are for people only, so what cannot
// be read is left out and never makes a module invalid.
func parseNames(b []byte, at span, funcs int) (module string, names []funcName) {
	if at == (span{}) {
		return "", nil
	}
	r := reader{b: b[:at.end], pos: at.start}
	for r.left() > 0 {
		id := r.byte()
		size := r.u32()
		start := r.pos
		r.bytes(size)
		if r.err != nil {
			return module, names
		}
		sub := reader{b: b[:r.pos], pos: start}
		switch id {
		case nameModule:
			if name := sub.name(maxDebugName); sub.err == nil {
				module = name
			}
		case nameFunctions:
			names = functionNames(&sub, funcs)
		}
	}
	return module, names
}

// maxDebugName bounds a name of the name section. C++ names are long.
const maxDebugName = 100_000

// functionNames reads names up to the first that is wrong: they must stand in
// the order of their functions.
func functionNames(r *reader, funcs int) []funcName {
	n := r.count("function names", funcs, 2)
	names := make([]funcName, 0, n)
	for range n {
		f := funcName{index: r.index("function", funcs), name: r.name(maxDebugName)}
		if r.err != nil || len(names) > 0 && names[len(names)-1].index >= f.index {
			break
		}
		names = append(names, f)
	}
	return names
}

// appendNames writes a name section with the module's name and the names of
// its functions.
func (m *Module) appendNames(out []byte) []byte {
	payload := appendName(nil, "name")
	payload = appendSection(payload, nameModule, appendName(nil, m.Name))
	if len(m.funcName) > 0 {
		sub := appendU32(nil, uint32(len(m.funcName)))
		for _, f := range m.funcName {
			sub = appendName(appendU32(sub, f.index), f.name)
		}
		payload = appendSection(payload, nameFunctions, sub)
	}
	return appendSection(out, secCustom, payload)
}
