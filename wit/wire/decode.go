package wire

import (
	"fmt"
	"io"
	"math"

	"github.com/lathhost/lath/wit"
)

// Limits bounds what [Decode] makes out of bytes. A field that is zero or
// negative stands for its default.
type Limits struct {
	// Bytes is the most bytes that one call reads. Default 64 MiB.
	Bytes int
	// Values is the most dynamic values that one call makes, each of which
	// takes 48 bytes of memory whatever its size on the wire. Default 1<<20.
	Values int
}

// The defaults of [Limits].
const (
	DefaultBytes  = 64 << 20
	DefaultValues = 1 << 20
)

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	if l.Values <= 0 {
		l.Values = DefaultValues
	}
	return l
}

// Decode reads a value of type t from the start of b and returns the bytes
// after it. Errors are those of [Skip], and [ErrLimit]. The value shares no
// memory with b.
func Decode(t *wit.Type, b []byte, lim Limits) (v wit.Value, rest []byte, err error) {
	vs, rest, err := DecodeAll([]*wit.Type{t}, b, lim)
	if err != nil {
		return wit.Value{}, nil, err
	}
	return vs[0], rest, nil
}

// DecodeAll reads one value for each type, such as the parameters of a
// function. The limits hold for all of them together.
func DecodeAll(types []*wit.Type, b []byte, lim Limits) (vs []wit.Value, rest []byte, err error) {
	lim = lim.withDefaults()
	d := decoder{Reader: Reader{b: b[:min(len(b), lim.Bytes)]}, values: lim.Values}
	vs = d.elems(len(types))
	for i := range vs {
		d.value(types[i], &vs[i])
	}
	switch {
	case d.err != nil && len(b) > lim.Bytes && isEOF(d.err):
		return nil, nil, fmt.Errorf("%w of %d bytes", ErrLimit, lim.Bytes)
	case d.err != nil:
		return nil, nil, d.err
	}
	return vs, b[d.off:], nil
}

type decoder struct {
	Reader
	values int // how many more may be made
}

// elems makes the n parts of a value. The bytes for them are known to be
// there.
func (d *decoder) elems(n int) []wit.Value {
	if n > d.values {
		d.Fail(fmt.Errorf("%w of values: %d more at byte %d", ErrLimit, n, d.off))
	}
	if d.err != nil || n == 0 {
		return nil
	}
	d.values -= n
	return make([]wit.Value, n)
}

func (d *decoder) value(t *wit.Type, v *wit.Value) {
	if d.err != nil {
		return
	}
	switch t.Kind {
	case wit.KindRecord, wit.KindTuple:
		v.Elems = d.elems(len(t.Fields))
		for i := range v.Elems {
			d.value(t.Fields[i].Type, &v.Elems[i])
		}
	case wit.KindVariant, wit.KindEnum:
		v.Bits = uint64(d.Discriminant(len(t.Cases)))
		d.payload(t.Cases[v.Bits].Type, v)
	case wit.KindOption, wit.KindResult:
		if d.tag(t.Kind.String()) {
			v.Bits = 1
		}
		d.payload(t.Cases[v.Bits].Type, v)
	case wit.KindList, wit.KindMap:
		d.list(t.Elem, d.Len(1), v)
	case wit.KindFixedList:
		d.fixedList(t, v)
	case wit.KindStream:
		d.stream(t, v)
	case wit.KindFuture:
		if d.Future() {
			v.Bits = 1
			d.payload(t.Elem, v)
		}
	default:
		d.scalar(t, v)
	}
}

func (d *decoder) payload(t *wit.Type, v *wit.Value) {
	if t == nil {
		return
	}
	if v.Elems = d.elems(1); v.Elems != nil {
		d.value(t, &v.Elems[0])
	}
}

func (d *decoder) list(elem *wit.Type, n int, v *wit.Value) {
	v.Elems = d.elems(n)
	for i := range v.Elems {
		d.value(elem, &v.Elems[i])
	}
}

func (d *decoder) fixedList(t *wit.Type, v *wit.Value) {
	if uint64(t.Len) > uint64(len(d.Rest())) {
		d.Fail(io.ErrUnexpectedEOF)
		return
	}
	d.list(t.Elem, int(t.Len), v)
}

// stream reads the elements that are in place. Those without a type are
// counted only: their number is not backed by bytes.
func (d *decoder) stream(t *wit.Type, v *wit.Value) {
	if t.Elem == nil {
		v.Bits = d.uleb(32)
		return
	}
	d.list(t.Elem, d.Len(1), v)
	v.Bits = uint64(len(v.Elems))
}

func (d *decoder) scalar(t *wit.Type, v *wit.Value) {
	switch t.Kind {
	case wit.KindBool:
		if d.Bool() {
			v.Bits = 1
		}
	case wit.KindU8:
		v.Bits = uint64(d.U8())
	case wit.KindU16:
		v.Bits = uint64(d.U16())
	case wit.KindU32:
		v.Bits = uint64(d.U32())
	case wit.KindU64:
		v.Bits = d.U64()
	case wit.KindS8:
		v.Bits = uint64(int64(d.S8()))
	case wit.KindS16:
		v.Bits = uint64(int64(d.S16()))
	case wit.KindS32:
		v.Bits = uint64(int64(d.S32()))
	case wit.KindS64:
		v.Bits = uint64(d.S64())
	case wit.KindF32:
		v.Bits = uint64(math.Float32bits(d.F32()))
	case wit.KindF64:
		v.Bits = math.Float64bits(d.F64())
	case wit.KindChar:
		v.Bits = uint64(d.Char())
	case wit.KindString:
		v.Str = d.String()
	case wit.KindFlags:
		v.Bits = uint64(d.Flags(len(t.Labels)))
	case wit.KindOwn, wit.KindBorrow:
		v.Str = string(d.Handle())
	default:
		d.Fail(unsupported(t))
	}
}
