package source_test

import (
	"bytes"
	"debug/dwarf"
	"errors"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/source"
)

// sections are custom sections by name.
type sections map[string][]byte

func (s sections) get(name string) []byte { return s[name] }

func load(t testing.TB, file string) sections {
	wasm, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	m, err := core.Parse(wasm, core.Limits{})
	require.NoError(t, err)
	s := sections{}
	for _, name := range []string{".debug_line", ".debug_str", ".debug_line_str", ".debug_info", ".debug_abbrev", ".debug_str_offsets", ".debug_addr", ".debug_rnglists"} {
		s[name] = m.Custom(name)
	}
	require.NotEmpty(t, s[".debug_line"])
	return s
}

var guests = []string{"divide4.wasm", "divide5.wasm"}

func TestEveryRowIsFoundAsDebugDwarfReadsIt(t *testing.T) {
	t.Parallel()
	for _, file := range guests {
		s := load(t, file)
		table := source.New(s.get)
		lines := map[int]bool{}
		for _, row := range rows(t, s) {
			p, ok := table.Find(uint32(row.Address))
			if row.EndSequence || row.Line == 0 {
				require.False(t, ok, "%s %#x", file, row.Address)
				continue
			}
			require.True(t, ok, "%s %#x", file, row.Address)
			require.Equal(t, source.Position{File: "divide.c", Line: row.Line, Column: row.Column}, p, "%s %#x", file, row.Address)
			require.Equal(t, path.Base(row.File.Name), p.File)
			lines[p.Line] = true
		}
		require.Greater(t, len(lines), 7)
		for _, outside := range []uint32{0, 1, 0x1000, math.MaxUint32} {
			_, ok := table.Find(outside)
			require.False(t, ok, outside)
		}
	}
}

// rows returns the last row of each address.
func rows(t *testing.T, s sections) []dwarf.LineEntry {
	d, err := dwarf.New(s[".debug_abbrev"], nil, nil, s[".debug_info"], s[".debug_line"], nil, nil, s[".debug_str"])
	require.NoError(t, err)
	for _, name := range []string{".debug_line_str", ".debug_str_offsets", ".debug_addr", ".debug_rnglists"} {
		require.NoError(t, d.AddSection(name, s[name]))
	}
	unit, err := d.Reader().Next()
	require.NoError(t, err)
	r, err := d.LineReader(unit)
	require.NoError(t, err)
	var all []dwarf.LineEntry
	for {
		var e dwarf.LineEntry
		if err := r.Next(&e); errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = slices.DeleteFunc(all, func(o dwarf.LineEntry) bool { return o.Address == e.Address })
		all = append(all, e)
	}
}

// unit returns a line table of one unit: version 4 with files "d/f" and "g", or
// version 5 with the given tables.
func unit(version byte, tables, program []byte) []byte {
	head := []byte{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1}
	if version < 4 {
		head = slices.Delete(head, 1, 2)
	}
	head = append(head, tables...)
	body := []byte{version, 0}
	if version >= 5 {
		body = append(body, 4, 0)
	}
	body = append(body, byte(len(head)), byte(len(head)>>8), 0, 0)
	body = append(append(body, head...), program...)
	return append([]byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), 0}, body...)
}

var (
	tables4 = []byte("d\x00e\x00\x00f\x00\x02\x00\x00g\x00\x00\x00\x00h\x00\x09\x00\x00\x00")
	// From 16 to 32: line 1 of file 1, then line 3 of file 2 from 24 on.
	program = []byte{0, 5, 2, 16, 0, 0, 0, 1, 4, 2, 2, 8, 3, 2, 5, 7, 1, 2, 8, 0, 1, 1}
)

func TestTablesByHand(t *testing.T) {
	t.Parallel()
	for _, version := range []byte{2, 3, 4} {
		table := source.New(sections{".debug_line": unit(version, tables4, program)}.get)
		for offset, want := range map[uint32]source.Position{
			16: {File: "e/f", Line: 1}, 23: {File: "e/f", Line: 1}, 24: {File: "g", Line: 3, Column: 7}, 31: {File: "g", Line: 3, Column: 7},
			15: {}, 32: {},
		} {
			p, _ := table.Find(offset)
			require.Equal(t, want, p, "version %d at %d", version, offset)
		}
	}
	five := []byte("\x01\x01\x08" + "\x02/c\x00d\x00" + // directories: strings
		"\x03\x01\x0e\x02\x0b\x05\x1e" + "\x03" + // files: string of .debug_str, directory, checksum
		"\x00\x00\x00\x00\x000123456789abcdef" + "\x02\x00\x00\x00\x010123456789abcdef" + "\x04\x00\x00\x00\x000123456789abcdef")
	table := source.New(sections{".debug_line": unit(5, five, program), ".debug_str": []byte("x\x00f\x00g\x00")}.get)
	p, _ := table.Find(16)
	require.Equal(t, source.Position{File: "d/f", Line: 1}, p)
	p, _ = table.Find(24)
	require.Equal(t, source.Position{File: "g", Line: 3, Column: 7}, p)
}

func TestHostileTablesAreUnknownPlaces(t *testing.T) {
	t.Parallel()
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}
	good := load(t, "divide5.wasm")[".debug_line"]
	for name, line := range map[string][]byte{
		"files without end":       unit(5, append([]byte{0, 0, 0}, huge...), program),
		"directories without end": unit(5, slices.Concat([]byte{1, 1, 8}, huge, []byte{1, 1, 8}, huge), program),
		"unknown form":            unit(5, []byte{0, 0, 1, 1, 0x7f, 9}, program),
		"a string of its own":     unit(5, []byte{0, 0, 1, 1, 0x1f, 9, 0xff, 0xff, 0xff, 0xff}, program),
		"no file of that number":  unit(4, []byte("\x00\x00"), program),
		"long file name":          unit(4, slices.Concat([]byte{0}, bytes.Repeat([]byte{'x'}, 1<<13), []byte{0, 0, 0, 0, 0}), program),
		"dropped code":            unit(4, tables4, []byte{0, 5, 2, 0, 0, 0, 0, 1, 2, 64, 0, 1, 1}),
		"no end":                  unit(4, tables4, program[:len(program)-3]),
		"unknown version":         unit(6, tables4, program),
		"length beyond the end":   append([]byte{0xff, 0xff, 0xff, 0x7f}, good[4:]...),
		"nothing":                 {0, 0, 0, 0},
		"cut":                     good[:len(good)/2],
	} {
		p, ok := source.New(sections{".debug_line": line}.get).Find(16)
		require.False(t, ok, "%s: %v", name, p)
	}
	require.Nil(t, source.New(sections{}.get))
	_, ok := (*source.Table)(nil).Find(1)
	require.False(t, ok)
}

func TestManyUnitsAndSequencesStayFast(t *testing.T) {
	t.Parallel()
	// Sequences that all claim the same code, in units that claim to be long.
	one := unit(4, []byte("\x00\x00"), bytes.Repeat(program, 1000))
	table := source.New(sections{".debug_line": bytes.Repeat(one, 500)}.get)
	for range 64 {
		_, ok := table.Find(20)
		require.False(t, ok)
	}
}

func FuzzTable(f *testing.F) {
	for _, file := range guests {
		s := load(f, file)
		f.Add(s[".debug_line"], s[".debug_str"], s[".debug_line_str"], uint32(24))
	}
	f.Add(unit(4, tables4, program), []byte(nil), []byte(nil), uint32(24))
	f.Fuzz(func(t *testing.T, line, str, lineStr []byte, offset uint32) {
		table := source.New(sections{".debug_line": line, ".debug_str": str, ".debug_line_str": lineStr}.get)
		for _, at := range []uint32{0, 16, offset, math.MaxUint32} {
			p, ok := table.Find(at)
			require.Equal(t, ok, p.File != "" && p.Line > 0)
		}
	})
}
