package binary_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/binary"
	. "github.com/lathhost/lath/host/component/binary/binarytest"
)

// module decodes a core module that stands at offset 100 of its component.
func module(sections ...[]byte) (*binary.Module, error) {
	return binary.DecodeModule(&binary.CoreModule{At: 100, Bytes: Module(sections...)}, binary.Limits{})
}

func TestModule(t *testing.T) {
	t.Parallel()
	m, err := module(
		Section(1, []byte{0x60, 2, 0x7f, 0x70, 1, 0x7e}, Cat(byte(0x4e), Vec(
			[]byte{0x60, 1, 0x64, 2, 0}, []byte{0x50, 1, 0, 0x5f, 1, 0x78, 1})), []byte{0x5e, 0x6e, 0}),
		Section(2, Cat("m", "f", []byte{0, 0}), Cat("m", "t", []byte{1, 0x6f, 1, 1, 9}), Cat("m", "mem", []byte{2, 3, 1, 2}),
			Cat("m", "g", []byte{3, 0x7f, 1}), Cat("m", "tag", []byte{4, 0, 0})),
		Raw(0, Cat("name", []byte{1, 2, 3})),
		Section(3, U(0), U(0)),
		Section(4, []byte{0x70, 0, 5}, []byte{0x40, 0, 0x63, 0x70, 0, 5, 0xd2, 0, 0x0b}),
		Section(5, []byte{4, 1}),
		Section(13, []byte{0, 0}),
		Section(6, []byte{0x7f, 0, 0x41, 0x2a, 0x0b}, []byte{0x7c, 1, 0x44, 0, 0, 0, 0, 0, 0, 0, 0x0b, 0x0b},
			Cat([]byte{0x7b, 0, 0xfd, 12}, make([]byte, 16), byte(0x0b)), []byte{0x6c, 0, 0x41, 1, 0xfb, 28, 0x0b}),
		Section(7, Cat("a", []byte{0, 1}), Cat("b", []byte{4, 0})),
		Raw(10, []byte{0xff}), // bodies are not looked at
	)
	require.NoError(t, err)
	require.Len(t, m.Types, 3)
	require.Len(t, m.Types[1], 2)
	require.Equal(t, []binary.CoreVal{{Code: 0x7f}, {Code: 0x63, Heap: -16}}, m.Types[0][0].Params)
	require.Equal(t, []binary.CoreVal{{Code: 0x64, Heap: 2}}, m.Types[1][0].Params)
	require.Equal(t, []uint32{0}, m.Types[1][1].Supers)
	require.False(t, m.Types[1][1].Final)
	require.Equal(t, []binary.CoreVal{{Code: 0x78, Mutable: true}}, m.Types[1][1].Params)
	require.Equal(t, binary.CoreLimits{Min: 1, Max: 9, HasMax: true}, m.Imports[1].Desc.Limits)
	require.Equal(t, binary.CoreLimits{Min: 1, Max: 2, HasMax: true, Shared: true}, m.Imports[2].Desc.Limits)
	require.Equal(t, "tag", m.Imports[4].Name)
	require.Equal(t, []uint32{0, 0}, m.Funcs)
	require.Len(t, m.Tables, 2)
	require.True(t, m.Memories[0].Is64)
	require.Len(t, m.Globals, 4)
	require.True(t, m.Globals[1].Mutable)
	require.Equal(t, binary.SortIndex{Sort: binary.SortCoreFunc, Index: 1}, m.Exports[0].SortIndex)
	require.Equal(t, binary.SortCoreTag, m.Exports[1].Sort)
}

func TestBadModule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		section []byte
		offset  int
		want    string
	}{
		{append(Section(3), Section(1)...), 111, "section out of order"},
		{append(Section(1), Section(1)...), 111, "section out of order"},
		{Raw(14, nil), 108, "malformed section id 14"},
		{[]byte{3, 9}, 110, "section of 9 bytes, 0 left"},
		{Raw(3, []byte{1, 0, 0}), 112, "section size mismatch"},
		{Section(1, []byte{0x61, 0}), 111, "invalid leading byte 0x61"},
		{Section(1, []byte{0x60, 1, 0x40, 0}), 113, "malformed core value type"},
		{Section(4, []byte{0x7f, 0, 0}), 111, "malformed reference type"},
		{Section(5, []byte{8, 0}), 111, "custom page size"},
		{Section(5, []byte{0x10, 0}), 111, "malformed limits flags"},
		{Section(6, []byte{0x7f, 0, 0x10, 0, 0x0b}), 113, "constant expression required"},
		{Section(6, []byte{0x7f, 0, 0x41}), 114, "unexpected end"},
		{Section(6, []byte{0x7f, 2, 0x0b}), 112, "mutability: invalid leading byte 0x02"},
		{Section(7, Cat("a", []byte{5, 0})), 113, "malformed export kind"},
	} {
		m, err := module(c.section)
		require.Nil(t, m)
		var e *binary.Error
		require.ErrorAs(t, err, &e)
		require.Contains(t, e.Msg, c.want)
		require.Equal(t, c.offset, e.Offset, c.want)
	}
}
