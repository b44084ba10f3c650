package core_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
)

// The behaviour of rewritten modules is tested in package engine, which can run
// them. Here are modules put together by hand, mostly bad ones.

type section struct {
	id      byte
	payload []byte
}

func sec(id byte, payload ...byte) section { return section{id, payload} }

// module encodes sections with payloads below 128 bytes.
func module(sections ...section) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		b = append(append(b, s.id, byte(len(s.payload))), s.payload...)
	}
	return b
}

// body encodes a code section with one body without locals.
func body(code ...byte) section {
	return sec(10, append([]byte{1, byte(len(code) + 2), 0}, append(code, 0x0b)...)...)
}

var (
	voidType = sec(1, 1, 0x60, 0, 0)
	oneFunc  = sec(3, 1, 0)
	memory1  = sec(5, 1, 0, 1)
	table1   = sec(4, 1, 0x70, 0, 1)
	export0  = sec(7, 1, 1, 'f', 0, 0)
)

func rewrite(b []byte, plan core.Plan) (*core.Rewritten, error) {
	m, err := core.Parse(b, core.Limits{})
	if err != nil {
		return nil, err
	}
	return core.Rewrite(m, plan)
}

func requireRefused(t *testing.T, err error, reason core.Reason, text string) {
	t.Helper()
	var refused *core.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, reason, refused.Reason, "%v", err)
	require.ErrorContains(t, err, text)
}

func TestParse(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "engine", "testdata", "owner.wasm"))
	require.NoError(t, err)
	m, err := core.Parse(b, core.Limits{})
	require.NoError(t, err)
	require.Equal(t, []core.Bounds{{Min: 1, Max: 3, HasMax: true}}, m.Memories)
	require.Equal(t, []core.Table{{Elem: core.FuncRef, Bounds: core.Bounds{Min: 2, Max: 2, HasMax: true}}}, m.Tables)
	require.Equal(t, []core.Global{{Type: core.I32, Mutable: true}}, m.Globals)
	e, ok := m.Export("call")
	require.True(t, ok)
	require.Equal(t, core.Extern{Kind: core.KindFunc, Func: &core.FuncType{
		Params: []core.ValType{core.I32}, Results: []core.ValType{core.I32},
	}}, m.Type(e))
	for name, kind := range map[string]core.Kind{"memory": core.KindMemory, "table": core.KindTable, "g": core.KindGlobal} {
		e, ok := m.Export(name)
		require.True(t, ok)
		require.Equal(t, kind, m.Type(e).Kind)
	}
	_, ok = m.Export("absent")
	require.False(t, ok)
}

func TestParseImportsAndNames(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "engine", "testdata", "importer.wasm"))
	require.NoError(t, err)
	m, err := core.Parse(b, core.Limits{})
	require.NoError(t, err)
	var got []string
	for _, i := range m.Imports {
		got = append(got, i.Module+"."+i.Field+" "+i.Kind.String())
	}
	require.Equal(t, []string{".0 func", ".memory memory", ".$imports table", ".g global"}, got)
	require.Equal(t, 1, m.ImportedFuncs)
	require.Equal(t, "seven", m.FuncName(1))
	require.Empty(t, m.FuncName(3))
	require.Equal(t, 1, m.Elements)

	r, err := core.Rewrite(m, core.Plan{KeepNames: true})
	require.NoError(t, err)
	again, err := core.Parse(r.Bytes, core.Limits{})
	require.NoError(t, err)
	require.Equal(t, "seven", again.FuncName(1))
	r, err = core.Rewrite(m, core.Plan{})
	require.NoError(t, err)
	require.NotContains(t, string(r.Bytes), "seven")
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		b      []byte
		reason core.Reason
		text   string
	}{
		"empty":               {nil, core.Malformed, "not a core module"},
		"component":           {[]byte("\x00asm\x0d\x00\x01\x00"), core.Malformed, "not a core module"},
		"section too long":    {[]byte("\x00asm\x01\x00\x00\x00\x01\x05"), core.Malformed, "section of 5 bytes, 0 left"},
		"unknown section":     {module(sec(14)), core.Malformed, "unknown section"},
		"repeated section":    {module(voidType, voidType), core.Malformed, "repeated"},
		"out of order":        {module(memory1, voidType), core.Malformed, "out of order"},
		"tag after global":    {module(voidType, sec(6, 0), sec(13, 0)), core.Malformed, "out of order"},
		"left over":           {module(sec(1, 0, 9)), core.Malformed, "left over"},
		"many types":          {module(sec(1, 0xff, 0xff, 0xff, 0xff, 0x0f)), core.LimitExceeded, "4294967295 types"},
		"types in few bytes":  {module(sec(1, 0x40, 0x60)), core.Malformed, "64 types in 1 bytes"},
		"long integer":        {module(sec(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0)), core.Malformed, "too long"},
		"wide integer":        {module(sec(1, 0x80, 0x80, 0x80, 0x80, 0x10)), core.Malformed, "too long"},
		"gc type":             {module(sec(1, 1, 0x5f, 0, 0)), core.Unsupported, "garbage collected"},
		"typed reference":     {module(sec(1, 1, 0x60, 1, 0x64, 0x70, 0)), core.Unsupported, "typed function references"},
		"unknown type":        {module(oneFunc), core.Invalid, "unknown type 0"},
		"no bodies":           {module(voidType, oneFunc), core.Malformed, "1 functions but 0 bodies"},
		"two memories":        {module(sec(5, 2, 0, 1, 0, 1)), core.Unsupported, "more than one memory"},
		"memory64":            {module(sec(5, 1, 4, 1)), core.Unsupported, "64-bit"},
		"shared memory":       {module(sec(5, 1, 3, 1, 2)), core.Unsupported, "shared memory"},
		"huge memory":         {module(sec(5, 1, 0, 0x81, 0x80, 0x04)), core.Invalid, "65536 pages"},
		"memory min over max": {module(sec(5, 1, 1, 2, 1)), core.Invalid, "above maximum"},
		"export of nothing":   {module(export0), core.Invalid, "unknown func 0"},
		"double export":       {module(memory1, sec(7, 2, 1, 'm', 2, 0, 1, 'm', 2, 0)), core.Invalid, "duplicate export"},
		"bad utf-8":           {module(memory1, sec(7, 1, 1, 0xff, 2, 0)), core.Malformed, "UTF-8"},
		"no start":            {module(sec(8, 0)), core.Invalid, "unknown function 0"},
		"data without memory": {module(sec(11, 1, 0, 0x41, 0, 0x0b, 0)), core.Invalid, "unknown memory 0"},
		"elem without table":  {module(sec(9, 1, 0, 0x41, 0, 0x0b, 0)), core.Invalid, "unknown table 0"},
		"data count":          {module(sec(12, 1)), core.Malformed, "data count is 1"},
		"not constant":        {module(sec(6, 1, 0x7f, 0, 0x45, 0x0b)), core.Invalid, "not constant"},
		"body too short": {
			module(voidType, oneFunc, sec(10, 1, 2, 0, 0x01)), core.Malformed, "unexpected end",
		},
		"code after end": {
			module(voidType, oneFunc, sec(10, 1, 4, 0, 0x0b, 0x01, 0x0b)), core.Malformed, "after the end",
		},
		"many locals": {
			module(voidType, oneFunc, sec(10, 1, 8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b)), core.LimitExceeded, "50000 locals",
		},
		"else without if": {module(voidType, oneFunc, body(0x02, 0x40, 0x05, 0x0b)), core.Malformed, "else without if"},
		"unknown opcode":  {module(voidType, oneFunc, body(0xff)), core.Unsupported, "unknown instruction"},
		"call_ref":        {module(voidType, oneFunc, body(0x14, 0)), core.Unsupported, "0x14"},
		"relaxed simd":    {module(voidType, oneFunc, body(0xfd, 0x80, 0x02)), core.Unsupported, "0xfd8002"},
		// The engine would read this as v128.const with other bytes.
		"long vector opcode": {module(voidType, oneFunc, body(0xfd, 0x8c, 0x00)), core.Unsupported, "0xfd8c00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := rewrite(c.b, core.Plan{})
			requireRefused(t, err, c.reason, c.text)
		})
	}
}

// What the rewriter appends must be out of a guest's reach, though the guest
// knows where it would be.
func TestGuestCannotNameWhatIsAppended(t *testing.T) {
	t.Parallel()
	loop := []byte{0x03, 0x40, 0x0b} // makes the rewriter append checks
	ref := []byte{0xd2, 0, 0x1a}     // and this the hidden table
	for name, c := range map[string]struct {
		code []byte
		text string
	}{
		"check function":      {[]byte{0x10, 1}, "unknown function 1"},
		"tail call":           {[]byte{0x12, 1}, "unknown function 1"},
		"ref.func":            {[]byte{0xd2, 1, 0x1a}, "unknown function 1"},
		"stop global":         {[]byte{0x23, 0, 0x1a}, "unknown global 0"},
		"set of stop global":  {[]byte{0x41, 0, 0x24, 0}, "unknown global 0"},
		"loop counter":        {[]byte{0x20, 0, 0x1a}, "unknown local 0"},
		"set of loop counter": {[]byte{0x41, 0, 0x21, 0}, "unknown local 0"},
		"hidden table":        {[]byte{0x41, 0, 0x11, 0, 1}, "unknown table 1"},
		"hidden table get":    {[]byte{0x41, 0, 0x25, 1, 0x1a}, "unknown table 1"},
		"hidden table grow":   {[]byte{0xd0, 0x70, 0x41, 0, 0xfc, 15, 1, 0x1a}, "unknown table 1"},
		"hidden segment":      {[]byte{0xfc, 13, 0}, "unknown element segment 0"},
		"appended type":       {[]byte{0x02, 1, 0x0b}, "unknown type 1"},
		"type of call":        {[]byte{0x41, 0, 0x11, 1, 0}, "unknown type 1"},
		"hidden memory":       {[]byte{0x3f, 0, 0x1a}, "unknown memory 0"},
		"grow hidden memory":  {[]byte{0x41, 1, 0x40, 0, 0x1a}, "unknown memory 0"},
		"load":                {[]byte{0x41, 0, 0x28, 2, 0, 0x1a}, "unknown memory 0"},
		"fill":                {[]byte{0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0}, "unknown memory 0"},
		"vector load":         {[]byte{0x41, 0, 0xfd, 0, 0, 0, 0x1a}, "unknown memory 0"},
		"atomic load":         {[]byte{0x41, 0, 0xfe, 0x10, 2, 0, 0x1a}, "unknown memory 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code := append(append(bytes.Clone(loop), ref...), c.code...)
			_, err := rewrite(module(voidType, oneFunc, table1, export0, body(code...)), core.Plan{})
			requireRefused(t, err, core.Invalid, c.text)
		})
	}
	b := module(voidType, oneFunc, sec(7, 1, 10, 0, 'l', 'a', 't', 'h', '.', 's', 't', 'o', 'p', 0, 0), body())
	_, err := rewrite(b, core.Plan{})
	requireRefused(t, err, core.Unsupported, "reserved")
}

func TestUndeclaredFunctionReference(t *testing.T) {
	t.Parallel()
	_, err := rewrite(module(voidType, oneFunc, body(0xd2, 0, 0x1a)), core.Plan{})
	requireRefused(t, err, core.Invalid, "undeclared function reference")
}

func TestPlanIsChecked(t *testing.T) {
	t.Parallel()
	_, err := rewrite(module(), core.Plan{Imports: []core.Name{{}}})
	requireRefused(t, err, core.Invalid, "1 import names for 0 imports")
	_, err = rewrite(module(memory1), core.Plan{MaxMemory: 65535})
	requireRefused(t, err, core.LimitExceeded, "memory of 1 pages")
	_, err = rewrite(module(sec(4, 2, 0x70, 0, 2, 0x70, 0, 2)), core.Plan{MaxTable: 3})
	requireRefused(t, err, core.LimitExceeded, "tables of 4 entries")
	r, err := rewrite(module(sec(4, 2, 0x70, 0, 2, 0x70, 0, 2)), core.Plan{MaxTable: 10})
	require.NoError(t, err)
	m, err := core.Parse(r.Bytes, core.Limits{})
	require.NoError(t, err)
	for _, table := range m.Tables {
		require.Equal(t, core.Bounds{Min: 2, Max: 5, HasMax: true}, table.Bounds)
	}
}

func TestMemoryMaximumIsOnePageHigher(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		memory section
		limit  uint64
		want   uint32
	}{
		{sec(5, 1, 0, 1), 0, 65536},
		{sec(5, 1, 0, 1), 1 << 40, 65536},
		{sec(5, 1, 0, 1), 4 << 16, 5},
		{sec(5, 1, 1, 1, 3), 4 << 16, 4},
		{sec(5, 1, 1, 1, 9), 4 << 16, 5},
		{sec(5, 1, 1, 1, 0x80, 0x80, 4), 0, 65536},
	} {
		r, err := rewrite(module(c.memory), core.Plan{MaxMemory: c.limit})
		require.NoError(t, err)
		m, err := core.Parse(r.Bytes, core.Limits{})
		require.NoError(t, err)
		require.Equal(t, core.Bounds{Min: 1, Max: c.want, HasMax: true}, m.Memories[0])
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		b       []byte
		reasons []string
		facts   core.Facts
	}{
		"nothing":     {module(memory1), nil, core.Facts{}},
		"leaf":        {module(voidType, oneFunc, body()), nil, core.Facts{}},
		"loop":        {module(voidType, oneFunc, body(0x03, 0x40, 0x0c, 0, 0x0b)), nil, core.Facts{Metered: true, HiddenMemory: true}},
		"no way back": {module(voidType, oneFunc, body(0x03, 0x40, 0x0b)), nil, core.Facts{}},
		"call":        {module(voidType, oneFunc, memory1, body(0x10, 0)), nil, core.Facts{Metered: true}},
		"start":       {module(voidType, oneFunc, sec(8, 0), body()), nil, core.Facts{Start: true}},
		"table.set":   {module(voidType, oneFunc, table1, body(0x41, 0, 0xd0, 0x70, 0x26, 0)), []string{"writes to a table"}, core.Facts{MutatesTables: true}},
		"memory.init": {
			module(voidType, oneFunc, memory1, sec(12, 1), body(0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 8, 0, 0), sec(11, 1, 1, 0)),
			[]string{"uses memory.init"},
			core.Facts{MemoryInit: true, Metered: true},
		},
		"data.drop": {
			module(voidType, oneFunc, memory1, sec(12, 1), body(0xfc, 9, 0), sec(11, 1, 1, 0)),
			[]string{"drops data or element segments"},
			core.Facts{DropsSegments: true},
		},
		"memory.grow": {module(voidType, oneFunc, memory1, body(0x41, 0, 0x40, 0, 0x1a)), nil, core.Facts{MemoryGrow: true}},
		"atomics":     {module(voidType, oneFunc, body(0xfe, 3, 0)), nil, core.Facts{Atomics: true}},
		"funcref global": {
			module(sec(6, 1, 0x70, 1, 0xd0, 0x70, 0x0b)), []string{"has a mutable reference global"},
			core.Facts{MutableGlobals: []core.GlobalExport{{Name: "\x00lath.g0", Type: core.FuncRef}}},
		},
		"constant v128": {
			module(sec(6, 1, 0x7b, 0, 0xfd, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b)), nil, core.Facts{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := rewrite(c.b, core.Plan{})
			require.NoError(t, err)
			require.Equal(t, len(c.reasons) == 0, r.Facts.Poolable())
			require.Equal(t, c.reasons, r.Facts.Reasons)
			r.Facts.Reasons = nil
			require.Equal(t, c.facts, r.Facts)
		})
	}
}

func TestStrippedData(t *testing.T) {
	t.Parallel()
	active := []byte{0, 0x41, 8, 0x0b, 2, 'h', 'i'}
	data := func(segments ...[]byte) section {
		return sec(11, append([]byte{byte(len(segments))}, bytes.Join(segments, nil)...)...)
	}
	drop := []section{voidType, oneFunc, memory1, sec(12, 2), body(0xfc, 9, 0)}
	for name, c := range map[string]struct {
		b          []byte
		data, left int
	}{
		"no instruction":  {module(memory1, data(active, active)), 2, 0},
		"data.drop":       {module(append(drop, data(active, []byte{1, 1, 'x'}))...), 1, 2},
		"out of bounds":   {module(memory1, data(active, []byte{0, 0x41, 0xff, 0xff, 3, 0x0b, 2, 'h', 'i'})), 0, 2},
		"not constant":    {module(memory1, sec(6, 1, 0x7f, 0, 0x41, 0, 0x0b), data(active, []byte{0, 0x23, 0, 0x0b, 0})), 0, 2},
		"imported memory": {module(sec(2, 1, 0, 0, 2, 0, 1), data(active)), 0, 1},
		"only passive":    {module(memory1, data([]byte{1, 1, 'x'})), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := rewrite(c.b, core.Plan{StripData: true})
			require.NoError(t, err)
			require.Len(t, r.Data, c.data)
			m, err := core.Parse(r.Bytes, core.Limits{})
			require.NoError(t, err)
			require.Equal(t, c.left, m.Data)
			if c.data > 0 {
				require.Equal(t, core.Segment{Offset: 8, Bytes: []byte("hi")}, r.Data[0])
			}
		})
	}
}

func TestNoChecksLeavesCodeAlone(t *testing.T) {
	t.Parallel()
	code := body(0x03, 0x40, 0x0c, 0, 0x0b)
	b := module(voidType, oneFunc, code)
	r, err := rewrite(b, core.Plan{NoChecks: true})
	require.NoError(t, err)
	require.Equal(t, b, r.Bytes)
}

// Branches over the places where a run of code pays must not make it free.
func TestLongRunsPayOnEveryPath(t *testing.T) {
	t.Parallel()
	pays := func(code []byte) int {
		b := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00")
		size := len(code) + 2
		leb := func(n int) []byte { return []byte{byte(n)&0x7f | 0x80, byte(n>>7)&0x7f | 0x80, byte(n >> 14)} }
		payload := append([]byte{1}, leb(size)...)
		payload = append(append(append(payload, 0), code...), 0x0b)
		b = append(append(append(b, 10), leb(len(payload))...), payload...)
		plain, err := rewrite(b, core.Plan{NoChecks: true})
		require.NoError(t, err)
		r, err := rewrite(b, core.Plan{})
		require.NoError(t, err)
		require.Greater(t, len(r.Bytes), len(plain.Bytes))
		return bytes.Count(r.Bytes, []byte{0x41, 0xc0, 0x00, 0x6b}) // i32.const 64, i32.sub
	}
	nops := func(n int) []byte { return bytes.Repeat([]byte{0x01}, n) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

	require.Equal(t, 0, pays(nops(1000)))
	require.Equal(t, 9, pays(nops(10_000)))
	// The arm pays, but it can be skipped, and so can the other one.
	arm := join([]byte{0x41, 0, 0x04, 0x40}, nops(1100), []byte{0x0b})
	require.Equal(t, 2, pays(join(arm, nops(1000))))
	require.Equal(t, 3, pays(join(nops(900), arm, nops(900), arm)), "once in each arm, once between for who skips the first")
	// A branch out of a block carries its run along.
	out := join([]byte{0x02, 0x40}, nops(1000), []byte{0x41, 0, 0x0d, 0}, nops(1100), []byte{0x0b})
	require.Equal(t, 2, pays(out))
	require.Equal(t, 3, pays(join(out, nops(900))))
	// Calls are long.
	require.Equal(t, 2, pays(bytes.Repeat([]byte{0x10, 0}, 20)))
}

func TestTruncatedModulesAreRefused(t *testing.T) {
	t.Parallel()
	for _, b := range corpus(t) {
		for n := range b {
			if n == 8 {
				continue // the empty module
			}
			_, err := rewrite(b[:n], core.Plan{})
			if err == nil {
				requireEndsAtSection(t, b, n)
			}
		}
	}
}

// requireEndsAtSection: a module may end after any of its sections, as far as
// this package can tell.
func requireEndsAtSection(t *testing.T, b []byte, n int) {
	pos := 8
	for pos < n {
		size, shift := 0, 0
		for pos++; ; pos++ {
			size |= int(b[pos]&0x7f) << shift
			shift += 7
			if b[pos] < 0x80 {
				break
			}
		}
		pos += 1 + size
	}
	require.Equal(t, n, pos)
}

// corpus returns the guests of the engine's tests.
func corpus(t testing.TB) [][]byte {
	files, err := filepath.Glob(filepath.Join("..", "engine", "testdata", "*.wasm"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var out [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		out = append(out, b)
	}
	return out
}

func FuzzParse(f *testing.F) {
	for _, b := range corpus(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := core.Parse(b, core.Limits{})
		if err != nil {
			var refused *core.Error
			require.ErrorAs(t, err, &refused)
			require.LessOrEqual(t, refused.Offset, len(b))
			return
		}
		for _, e := range m.Exports {
			m.Type(e)
		}
		for i := range m.Funcs {
			m.FuncType(uint32(i))
			m.FuncName(uint32(i))
		}
	})
}

// FuzzRewriteTwice: what the rewriter writes is a module that it can read, with
// the same imports, types and exports, and more.
func FuzzRewriteTwice(f *testing.F) {
	for _, b := range corpus(f) {
		f.Add(b, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, strip bool) {
		m, err := core.Parse(b, core.Limits{})
		if err != nil {
			return
		}
		r, err := core.Rewrite(m, core.Plan{StripData: strip, KeepNames: true})
		if err != nil {
			return
		}
		again, err := core.Parse(r.Bytes, core.Limits{})
		require.NoError(t, err)
		meter := len(again.Imports) - len(m.Imports)
		require.Contains(t, []int{0, 4, 5}, meter)
		for _, imp := range again.Imports[len(m.Imports):] {
			require.Equal(t, core.MeterModule, imp.Module)
		}
		requirePrefix(t, m.Types, again.Types)
		requirePrefix(t, m.Funcs, again.Funcs)
		requirePrefix(t, m.Globals, slices.Delete(again.Globals, m.ImportedGlobals, m.ImportedGlobals+meter))
		for i, e := range again.Exports {
			if e.Kind == core.KindGlobal && int(e.Index) >= m.ImportedGlobals {
				again.Exports[i].Index -= uint32(meter)
			}
		}
		requirePrefix(t, m.Exports, again.Exports)
		if r.Data == nil || r.Facts.MemoryInit || r.Facts.DropsSegments {
			require.Equal(t, m.Data, again.Data)
		}
		require.Equal(t, m.Name, again.Name)
	})
}

func requirePrefix[T any](t *testing.T, want, got []T) {
	t.Helper()
	require.GreaterOrEqual(t, len(got), len(want))
	for i := range want {
		require.Equal(t, want[i], got[i])
	}
}
