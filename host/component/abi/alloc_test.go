package abi_test

import (
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	"github.com/stretchr/testify/require"
)

// arena is a guest memory whose realloc bumps without allocating on the host.
// It wraps around, so that a benchmark may go on.
type arena struct {
	mem  []byte
	next uint32
}

func (a *arena) Bytes() []byte { return a.mem }

func (a *arena) realloc(old, oldSize, align, size uint32) (uint32, error) {
	ptr := (a.next + align - 1) &^ (align - 1)
	if int(ptr+size) > len(a.mem) {
		ptr = 0
	}
	a.next = ptr + size
	if oldSize > 0 {
		copy(a.mem[ptr:][:size], a.mem[old:][:min(oldSize, size)])
	}
	return ptr, nil
}

func newArena(size int) (*abi.Guest, *arena) {
	a := &arena{mem: make([]byte, size)}
	return &abi.Guest{Mem: a, Handles: sameTable{}, Realloc: a.realloc, Budget: 1 << 40}, a
}

// TestNothingIsAllocated covers every kind of op. It is not parallel, because
// allocations are counted for the whole process.
func TestNothingIsAllocated(t *testing.T) {
	option := option(t, wit.U64)
	for _, c := range []struct {
		name  string
		types []*wit.Type
		wire  []byte
	}{
		{"scalars", []*wit.Type{wit.U32, wit.S64, wit.Bool, wit.F64, wit.Char}, []byte{1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 'x'}},
		{"string", []*wit.Type{wit.String}, []byte("\x05hallo")},
		{"string that is not ASCII", []*wit.Type{wit.String}, []byte("\x07hall\xe2\x82\xac")},
		{"list of bytes", []*wit.Type{list(t, wit.U8)}, []byte("\x05hallo")},
		{"list of strings", []*wit.Type{list(t, wit.String)}, []byte("\x02\x01a\x01b")},
		{"option", []*wit.Type{option, list(t, option)}, []byte{1, 7, 2, 1, 7, 0}},
		{"handles", []*wit.Type{wit.NewBorrow(testResource)}, append([]byte{16, 1}, make([]byte, 15)...)},
	} {
		for _, enc := range encodings {
			t.Run(c.name+" "+enc.String(), func(t *testing.T) {
				pass, err := abi.CompileTransfer(c.types, enc, abi.UTF8)
				require.NoError(t, err)
				prog, err := abi.CompileWire(c.types, enc)
				require.NoError(t, err)
				src, _ := newArena(1 << 12)
				dst, room := newArena(1 << 12)
				stack, out := make([]uint64, wit.MaxFlatParams), make([]uint64, wit.MaxFlatParams)
				const area = 4000
				lower := func() error {
					if _, err := prog.LowerFlat(src, sameTable{}, c.wire, stack); err != nil {
						return err
					}
					_, err := prog.LowerMem(src, sameTable{}, c.wire, area)
					return err
				}
				require.NoError(t, lower())
				buf := make([]byte, 0, 64)
				requireNoAllocs(t, func() error {
					room.next = 0
					if err := pass.Flat(src, dst, stack, out); err != nil {
						return err
					}
					if err := pass.Mem(src, dst, area, area); err != nil {
						return err
					}
					if _, err := prog.LiftFlat(src, sameTable{}, stack, buf); err != nil {
						return err
					}
					_, err := prog.LiftMem(src, sameTable{}, area, buf)
					return err
				})
				src, _ = newArena(1 << 12)
				requireNoAllocs(t, lower)
			})
		}
	}
}

func requireNoAllocs(t *testing.T, f func() error) {
	t.Helper()
	var failed error
	n := testing.AllocsPerRun(20, func() {
		if err := f(); err != nil {
			failed = err
		}
	})
	require.NoError(t, failed)
	require.Zero(t, n)
}

// benchRecords is 100 records of every common kind of field, with 601 calls of
// realloc.
func benchRecords(tb testing.TB) ([]*wit.Type, []byte) {
	tb.Helper()
	strings, err := wit.NewList(wit.String)
	require.NoError(tb, err)
	numbers, err := wit.NewList(wit.U32)
	require.NoError(tb, err)
	maybe, err := wit.NewOption(wit.U32)
	require.NoError(tb, err)
	elem, err := wit.NewTuple(wit.U32, wit.String, wit.F64, wit.Bool, maybe, strings, numbers)
	require.NoError(tb, err)
	records, err := wit.NewList(elem)
	require.NoError(tb, err)
	str := func(s string) wit.Value { return wit.Value{Str: s} }
	num := func(n uint64) wit.Value { return wit.Value{Bits: n} }
	record := wit.Value{Elems: []wit.Value{num(7), str("a name of a record"), num(1), num(1),
		{Bits: 1, Elems: []wit.Value{num(9)}},
		{Elems: []wit.Value{str("one"), str("two"), str("three")}},
		{Elems: []wit.Value{num(1), num(2), num(3), num(4)}}}}
	all := wit.Value{Elems: make([]wit.Value, 100)}
	for i := range all.Elems {
		all.Elems[i] = record
	}
	b, err := wire.Append(nil, records, all)
	require.NoError(tb, err)
	return []*wit.Type{records}, b
}

func BenchmarkTransfer100Records(b *testing.B) {
	types, onWire := benchRecords(b)
	prog, err := abi.CompileWire(types, abi.UTF8)
	require.NoError(b, err)
	pass, err := abi.CompileTransfer(types, abi.UTF8, abi.UTF8)
	require.NoError(b, err)
	src, _ := newArena(1 << 20)
	dst, room := newArena(1 << 20)
	_, err = prog.LowerMem(src, nil, onWire, 1<<20-8)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		room.next = 0
		if err := pass.Mem(src, dst, 1<<20-8, 1<<20-8); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLift100Records(b *testing.B) {
	types, onWire := benchRecords(b)
	prog, err := abi.CompileWire(types, abi.UTF8)
	require.NoError(b, err)
	src, _ := newArena(1 << 20)
	_, err = prog.LowerMem(src, nil, onWire, 1<<20-8)
	require.NoError(b, err)
	buf := make([]byte, 0, len(onWire))
	b.SetBytes(int64(len(onWire)))
	b.ReportAllocs()
	for b.Loop() {
		src.Budget = abi.DefaultBudget
		if buf, err = prog.LiftMem(src, nil, 1<<20-8, buf[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLower100Records(b *testing.B) {
	types, onWire := benchRecords(b)
	prog, err := abi.CompileWire(types, abi.UTF8)
	require.NoError(b, err)
	dst, room := newArena(1 << 20)
	b.SetBytes(int64(len(onWire)))
	b.ReportAllocs()
	for b.Loop() {
		room.next = 0
		if _, err := prog.LowerMem(dst, nil, onWire, 1<<20-8); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTransferString(b *testing.B) {
	text := make([]byte, 100)
	for i := range text {
		text[i] = 'a'
	}
	for _, src := range encodings {
		for _, dst := range encodings {
			b.Run(src.String()+" to "+dst.String(), func(b *testing.B) {
				pass, err := abi.CompileTransfer([]*wit.Type{wit.String}, src, dst)
				require.NoError(b, err)
				from, _ := newArena(1 << 16)
				to, room := newArena(1 << 16)
				ptr, units, err := abi.LowerString(from, src, string(text))
				require.NoError(b, err)
				in, out := []uint64{uint64(ptr), uint64(units)}, make([]uint64, 2)
				b.ReportAllocs()
				for b.Loop() {
					room.next = 0
					if err := pass.Flat(from, to, in, out); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
