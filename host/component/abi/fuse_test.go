package abi_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// TestEveryFieldOfEveryRecordIsChecked spoils one field of one record of a list,
// and of one that is passed alone.
func TestEveryFieldOfEveryRecordIsChecked(t *testing.T) {
	t.Parallel()
	elem, _ := mixed(t, false)
	for _, records := range []uint32{1, 64, 65, 200} {
		for _, c := range []struct {
			name  string
			off   uint32
			bytes []byte
			trap  string
			want  []byte // what arrives, where nothing traps
		}{
			{name: "bool", off: atBool, bytes: []byte{2}, want: []byte{1}},
			{name: "high bool", off: atBool, bytes: []byte{0x80}, want: []byte{1}},
			{name: "char", off: atChar, bytes: []byte{0, 0, 0x11, 0}, trap: "no char"},
			{name: "surrogate", off: atChar, bytes: []byte{0xff, 0xdf, 0, 0}, trap: "no char"},
			{name: "Han", off: atChar, bytes: []byte{0, 0x90, 0, 0}, want: []byte{0, 0x90, 0, 0}},
			{name: "enum", off: atMood, bytes: []byte{3}, trap: "discriminant 3"},
			{name: "high enum", off: atMood, bytes: []byte{0xff}, trap: "discriminant 255"},
			{name: "option", off: atOption, bytes: []byte{2}, trap: "discriminant 2"},
			{name: "none", off: atOption, bytes: []byte{0, 1, 2, 3, 9, 9, 9, 9}, want: make([]byte, 8)},
			{name: "some", off: atOption, bytes: []byte{1, 1, 2, 3, 9, 9, 9, 9}, want: []byte{1, 0, 0, 0, 9, 9, 9, 9}},
		} {
			for _, k := range []uint32{0, records / 2, records - 1} {
				src := make([]byte, 16+records*mixedSize)
				binary.LittleEndian.PutUint32(src, 16)
				binary.LittleEndian.PutUint32(src[4:], records)
				at := 16 + k*mixedSize + c.off
				copy(src[at:], c.bytes)
				to, err := passRecords(t, elem, src)
				if c.trap == "" {
					require.NoError(t, err, c.name)
					require.Equal(t, c.want, to[k*mixedSize+c.off:][:len(c.want)], "%s of record %d of %d", c.name, k, records)
					continue
				}
				require.ErrorContains(t, err, c.trap, "%s of record %d of %d", c.name, k, records)
				require.Equal(t, trap.Abi, trap.As(err).Code)
			}
		}
	}
}

// passRecords passes the list at 0, and its first record by itself, and returns
// the list's elements.
func passRecords(t *testing.T, elem *wit.Type, mem []byte) ([]byte, error) {
	t.Helper()
	all, err := abi.CompileTransfer([]*wit.Type{list(t, elem)}, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
	one, err := abi.CompileTransfer([]*wit.Type{elem}, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
	src, _ := newGuest(mem)
	dst, b := newGuest(nil)
	out := make([]uint64, 2)
	if err := all.Flat(src, dst, []uint64{16, uint64(binary.LittleEndian.Uint32(mem[4:]))}, out); err != nil {
		return nil, err
	}
	elems := append([]byte(nil), b.mem[out[0]:][:len(mem)-16]...)
	ptr := alloc(t, dst, elem.Align, elem.Size)
	require.NoError(t, one.Mem(src, dst, 16, ptr))
	require.Equal(t, elems[:elem.Size], b.mem[ptr:][:elem.Size], "alone as in a list")
	return elems, nil
}

// TestManyOptionsStayFast compiles options that no two words can hold, in a
// time that grows with their number only.
func TestManyOptionsStayFast(t *testing.T) {
	t.Parallel()
	small := option(t, wit.U8)
	fields := make([]*wit.Type, 20_000)
	for k := range fields {
		fields[k] = small
	}
	_, err := abi.CompileTransfer([]*wit.Type{list(t, record(t, fields...))}, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
}
