package wit

// Value is a dynamic value of some [Type], which is kept beside it. Dynamic
// values serve the CLI, tools and tests; no hot path makes one.
type Value struct {
	// Bits holds scalars: bool as 0 or 1, integers in two's complement
	// (sign-extended), floats as their IEEE bits, a char's code point, the
	// index of the case (variant, enum, option, result), the set of flags
	// (bit i is label i), a handle. Of a stream it is the number of elements
	// that are in place, where 0 means that they come later; of a future it is
	// 1 where the value is in place, and 0 where it comes later.
	Bits uint64
	// Str holds a string, or the opaque bytes of a handle that crosses a
	// lattice.
	Str string
	// Elems holds the fields of a record or tuple, the elements of a list,
	// fixed list, complete stream or map (as key-value tuples), the payload of
	// a case, the value of a complete future.
	Elems []Value
}

// Payload returns the payload of a value with cases, or nil.
func (v *Value) Payload() *Value {
	if len(v.Elems) == 0 {
		return nil
	}
	return &v.Elems[0]
}
