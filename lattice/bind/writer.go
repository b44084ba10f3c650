package bind

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/lathhost/lath/wit/wire"
)

// Writer encodes values one after another. The first error sticks. The zero
// Writer is ready for use, by one goroutine.
type Writer struct {
	b   []byte
	err error
}

// Bytes returns what was written, or the first error.
func (w *Writer) Bytes() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

// Bool writes a bool, the presence of an option, or the side of a result.
func (w *Writer) Bool(v bool) { w.b = wire.AppendBool(w.b, v) }

// U8 writes a u8.
func (w *Writer) U8(v uint8) { w.b = append(w.b, v) }

// S8 writes an s8.
func (w *Writer) S8(v int8) { w.b = append(w.b, byte(v)) }

// Unsigned writes a u16, u32 or u64.
func (w *Writer) Unsigned(v uint64) { w.b = wire.AppendULEB(w.b, v) }

// Signed writes an s16, s32 or s64.
func (w *Writer) Signed(v int64) { w.b = wire.AppendSLEB(w.b, v) }

// F32 writes an f32.
func (w *Writer) F32(v float32) { w.b = wire.AppendF32(w.b, v) }

// F64 writes an f64.
func (w *Writer) F64(v float64) { w.b = wire.AppendF64(w.b, v) }

// Char writes a char. What is no Unicode scalar value is an error.
func (w *Writer) Char(v rune) {
	if !utf8.ValidRune(v) {
		w.fail("char %#x is no Unicode scalar value", v)
		return
	}
	w.b = wire.AppendChar(w.b, v)
}

// String writes a string. Bytes that are not UTF-8 become U+FFFD.
func (w *Writer) String(v string) {
	w.b = wire.AppendString(w.b, strings.ToValidUTF8(v, "\ufffd"))
}

// ByteList writes a list<u8>.
func (w *Writer) ByteList(v []byte) { w.b = wire.AppendBytes(w.b, v) }

// Len writes the length of a list, whose elements follow.
func (w *Writer) Len(n int) { w.b = wire.AppendULEB(w.b, uint64(n)) }

// Flags writes a set of n flags.
func (w *Writer) Flags(set uint32, n int) { w.b = wire.AppendFlags(w.b, set, n) }

// Case writes the index of one of n cases. Another index is an error.
func (w *Writer) Case(index, n uint32) {
	if index >= n {
		w.fail("case %d of %d", index, n)
		return
	}
	w.b = wire.AppendULEB(w.b, uint64(index))
}

func (w *Writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("value does not fit its type: "+format, args...)
	}
}
