package abi_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"unicode/utf16"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const utf16Tag = 1 << 31

func encode16(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

func encode1(s string) []byte {
	var b []byte
	for _, r := range s {
		b = append(b, byte(r))
	}
	return b
}

func latin1(s string) bool {
	for _, r := range s {
		if r > 0xff {
			return false
		}
	}
	return true
}

// held is a string as a guest holds it.
type held struct {
	bytes []byte
	units uint32 // with tag
}

// holdings are the ways in which a guest of an encoding can hold s.
func holdings(enc abi.Encoding, s string) []held {
	wide := encode16(s)
	switch enc {
	case abi.UTF8:
		return []held{{[]byte(s), uint32(len(s))}}
	case abi.UTF16:
		return []held{{wide, uint32(len(wide) / 2)}}
	}
	all := []held{{wide, uint32(len(wide)/2) | utf16Tag}}
	if latin1(s) {
		narrow := encode1(s)
		all = append(all, held{narrow, uint32(len(narrow))})
	}
	return all
}

// model stores s as the specification's store_string_into_range is written,
// one whole-string encoding after the other, in a guest of its own.
type model struct {
	*bump
	s     string
	units uint32 // of the source, without tag
}

func (m *model) alloc(align, size uint32) uint32 {
	ptr, _ := m.realloc(0, 0, align, size)
	return ptr
}

func (m *model) move(ptr, old, align, size uint32) uint32 {
	ptr, _ = m.realloc(ptr, old, align, size)
	return ptr
}

func (m *model) store(src, dst abi.Encoding, units uint32) (ptr, tagged uint32) {
	wide := src == abi.UTF16 || src == abi.Latin1UTF16 && units&utf16Tag != 0
	m.units = units &^ utf16Tag
	switch dst {
	case abi.UTF8:
		switch {
		case src == abi.UTF8:
			return m.copy(1, 1, []byte(m.s))
		case wide:
			return m.toUTF8(3 * m.units)
		}
		return m.toUTF8(2 * m.units)
	case abi.UTF16:
		if src == abi.UTF8 {
			return m.utf8ToUTF16()
		}
		return m.copy(2, 2, encode16(m.s))
	}
	switch {
	case src != abi.Latin1UTF16:
		return m.toLatin1OrUTF16()
	case wide:
		return m.probablyUTF16()
	}
	return m.copy(1, 2, encode1(m.s))
}

func (m *model) copy(unit, align uint32, b []byte) (uint32, uint32) {
	ptr := m.alloc(align, unit*m.units)
	copy(m.mem[ptr:], b)
	return ptr, m.units
}

func (m *model) toUTF8(worst uint32) (uint32, uint32) {
	ptr := m.alloc(1, m.units)
	i := uint32(0)
	for _, r := range m.s {
		if r >= 0x80 {
			ptr = m.move(ptr, m.units, 1, worst)
			copy(m.mem[ptr+i:], m.s[i:])
			n := uint32(len(m.s))
			if worst > n {
				ptr = m.move(ptr, worst, 1, n)
			}
			return ptr, n
		}
		m.mem[ptr+i] = byte(r)
		i++
	}
	return ptr, m.units
}

func (m *model) utf8ToUTF16() (uint32, uint32) {
	worst := 2 * m.units
	ptr := m.alloc(2, worst)
	b := encode16(m.s)
	copy(m.mem[ptr:], b)
	n := uint32(len(b))
	if n < worst {
		ptr = m.move(ptr, worst, 2, n)
	}
	return ptr, n / 2
}

func (m *model) toLatin1OrUTF16() (uint32, uint32) {
	ptr := m.alloc(2, m.units)
	n := uint32(0)
	for _, r := range m.s {
		if r > 0xff {
			worst := 2 * m.units
			ptr = m.move(ptr, m.units, 2, worst)
			b := encode16(m.s)
			copy(m.mem[ptr:], b)
			size := uint32(len(b))
			if worst > size {
				ptr = m.move(ptr, worst, 2, size)
			}
			return ptr, size/2 | utf16Tag
		}
		m.mem[ptr+n] = byte(r)
		n++
	}
	if n < m.units {
		ptr = m.move(ptr, m.units, 2, n)
	}
	return ptr, n
}

func (m *model) probablyUTF16() (uint32, uint32) {
	size := 2 * m.units
	ptr := m.alloc(2, size)
	copy(m.mem[ptr:], encode16(m.s))
	if !latin1(m.s) {
		return ptr, m.units | utf16Tag
	}
	for i, r := range encode1(m.s) {
		m.mem[ptr+uint32(i)] = r
	}
	return m.move(ptr, size, 1, m.units), m.units
}

var encodings = []abi.Encoding{abi.UTF8, abi.UTF16, abi.Latin1UTF16}

// checkPair passes s in every way that src can hold it, and compares calls of
// realloc, memory and result with the model's.
func checkPair(t require.TestingT, src, dst abi.Encoding, s string) {
	p, err := abi.CompileTransfer([]*wit.Type{wit.String}, src, dst)
	require.NoError(t, err)
	for _, h := range holdings(src, s) {
		m := &model{bump: &bump{}, s: s}
		m.alloc(1, 3) // an odd start shows alignment
		wantPtr, wantUnits := m.store(src, dst, h.units)

		from, _ := newGuest(append([]byte{1, 2}, h.bytes...))
		to, b := newGuest(nil)
		alloc(t, to, 1, 3)
		out := make([]uint64, 2)
		require.NoError(t, p.Flat(from, to, []uint64{2, uint64(h.units)}, out))
		require.Equal(t, m.calls, b.calls, "calls of realloc for %q", s)
		require.Equal(t, m.mem, b.mem, "memory for %q", s)
		require.Equal(t, []uint64{uint64(wantPtr), uint64(wantUnits)}, out, "result for %q", s)

		got, err := abi.LiftString(to, dst, uint32(out[0]), uint32(out[1]))
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
}

// checkHost lowers s from the host by both ways in.
func checkHost(t require.TestingT, dst abi.Encoding, s string) {
	m := &model{bump: &bump{}, s: s}
	wantPtr, wantUnits := m.store(abi.UTF8, dst, uint32(len(s)))

	g, b := newGuest(nil)
	ptr, units, err := abi.LowerString(g, dst, s)
	require.NoError(t, err)
	require.Equal(t, m.calls, b.calls)
	require.Equal(t, m.mem, b.mem)
	require.Equal(t, [2]uint32{wantPtr, wantUnits}, [2]uint32{ptr, units})

	p, err := abi.CompileWire([]*wit.Type{wit.String}, dst)
	require.NoError(t, err)
	onWire := append(binary.AppendUvarint(nil, uint64(len(s))), s...)
	g, b = newGuest(nil)
	out := make([]uint64, 2)
	_, err = p.LowerFlat(g, nil, onWire, out)
	require.NoError(t, err)
	require.Equal(t, m.calls, b.calls)
	require.Equal(t, []uint64{uint64(ptr), uint64(units)}, out)
	back, err := p.LiftFlat(g, nil, out, nil)
	require.NoError(t, err)
	require.Equal(t, onWire, back)
}

var sampleStrings = []string{
	"", "a", "exactly8", "nine char", "a longer text that is all ASCII, over sixteen",
	"é", "ÿ\u0080", "ascii then é", "ascii then é and ÿ", "\u0100", "é\u0100", "abcdefgh\u20ac", "€uro",
	"日本語", "\U0001f600", "a\U0001f600b", "ÿÿÿÿ\U0010ffff", "\ud7ff\ue000\uffff", "é then ascii of some length\U00010000",
}

func TestStringPairs(t *testing.T) {
	t.Parallel()
	for _, src := range encodings {
		for _, dst := range encodings {
			t.Run(fmt.Sprintf("%s to %s", src, dst), func(t *testing.T) {
				t.Parallel()
				for _, s := range sampleStrings {
					checkPair(t, src, dst, s)
				}
				rapid.Check(t, func(r *rapid.T) { checkPair(r, src, dst, anyString().Draw(r, "string")) })
			})
		}
	}
}

func TestStringFromHost(t *testing.T) {
	t.Parallel()
	for _, dst := range encodings {
		t.Run(dst.String(), func(t *testing.T) {
			t.Parallel()
			for _, s := range sampleStrings {
				checkHost(t, dst, s)
			}
			rapid.Check(t, func(r *rapid.T) { checkHost(r, dst, anyString().Draw(r, "string")) })
		})
	}
}

// anyString mixes runs of the widths that transcoding tells apart.
func anyString() *rapid.Generator[string] {
	runs := rapid.OneOf(
		rapid.StringOfN(rapid.RuneFrom([]rune("abc \x00~")), 0, 20, -1),
		rapid.StringOfN(rapid.RuneFrom([]rune("\u0080éÿ")), 0, 5, -1),
		rapid.StringOfN(rapid.RuneFrom([]rune("\u0100\u07ff\u0800\ud7ff\ue000\uffff")), 0, 3, -1),
		rapid.StringOfN(rapid.RuneFrom([]rune("\U00010000\U0001f600\U0010ffff")), 0, 3, -1),
	)
	return rapid.Map(rapid.SliceOfN(runs, 0, 4), func(parts []string) string {
		s := ""
		for _, p := range parts {
			s += p
		}
		return s
	})
}

func TestStringTraps(t *testing.T) {
	t.Parallel()
	long := make([]byte, 64)
	for _, c := range []struct {
		name  string
		enc   abi.Encoding
		mem   []byte
		ptr   uint32
		units uint32
		msg   string
	}{
		{"utf8 not valid", abi.UTF8, []byte{'a', 0xff}, 0, 2, "not valid UTF-8"},
		{"utf8 surrogate", abi.UTF8, []byte{0xed, 0xa0, 0x80}, 0, 3, "not valid UTF-8"},
		{"utf8 cut off", abi.UTF8, []byte{0xe2, 0x82, 0xac}, 0, 2, "not valid UTF-8"},
		{"utf16 lone high", abi.UTF16, []byte{0, 0xd8, 'a', 0}, 0, 2, "not valid UTF-16"},
		{"utf16 high at the end", abi.UTF16, []byte{'a', 0, 0xff, 0xdb, 0, 0xdc}, 0, 2, "not valid UTF-16"},
		{"utf16 lone low", abi.UTF16, []byte{0, 0xdc, 'a', 0}, 0, 2, "not valid UTF-16"},
		{"utf16 low in a block of four", abi.UTF16, []byte{'a', 0, 'a', 0, 'a', 0, 0xff, 0xdf}, 0, 4, "not valid UTF-16"},
		{"tagged lone low", abi.Latin1UTF16, []byte{0, 0xdc}, 0, 1 | utf16Tag, "not valid UTF-16"},
		{"utf8 one too far", abi.UTF8, long, 60, 5, "out of bounds"},
		{"utf8 empty behind the end", abi.UTF8, long, 65, 0, "out of bounds"},
		{"utf16 one too far", abi.UTF16, long, 62, 2, "out of bounds"},
		{"latin1 one too far", abi.Latin1UTF16, long, 62, 3, "out of bounds"},
		{"pointer and length wrap", abi.UTF8, long, 0xffffffff, 0x0fffffff, "out of bounds"},
		{"utf16 not aligned", abi.UTF16, long, 1, 1, "not aligned to 2"},
		{"latin1 not aligned", abi.Latin1UTF16, long, 3, 1, "not aligned to 2"},
		{"utf16 empty not aligned", abi.UTF16, long, 1, 0, "not aligned to 2"},
		{"utf8 too long", abi.UTF8, long, 0, 1 << 28, "too long"},
		{"utf16 too long", abi.UTF16, long, 0, 1 << 27, "too long"},
		{"utf16 length doubles over 32 bits", abi.UTF16, long, 0, 0x80000001, "too long"},
		{"latin1 too long", abi.Latin1UTF16, long, 0, 1 << 28, "too long"},
		{"tagged too long", abi.Latin1UTF16, long, 0, 1<<27 | utf16Tag, "too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g, _ := newGuest(c.mem)
			_, err := abi.LiftString(g, c.enc, c.ptr, c.units)
			requireTrap(t, err, trap.Abi, c.msg)
			for _, dst := range encodings {
				p, err := abi.CompileTransfer([]*wit.Type{wit.String}, c.enc, dst)
				require.NoError(t, err)
				to, b := newGuest(nil)
				err = p.Flat(g, to, []uint64{uint64(c.ptr), uint64(c.units)}, make([]uint64, 2))
				requireTrap(t, err, trap.Abi, c.msg)
				require.Empty(t, b.calls, "realloc was called for a string that is not valid")
			}
		})
	}
}

func TestStringBoundsAreInclusive(t *testing.T) {
	t.Parallel()
	g, _ := newGuest([]byte("word"))
	for _, enc := range encodings {
		s, err := abi.LiftString(g, enc, 4, 0)
		require.NoError(t, err)
		require.Empty(t, s)
	}
	s, err := abi.LiftString(g, abi.UTF8, 0, 4)
	require.NoError(t, err)
	require.Equal(t, "word", s)
}

func TestLowerStringRefusesInvalidUTF8(t *testing.T) {
	t.Parallel()
	g, b := newGuest(nil)
	_, _, err := abi.LowerString(g, abi.UTF8, "\xff")
	requireTrap(t, err, trap.Host, "not valid UTF-8")
	require.Empty(t, b.calls)

}

func requireTrap(t require.TestingT, err error, code trap.Code, msg string) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
	require.ErrorIs(t, err, &trap.Error{Code: code})
	require.ErrorContains(t, err, msg)
}
