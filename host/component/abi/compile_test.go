package abi_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/wit"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestPrograms compares the printed programs with testdata/programs.golden.
func TestPrograms(t *testing.T) {
	t.Parallel()
	point := record(t, wit.F64, wit.F64)
	padded := record(t, wit.U8, wit.U32)
	result, err := wit.NewResult(list(t, wit.U8), wit.String)
	require.NoError(t, err)
	variant, err := wit.NewVariant(wit.Case{Name: "a"}, wit.Case{Name: "b", Type: wit.F32},
		wit.Case{Name: "c", Type: record(t, wit.U32, wit.U64)}, wit.Case{Name: "d", Type: wit.Bool})
	require.NoError(t, err)
	flags, err := wit.NewFlags(names(9)...)
	require.NoError(t, err)
	bytes, err := wit.NewFixedList(wit.U8, 1000)
	require.NoError(t, err)
	chars, err := wit.NewFixedList(wit.Char, 1000)
	require.NoError(t, err)
	wide := record(t, record(t, chars, chars, wit.Bool, flags), wit.U16)
	var out strings.Builder
	for _, c := range []struct {
		name  string
		types []*wit.Type
	}{
		{"nothing", nil},
		{"scalars that merge, and their ends", []*wit.Type{wit.U32, wit.S32, wit.F64, wit.Bool, wit.U8, wit.Char}},
		{"list of records without padding", []*wit.Type{list(t, point)}},
		{"list of records with padding", []*wit.Type{list(t, padded)}},
		{"result", []*wit.Type{result}},
		{"variant between numbers", []*wit.Type{wit.U32, variant, wit.U32}},
		{"handles", []*wit.Type{wit.NewOwn(testResource), list(t, wit.NewBorrow(testResource))}},
		{"fixed lists", []*wit.Type{bytes, wide}},
	} {
		out.WriteString("# " + c.name + "\n")
		pass, err := abi.CompileTransfer(c.types, abi.UTF8, abi.UTF16)
		require.NoError(t, err)
		prog, err := abi.CompileWire(c.types, abi.Latin1UTF16)
		require.NoError(t, err)
		out.WriteString(pass.String() + prog.String() + "\n")
	}
	path := filepath.Join("testdata", "programs.golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

func TestAsyncIsRefusedByName(t *testing.T) {
	t.Parallel()
	stream, err := wit.NewStream(wit.U8)
	require.NoError(t, err)
	future, err := wit.NewFuture(nil)
	require.NoError(t, err)
	body, err := wit.NewRecord(wit.Field{Name: "ok", Type: wit.U8}, wit.Field{Name: "body", Type: stream.Named("bytes")})
	require.NoError(t, err)
	for want, typ := range map[string]*wit.Type{
		"value: stream":                           stream,
		"value: future":                           list(t, future),
		"value: error-context":                    wit.ErrorContext,
		"option.some: request.body: asynchronous": option(t, body.Named("request")),
		"synchronous value: stream (bytes)":       body,
	} {
		_, err := abi.CompileTransfer([]*wit.Type{wit.U8, typ}, abi.UTF8, abi.UTF8)
		require.ErrorIs(t, err, abi.ErrAsync)
		require.ErrorContains(t, err, want)
		_, err = abi.CompileWire([]*wit.Type{typ}, abi.UTF8)
		require.ErrorIs(t, err, abi.ErrAsync)
	}
}

// TestSharedTypesStaySmall compiles types of 2^14 leaves whose text is a few
// lines.
func TestSharedTypesStaySmall(t *testing.T) {
	t.Parallel()
	pair := wit.Char
	for range 14 {
		pair = record(t, pair, pair)
	}
	branch := wit.U8
	for range 14 {
		var err error
		branch, err = wit.NewResult(branch, branch)
		require.NoError(t, err)
	}
	for _, p := range []*wit.Type{pair, branch} {
		prog, err := abi.CompileWire([]*wit.Type{p}, abi.UTF8)
		require.NoError(t, err)
		require.Less(t, strings.Count(prog.String(), "\n"), 300)
	}
	// The deep one still runs.
	prog, err := abi.CompileWire([]*wit.Type{branch}, abi.UTF8)
	require.NoError(t, err)
	g, b := newGuest(nil)
	ptr := alloc(t, g, branch.Align, branch.Size)
	onWire := make([]byte, 15)
	for i := range onWire {
		onWire[i] = byte(i % 2)
	}
	rest, err := prog.LowerMem(g, nil, onWire, ptr)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, onWire, b.mem)
	got, err := prog.LiftMem(g, nil, ptr, nil)
	require.NoError(t, err)
	require.Equal(t, onWire, got)
}

func TestTooComplex(t *testing.T) {
	t.Parallel()
	c := abi.NewCompiler()
	var err error
	for i := 0; err == nil && i < 100; i++ {
		fields := make([]*wit.Type, 1<<15)
		for k := range fields {
			fields[k] = wit.Char
		}
		_, err = c.Wire([]*wit.Type{record(t, fields...)}, abi.UTF8)
	}
	require.ErrorIs(t, err, abi.ErrTooComplex)

	_, err = abi.CompileWire([]*wit.Type{bigList(t), bigList(t)}, abi.UTF8)
	require.ErrorIs(t, err, wit.ErrTypeTooLarge)
}

func bigList(t *testing.T) *wit.Type {
	big, err := wit.NewFixedList(wit.U8, wit.MaxSize-1)
	require.NoError(t, err)
	return big
}

// TestPaddingStaysHome: bytes between fields, and of cases not chosen, are the
// source's own business.
func TestPaddingStaysHome(t *testing.T) {
	t.Parallel()
	padded := record(t, wit.U8, wit.U32, wit.U16)
	types := []*wit.Type{padded, list(t, padded), option(t, wit.U64)}
	pass, err := abi.CompileTransfer(types, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
	require.EqualValues(t, 40, pass.Size())
	mem := make([]byte, 64)
	for i := range mem {
		mem[i] = 0xaa
	}
	copy(mem[12:], words(40, 1))
	mem[24] = 0 // none
	src, _ := newGuest(mem)
	dst, b := newGuest(nil)
	require.NoError(t, pass.Mem(src, dst, 0, alloc(t, dst, 8, 40)))
	elem := []byte{0xaa, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0, 0}
	want := append(append([]byte(nil), elem...), words(40, 1, 0)...)
	want = append(append(want, make([]byte, 16)...), elem...)
	require.Equal(t, want, b.mem)
}
