package wire_test

import (
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit/wire"
)

func TestReaderReadsWhatAppendWrites(t *testing.T) {
	t.Parallel()
	var b []byte
	b = wire.AppendBool(b, true)
	b = append(b, 200)
	b = append(b, 0xfb)
	b = wire.AppendULEB(b, 65535)
	b = wire.AppendSLEB(b, math.MinInt16)
	b = wire.AppendULEB(b, math.MaxUint32)
	b = wire.AppendSLEB(b, math.MinInt32)
	b = wire.AppendULEB(b, math.MaxUint64)
	b = wire.AppendSLEB(b, math.MaxInt64)
	b = wire.AppendF32(b, 1.5)
	b = wire.AppendF64(b, math.Inf(-1))
	b = wire.AppendChar(b, '𝄞')
	b = wire.AppendString(b, "héllo")
	b = wire.AppendBytes(b, []byte{1, 2})
	b = wire.AppendULEB(b, 3)
	b = append(b, 9, 9, 9)
	b = wire.AppendULEB(b, 299)
	b = wire.AppendFlags(b, 0x1ff, 9)
	b = wire.AppendBool(b, true)
	b = wire.AppendBool(b, false)
	b = wire.AppendBool(b, true)
	b = wire.AppendBytes(b, []byte("handle"))
	b = append(b, 0xfe)

	r := wire.NewReader(b)
	require.True(t, r.Bool())
	require.Equal(t, uint8(200), r.U8())
	require.Equal(t, int8(-5), r.S8())
	require.Equal(t, uint16(65535), r.U16())
	require.Equal(t, int16(math.MinInt16), r.S16())
	require.Equal(t, uint32(math.MaxUint32), r.U32())
	require.Equal(t, int32(math.MinInt32), r.S32())
	require.Equal(t, uint64(math.MaxUint64), r.U64())
	require.Equal(t, int64(math.MaxInt64), r.S64())
	require.Equal(t, float32(1.5), r.F32())
	require.Equal(t, math.Inf(-1), r.F64())
	require.Equal(t, '𝄞', r.Char())
	require.Equal(t, "héllo", r.String())
	require.Equal(t, []byte{1, 2}, r.Bytes())
	require.Equal(t, 3, r.Len(1))
	require.Equal(t, []byte{9, 9, 9}, []byte{r.U8(), r.U8(), r.U8()})
	require.Equal(t, uint32(299), r.Discriminant(300))
	require.Equal(t, uint32(0x1ff), r.Flags(9))
	require.True(t, r.Option())
	require.False(t, r.Result())
	require.True(t, r.Future())
	require.Equal(t, "handle", string(r.Handle()))
	require.NoError(t, r.Err())
	require.Equal(t, []byte{0xfe}, r.Rest())
	require.Equal(t, len(b)-1, r.Offset())
}

func TestReaderErrorSticks(t *testing.T) {
	t.Parallel()
	r := wire.NewReader([]byte{1, 2, 1, 5, 'h', 'i'})
	require.True(t, r.Bool())
	require.False(t, r.Bool())
	require.ErrorContains(t, r.Err(), "at byte 1")
	first := r.Err()
	require.Zero(t, r.U8())
	require.Zero(t, r.U64())
	require.Zero(t, r.S64())
	require.Zero(t, r.F32())
	require.Zero(t, r.F64())
	require.Zero(t, r.Char())
	require.Zero(t, r.Len(1))
	require.Zero(t, r.Discriminant(9))
	require.Zero(t, r.Flags(9))
	require.Empty(t, r.String())
	require.Nil(t, r.Bytes())
	require.Nil(t, r.Handle())
	require.False(t, r.Option())
	require.Same(t, first, r.Err())
	require.Equal(t, 1, r.Offset())
	r.Fail(io.EOF)
	require.Same(t, first, r.Err())
}

func TestReaderLenCountsTheBytesThatElementsNeed(t *testing.T) {
	t.Parallel()
	b := []byte{2, 0, 0, 0, 0}
	r := wire.NewReader(b)
	require.Equal(t, 2, r.Len(2))
	r = wire.NewReader(b)
	require.Zero(t, r.Len(3))
	require.ErrorIs(t, r.Err(), io.ErrUnexpectedEOF)
	r = wire.NewReader([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	require.Equal(t, math.MaxUint32, r.Len(0))
}

func TestLEBEveryWidth(t *testing.T) {
	t.Parallel()
	for _, bits := range []uint{8, 16, 32, 64} {
		top := uint64(1)<<(bits-1) - 1
		for _, v := range []uint64{0, 1, 63, 64, 127, top, top + 1, top<<1 | 1} {
			b := wire.AppendULEB(nil, v)
			got, n, err := wire.ULEB(append(b, 0x80), bits)
			require.NoError(t, err)
			require.Equal(t, len(b), n)
			require.Equal(t, v, got)
		}
		for _, v := range []int64{0, -1, 63, 64, -64, -65, int64(top), -int64(top) - 1} {
			b := wire.AppendSLEB(nil, v)
			got, n, err := wire.SLEB(append(b, 0x80), bits)
			require.NoError(t, err, "%d in %d", v, bits)
			require.Equal(t, len(b), n)
			require.Equal(t, v, got)
		}
		if bits < 64 {
			_, _, err := wire.ULEB(wire.AppendULEB(nil, 1<<bits), bits)
			require.ErrorIs(t, err, wire.ErrMalformed)
			_, _, err = wire.SLEB(wire.AppendSLEB(nil, int64(top)+1), bits)
			require.ErrorIs(t, err, wire.ErrMalformed)
			_, _, err = wire.SLEB(wire.AppendSLEB(nil, -int64(top)-2), bits)
			require.ErrorIs(t, err, wire.ErrMalformed)
		}
	}
}
