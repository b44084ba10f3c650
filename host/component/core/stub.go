package core

// trapBody is a function body, with its size, that is valid for every type:
// no locals, unreachable.
var trapBody = []byte{3, 0, 0, opEnd}

// Stub returns a module that [Rewrite] made with every function's body
// exchanged for one that traps. It has all that an instance is made from but
// code: an engine that has the machine code already can do with it, and has
// a hundredth to read and to validate.
//
// # Errors
//
// An [*Error] where the bytes are not a module.
func Stub(rewritten []byte) ([]byte, error) {
	r := reader{b: rewritten}
	out := append(make([]byte, 0, 4096), r.bytes(uint32(len(preamble)))...)
	for r.left() > 0 && r.err == nil {
		start := r.pos
		id, size := r.byte(), r.u32()
		if id != secCode {
			r.bytes(size)
			out = append(out, rewritten[start:r.pos]...)
			continue
		}
		end := r.pos + min(int(size), r.left())
		n := r.u32()
		if int(n) > end-r.pos { // a body has a byte at least
			r.fail(Malformed, start, "%d functions in %d bytes", n, size)
			break
		}
		payload := appendU32(make([]byte, 0, 5+int(n)*len(trapBody)), n)
		for range n {
			payload = append(payload, trapBody...)
		}
		out = appendSection(out, secCode, payload)
		r.skip(end - r.pos)
	}
	if r.err != nil {
		return nil, r.err
	}
	return out, nil
}

// Data returns what [Rewrite] takes out of m: Rewritten.Data.
func Data(m *Module, plan Plan) []Segment {
	w := writer{m: m, plan: plan}
	w.stripData()
	return w.stripped
}
