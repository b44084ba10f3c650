package wire_test

import (
	"encoding/hex"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/internal/wittest"
	"github.com/lathhost/lath/wit/wire"
)

func must(t *wit.Type, err error) *wit.Type {
	if err != nil {
		panic(err)
	}
	return t
}

func bytesOf(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func num(n int64) wit.Value          { return wit.Value{Bits: uint64(n)} }
func str(s string) wit.Value         { return wit.Value{Str: s} }
func elems(v ...wit.Value) wit.Value { return wit.Value{Elems: v} }
func with(i uint64, v ...wit.Value) wit.Value {
	return wit.Value{Bits: i, Elems: v}
}
func octets(s string) wit.Value {
	var v wit.Value
	for _, c := range []byte(s) {
		v.Elems = append(v.Elems, num(int64(c)))
	}
	return v
}

var (
	u8s       = must(wit.NewList(wit.U8))
	strs      = must(wit.NewList(wit.String))
	optString = must(wit.NewOption(wit.String))
	kvError   = must(wit.NewVariant(wit.Case{Name: "no-such-store"}, wit.Case{Name: "access-denied"}, wit.Case{Name: "other", Type: wit.String}))
	kvGet     = must(wit.NewResult(must(wit.NewOption(u8s)), kvError))
	kvIncr    = must(wit.NewResult(wit.U64, kvError))
	brokerMsg = must(wit.NewRecord(wit.Field{Name: "subject", Type: wit.String}, wit.Field{Name: "body", Type: u8s}, wit.Field{Name: "reply-to", Type: optString}))
	stringErr = must(wit.NewResult(nil, wit.String))
	fields    = must(wit.NewList(must(wit.NewTuple(wit.String, must(wit.NewList(u8s))))))
	method    = must(wit.NewVariant(cases("get", "head", "post", "put", "delete", "connect", "options", "trace", "patch")...))
	scheme    = must(wit.NewVariant(cases("HTTP", "HTTPS")...))
	errorCode = must(wit.NewVariant(wit.Case{Name: "timeout"}, wit.Case{Name: "internal-error", Type: optString}))
	trailers  = must(wit.NewFuture(must(wit.NewOption(fields))))
	httpBody  = must(wit.NewStream(wit.U8))
	httpReq   = must(wit.NewRecord(
		wit.Field{Name: "body", Type: httpBody}, wit.Field{Name: "trailers", Type: trailers},
		wit.Field{Name: "method", Type: method}, wit.Field{Name: "path-with-query", Type: optString},
		wit.Field{Name: "scheme", Type: must(wit.NewOption(scheme))}, wit.Field{Name: "authority", Type: optString},
		wit.Field{Name: "headers", Type: fields}))
	httpResp = must(wit.NewResult(must(wit.NewRecord(
		wit.Field{Name: "body", Type: httpBody}, wit.Field{Name: "trailers", Type: trailers},
		wit.Field{Name: "status", Type: wit.U16}, wit.Field{Name: "headers", Type: fields})), errorCode))
)

func cases(names ...string) []wit.Case {
	out := []wit.Case{}
	for _, n := range names {
		out = append(out, wit.Case{Name: n})
	}
	return append(out, wit.Case{Name: "other", Type: wit.String})
}

// The bytes of the protocol's worked examples.
func TestWorkedExamples(t *testing.T) {
	t.Parallel()
	header := func(name, value string) wit.Value { return elems(str(name), elems(octets(value))) }
	for _, tt := range []struct {
		name  string
		types []*wit.Type
		vals  []wit.Value
		hex   string
	}{
		{"keyvalue get params", []*wit.Type{wit.String, wit.String}, []wit.Value{str("default"), str("counter")}, "07 64 65 66 61 75 6c 74 07 63 6f 75 6e 74 65 72"},
		{"keyvalue get some", []*wit.Type{kvGet}, []wit.Value{with(0, with(1, octets("hi")))}, "00 01 02 68 69"},
		{"keyvalue get none", []*wit.Type{kvGet}, []wit.Value{with(0, with(0))}, "00 00"},
		{"keyvalue get other", []*wit.Type{kvGet}, []wit.Value{with(1, with(2, str("boom")))}, "01 02 04 62 6f 6f 6d"},
		{"keyvalue get no such store", []*wit.Type{kvGet}, []wit.Value{with(1, with(0))}, "01 00"},
		{"increment params", []*wit.Type{wit.String, wit.String, wit.U64}, []wit.Value{str("default"), str("counter"), num(1)}, "07 64 65 66 61 75 6c 74 07 63 6f 75 6e 74 65 72 01"},
		{"increment results", []*wit.Type{kvIncr}, []wit.Value{with(0, num(300))}, "00 ac 02"},
		{"handle-message params", []*wit.Type{brokerMsg}, []wit.Value{elems(str("demo.in"), octets("hi"), with(0))}, "07 64 65 6d 6f 2e 69 6e 02 68 69 00"},
		{"handle-message results", []*wit.Type{stringErr}, []wit.Value{with(0)}, "00"},
		{"http request", []*wit.Type{httpReq}, []wit.Value{elems(num(0), num(0), with(0), with(1, str("/a")), with(1, with(0)), with(1, str("localhost:8000")), elems(header("accept", "*/*")))},
			"00 00 00 01 02 2f 61 01 00 01 0e 6c 6f 63 61 6c 68 6f 73 74 3a 38 30 30 30 01 06 61 63 63 65 70 74 01 03 2a 2f 2a"},
		{"http response", []*wit.Type{httpResp}, []wit.Value{with(0, elems(num(0), num(0), num(200), elems(header("content-type", "text/plain"))))},
			"00 00 00 c8 01 01 0c 63 6f 6e 74 65 6e 74 2d 74 79 70 65 01 0a 74 65 78 74 2f 70 6c 61 69 6e"},
		{"http body chunk", []*wit.Type{u8s}, []wit.Value{octets("hello")}, "05 68 65 6c 6c 6f"},
		{"http body in place", []*wit.Type{httpBody}, []wit.Value{with(5, octets("hello").Elems...)}, "05 68 65 6c 6c 6f"},
		{"trailers in place", []*wit.Type{trailers}, []wit.Value{with(1, with(0))}, "01 00"},
		{"u32 300", []*wit.Type{wit.U32}, []wit.Value{num(300)}, "ac 02"},
		{"u16 65535", []*wit.Type{wit.U16}, []wit.Value{num(65535)}, "ff ff 03"},
		{"s32 -1", []*wit.Type{wit.S32}, []wit.Value{num(-1)}, "7f"},
		{"s32 -300", []*wit.Type{wit.S32}, []wit.Value{num(-300)}, "d4 7d"},
		{"s32 64", []*wit.Type{wit.S32}, []wit.Value{num(64)}, "c0 00"},
		{"u64 max", []*wit.Type{wit.U64}, []wit.Value{num(-1)}, "ff ff ff ff ff ff ff ff ff 01"},
		{"s64 min", []*wit.Type{wit.S64}, []wit.Value{num(math.MinInt64)}, "80 80 80 80 80 80 80 80 80 7f"},
		{"s8 -1", []*wit.Type{wit.S8}, []wit.Value{num(-1)}, "ff"},
		{"f32 1.5", []*wit.Type{wit.F32}, []wit.Value{num(int64(math.Float32bits(1.5)))}, "00 00 c0 3f"},
		{"f64 1.5", []*wit.Type{wit.F64}, []wit.Value{num(int64(math.Float64bits(1.5)))}, "00 00 00 00 00 00 f8 3f"},
		{"char", []*wit.Type{wit.Char}, []wit.Value{num('☃')}, "e2 98 83"},
		{"ten flags", []*wit.Type{must(wit.NewFlags("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"))}, []wit.Value{num(0x201)}, "01 02"},
		{"tuple", []*wit.Type{must(wit.NewTuple(wit.U8, wit.Bool))}, []wit.Value{elems(num(7), num(1))}, "07 01"},
		{"fixed list", []*wit.Type{must(wit.NewFixedList(wit.U16, 2))}, []wit.Value{elems(num(1), num(2))}, "01 02"},
		{"map", []*wit.Type{must(wit.NewMap(wit.U8, wit.String))}, []wit.Value{elems(elems(num(1), str("x")))}, "01 01 01 78"},
		{"handle", []*wit.Type{wit.NewOwn(&wit.Resource{Name: "r"})}, []wit.Value{str("0123456789abcdef")}, "10 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66"},
		{"stream of nothing", []*wit.Type{must(wit.NewStream(nil))}, []wit.Value{num(3)}, "03"},
		{"future of nothing", []*wit.Type{must(wit.NewFuture(nil))}, []wit.Value{num(1)}, "01"},
		{"strings", []*wit.Type{strs}, []wit.Value{elems(str(""), str("a"))}, "02 00 01 61"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := bytesOf(t, tt.hex)
			got, err := wire.AppendAll([]byte{0xee}, tt.types, tt.vals)
			require.NoError(t, err)
			require.Equal(t, append([]byte{0xee}, want...), got)

			vals, rest, err := wire.DecodeAll(tt.types, append(want, 0xaa, 0xbb), wire.Limits{})
			require.NoError(t, err)
			require.Equal(t, tt.vals, vals)
			require.Equal(t, []byte{0xaa, 0xbb}, rest)

			n, err := wire.Skip(tt.types, append(want, 0xaa))
			require.NoError(t, err)
			require.Equal(t, len(want), n)
		})
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		typ  *wit.Type
		hex  string
		msg  string
	}{
		{"bool", wit.Bool, "02", "at byte 0: bool is 2, not 0 or 1"},
		{"option", optString, "02", "at byte 0: option is 2"},
		{"result", stringErr, "ff", "at byte 0: result is 255"},
		{"future", trailers, "02", "at byte 0: future is 2"},
		{"case", kvError, "03", "at byte 0: case 3 of 3"},
		{"case in a payload", kvGet, "01 07", "at byte 1: case 7 of 3"},
		{"u16 overflow", wit.U16, "80 80 04", "does not fit 16 bits"},
		{"u16 too long", wit.U16, "80 80 80", "too long"},
		{"u32 overflow", wit.U32, "ff ff ff ff 1f", "does not fit 32 bits"},
		{"u32 too long", wit.U32, "80 80 80 80 80", "too long"},
		{"u64 overflow", wit.U64, "ff ff ff ff ff ff ff ff ff 02", "does not fit 64 bits"},
		{"s16 overflow", wit.S16, "80 80 02", "does not fit 16 bits"},
		{"s16 underflow", wit.S16, "ff ff 7d", "does not fit 16 bits"},
		{"s32 overflow", wit.S32, "ff ff ff ff 0f", "does not fit 32 bits"},
		{"s64 too long", wit.S64, "80 80 80 80 80 80 80 80 80 80 00", "too long"},
		{"string", wit.String, "02 c3 28", "at byte 1: string is not UTF-8"},
		{"string of a surrogate", wit.String, "03 ed a0 80", "string is not UTF-8"},
		{"char", wit.Char, "ff", "char is not UTF-8"},
		{"char overlong", wit.Char, "c0 80", "char is not UTF-8"},
		{"list length", u8s, "ff ff ff ff 7f", "does not fit 32 bits"},
		{"handle empty", wit.NewBorrow(&wit.Resource{}), "00", "resource handle of 0 bytes"},
		{"handle long", wit.NewBorrow(&wit.Resource{}), "81 02", "resource handle of 257 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := bytesOf(t, tt.hex)
			_, err := wire.Skip([]*wit.Type{tt.typ}, b)
			require.ErrorIs(t, err, wire.ErrMalformed)
			require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
			require.ErrorContains(t, err, tt.msg)
			_, _, derr := wire.Decode(tt.typ, b, wire.Limits{})
			require.Equal(t, err.Error(), derr.Error())
			_, serr := wire.NewSkipper([]*wit.Type{tt.typ}).Skip(b)
			require.Equal(t, err.Error(), serr.Error())
		})
	}
}

func TestPaddedNumbersAreRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  *wit.Type
		hex  string
		want int64
	}{
		{wit.U16, "81 80 00", 1}, {wit.U32, "81 80 80 80 00", 1}, {wit.S32, "ff ff ff ff 7f", -1}, {wit.S16, "80 80 7e", math.MinInt16},
		{wit.S16, "ff ff 01", math.MaxInt16}, {wit.U64, "80 80 80 80 80 80 80 80 80 01", math.MinInt64},
	} {
		v, rest, err := wire.Decode(tt.typ, bytesOf(t, tt.hex), wire.Limits{})
		require.NoError(t, err, tt.hex)
		require.Empty(t, rest)
		require.Equal(t, num(tt.want), v, tt.hex)
	}
}

func TestUnknownFlagsAreDropped(t *testing.T) {
	t.Parallel()
	v, _, err := wire.Decode(must(wit.NewFlags("a", "b", "c")), []byte{0xfd}, wire.Limits{})
	require.NoError(t, err)
	require.Equal(t, num(5), v)
}

func TestErrorContextHasNoEncoding(t *testing.T) {
	t.Parallel()
	_, err := wire.Append(nil, wit.ErrorContext, wit.Value{})
	require.ErrorIs(t, err, wire.ErrUnsupported)
	_, _, err = wire.Decode(wit.ErrorContext, []byte{0}, wire.Limits{})
	require.ErrorIs(t, err, wire.ErrUnsupported)
	_, err = wire.Skip([]*wit.Type{wit.ErrorContext}, []byte{0})
	require.ErrorIs(t, err, wire.ErrUnsupported)
}

func TestAppendRefusesWhatIsNoValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		typ  *wit.Type
		val  wit.Value
		msg  string
	}{
		{"bool", wit.Bool, num(2), "0x2 is not a bool"},
		{"u8", wit.U8, num(256), "0x100 is not a u8"},
		{"s8", wit.S8, num(-129), "is not a s8"},
		{"s8 positive", wit.S8, num(128), "is not a s8"},
		{"u32", wit.U32, num(-1), "is not a u32"},
		{"s32", wit.S32, num(math.MaxUint32), "is not a s32"},
		{"char", wit.Char, num(0xd800), "is not a char"},
		{"char huge", wit.Char, num(1 << 40), "is not a char"},
		{"string", wit.String, str("\xff"), "not UTF-8"},
		{"flags", must(wit.NewFlags("a")), num(2), "is not a flags"},
		{"case", kvError, num(3), "case 3 of 3"},
		{"option", optString, num(2), "option with case 2"},
		{"payload missing", kvError, with(2), "0 payloads of other, want 1"},
		{"payload too many", kvError, with(0, str("")), "1 payloads of no-such-store, want 0"},
		{"fields", brokerMsg, elems(str("")), "1 fields, want 3"},
		{"field", brokerMsg, elems(str(""), elems(num(0), num(999)), with(0)), "at .body[1]: 0x3e7 is not a u8"},
		{"tuple", must(wit.NewTuple(wit.U8, kvGet)), elems(num(0), with(1, with(2, str("\xff")))), "at .1(error)(other): string"},
		{"fixed", must(wit.NewFixedList(wit.U8, 2)), elems(num(1)), "1 elements, want 2"},
		{"stream", httpBody, with(1), "stream with 0 elements, marked 1"},
		{"future", trailers, with(0, with(0)), "future with 1 values, marked 0"},
		{"handle", wit.NewOwn(&wit.Resource{}), str(""), "resource handle of 0 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := wire.Append([]byte{1}, tt.typ, tt.val)
			var bad *wire.ValueError
			require.ErrorAs(t, err, &bad)
			require.ErrorContains(t, err, tt.msg)
			require.Equal(t, []byte{1}, got)
		})
	}
}

// A few bytes must not make a large value: neither by a length that nothing
// backs, nor by elements of no size, nor by small elements that are large in
// memory.
func TestDecodeIsNotAmplified(t *testing.T) { // counts allocations: not parallel
	huge := bytesOf(t, "ff ff ff ff 0f 00 00")
	for _, typ := range []*wit.Type{u8s, strs, fields, httpBody, must(wit.NewMap(wit.U8, wit.U8)), must(wit.NewList(must(wit.NewResult(nil, nil))))} {
		allocs := testing.AllocsPerRun(10, func() {
			_, _, err := wire.Decode(typ, huge, wire.Limits{})
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
		require.Less(t, allocs, 8.0)
	}
	v, rest, err := wire.Decode(must(wit.NewStream(nil)), huge, wire.Limits{Values: 1})
	require.NoError(t, err)
	require.Equal(t, wit.Value{Bits: math.MaxUint32}, v)
	require.Len(t, rest, 2)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	b := append(wire.AppendULEB(nil, 1000), make([]byte, 1000)...)
	_, _, err := wire.Decode(u8s, b, wire.Limits{Values: 1000})
	require.ErrorIs(t, err, wire.ErrLimit)
	_, _, err = wire.Decode(u8s, b, wire.Limits{Values: 1001, Bytes: 1002})
	require.NoError(t, err)
	_, _, err = wire.Decode(u8s, b, wire.Limits{Bytes: 1001})
	require.ErrorIs(t, err, wire.ErrLimit)
	require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
	_, _, err = wire.Decode(u8s, b[:500], wire.Limits{Bytes: 1001})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	nested := must(wit.NewList(must(wit.NewOption(wit.U8))))
	_, _, err = wire.Decode(nested, []byte{2, 1, 1, 1, 1}, wire.Limits{Values: 4})
	require.ErrorIs(t, err, wire.ErrLimit)
	_, _, err = wire.Decode(nested, []byte{2, 1, 1, 1, 1}, wire.Limits{Values: 5})
	require.NoError(t, err)
}

// Every value survives the wire; Skip and Skipper find its end, and every
// proper prefix is incomplete and not malformed.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		shape := wittest.Shape{Handles: true, Async: true}
		n := rapid.IntRange(0, 3).Draw(rt, "types")
		types, vals := make([]*wit.Type, n), make([]wit.Value, n)
		for i := range types {
			types[i] = wittest.Type(rt, shape, 3)
			vals[i] = wittest.Value(rt, types[i])
		}
		b, err := wire.AppendAll(nil, types, vals)
		require.NoError(rt, err)
		got, rest, err := wire.DecodeAll(types, b, wire.Limits{})
		require.NoError(rt, err)
		require.Empty(rt, rest)
		if n > 0 {
			require.Equal(rt, vals, got)
		}
		skipper := wire.NewSkipper(types)
		for i := range b {
			_, err := wire.Skip(types, b[:i])
			require.ErrorIs(rt, err, io.ErrUnexpectedEOF)
			_, err = skipper.Skip(b[:i])
			require.ErrorIs(rt, err, io.ErrUnexpectedEOF)
			_, _, err = wire.DecodeAll(types, b[:i], wire.Limits{})
			require.ErrorIs(rt, err, io.ErrUnexpectedEOF)
		}
		end, err := wire.Skip(types, append(b, 0xff))
		require.NoError(rt, err)
		require.Equal(rt, len(b), end)
		end, err = skipper.Skip(append(b, 0xff))
		require.NoError(rt, err)
		require.Equal(rt, len(b), end)
	})
}

func TestSkipDoesNotAllocate(t *testing.T) { // counts allocations: not parallel
	b := bytesOf(t, "00 00 00 01 02 2f 61 01 00 01 0e 6c 6f 63 61 6c 68 6f 73 74 3a 38 30 30 30 01 06 61 63 63 65 70 74 01 03 2a 2f 2a")
	types := []*wit.Type{httpReq}
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = wire.Skip(types, b) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = wire.Skip(types, b[:20]) }))
}

func BenchmarkSkip(b *testing.B) {
	data := bytesOf(b, "00 00 00 01 02 2f 61 01 00 01 0e 6c 6f 63 61 6c 68 6f 73 74 3a 38 30 30 30 01 06 61 63 63 65 70 74 01 03 2a 2f 2a")
	for _, bb := range []struct {
		name  string
		types []*wit.Type
		data  []byte
	}{
		{"http request", []*wit.Type{httpReq}, data},
		{"two strings", []*wit.Type{wit.String, wit.String}, bytesOf(b, "07 64 65 66 61 75 6c 74 07 63 6f 75 6e 74 65 72")},
		{"1 MiB of bytes", []*wit.Type{u8s}, append(wire.AppendULEB(nil, 1<<20), make([]byte, 1<<20)...)},
		{"1 MiB of u32", []*wit.Type{must(wit.NewList(wit.U32))}, append(wire.AppendULEB(nil, 1<<20), make([]byte, 1<<20)...)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bb.data)))
			for b.Loop() {
				if _, err := wire.Skip(bb.types, bb.data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
