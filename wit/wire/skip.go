package wire

import (
	"io"

	"github.com/lathhost/lath/wit"
)

// Skip returns how many bytes the values of the given types take at the start
// of b, after checking that they are well formed. It returns
// [io.ErrUnexpectedEOF] where b is only their beginning, in which case more
// bytes may complete them, and an error that wraps [ErrMalformed] where
// nothing can. It allocates only to report the latter.
//
// Skip starts anew at each call. Where values arrive in many pieces, use a
// [Skipper].
func Skip(types []*wit.Type, b []byte) (n int, err error) {
	r := Reader{b: b}
	for _, t := range types {
		if r.skip(t); r.err != nil {
			return 0, r.err
		}
	}
	return r.off, nil
}

func (r *Reader) skip(t *wit.Type) {
	f := r.open(t)
	if f.n > 1 && f.elem != nil && wit.KindS16 <= f.elem.Kind && f.elem.Kind <= wit.KindU64 {
		r.skipIntegers(f.elem, f.n)
		return
	}
	for i := 0; i < f.n && r.err == nil; i++ {
		r.skip(f.at(i))
	}
}

// skipIntegers is the loop of skip for n LEB128 numbers, most of which take
// one byte in practice.
func (r *Reader) skipIntegers(t *wit.Type, n int) {
	for ; n > 0 && r.err == nil; n-- {
		if r.off < len(r.b) && r.b[r.off] < 0x80 {
			r.off++
			continue
		}
		r.skipScalar(t)
	}
}

// frame is a run of n values that make up the rest of a value: the fields of a
// record, or n values of one type.
type frame struct {
	fields []wit.Field
	elem   *wit.Type
	n      int
}

func (f *frame) at(i int) *wit.Type {
	if f.elem != nil {
		return f.elem
	}
	return f.fields[i].Type
}

// one is the frame of a payload, which may be nil.
func one(t *wit.Type) frame {
	if t == nil {
		return frame{}
	}
	return frame{elem: t, n: 1}
}

// open reads the head of a value and returns what follows it: nothing for a
// scalar, elements for a list whose length was read, and so on. Where it
// fails, it has read nothing. Every frame has at least one byte for each of
// its values, or it is not opened.
func (r *Reader) open(t *wit.Type) frame {
	switch t.Kind {
	case wit.KindRecord, wit.KindTuple:
		return frame{fields: t.Fields, n: len(t.Fields)}
	case wit.KindVariant, wit.KindEnum:
		i := r.Discriminant(len(t.Cases))
		return one(t.Cases[i].Type)
	case wit.KindOption, wit.KindResult:
		if r.tag(t.Kind.String()) {
			return one(t.Cases[1].Type)
		}
		return one(t.Cases[0].Type)
	case wit.KindList, wit.KindMap:
		return r.openList(t.Elem)
	case wit.KindFixedList:
		if uint64(t.Len) > uint64(len(r.b)-r.off) {
			r.Fail(io.ErrUnexpectedEOF)
			return frame{}
		}
		return frame{elem: t.Elem, n: int(t.Len)}
	case wit.KindStream:
		if t.Elem == nil {
			r.uleb(32)
			return frame{}
		}
		return r.openList(t.Elem)
	case wit.KindFuture:
		if r.Future() {
			return one(t.Elem)
		}
	default:
		r.skipScalar(t)
	}
	return frame{}
}

// openList opens n elements after their number. Elements of one size that may
// have any bits are passed over at once.
func (r *Reader) openList(elem *wit.Type) frame {
	start := r.off
	n := r.Len(1)
	size := 0
	switch elem.Kind {
	case wit.KindU8, wit.KindS8:
		size = 1
	case wit.KindF32:
		size = 4
	case wit.KindF64:
		size = 8
	default:
		return frame{elem: elem, n: n}
	}
	if n > (len(r.b)-r.off)/size {
		r.off = start
		r.Fail(io.ErrUnexpectedEOF)
		return frame{}
	}
	r.off += n * size
	return frame{}
}

func (r *Reader) skipScalar(t *wit.Type) {
	switch t.Kind {
	case wit.KindBool:
		r.Bool()
	case wit.KindS8, wit.KindU8:
		r.take(1)
	case wit.KindU16:
		r.uleb(16)
	case wit.KindU32:
		r.uleb(32)
	case wit.KindU64:
		r.uleb(64)
	case wit.KindS16:
		r.sleb(16)
	case wit.KindS32:
		r.sleb(32)
	case wit.KindS64:
		r.sleb(64)
	case wit.KindF32:
		r.take(4)
	case wit.KindF64:
		r.take(8)
	case wit.KindChar:
		r.Char()
	case wit.KindString:
		r.skipString()
	case wit.KindFlags:
		r.take((len(t.Labels) + 7) / 8)
	case wit.KindOwn, wit.KindBorrow:
		r.skipHandle()
	default:
		r.Fail(unsupported(t))
	}
}

// skipString is StringBytes that reads nothing where it fails.
func (r *Reader) skipString() {
	start := r.off
	if r.StringBytes(); r.err != nil {
		r.off = start
	}
}

func (r *Reader) skipHandle() {
	start := r.off
	if r.Handle(); r.err != nil {
		r.off = start
	}
}
