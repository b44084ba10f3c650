package abi_test

import (
	"encoding/binary"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// mixed is a record of ten fields of every common kind; text says whether one
// of them is a string.
func mixed(tb testing.TB, text bool) (*wit.Type, wit.Value) {
	tb.Helper()
	maybe, err := wit.NewOption(wit.U32)
	require.NoError(tb, err)
	mood, err := wit.NewEnum("good", "bad", "mixed")
	require.NoError(tb, err)
	last, value := wit.U64, wit.Value{Bits: 12}
	if text {
		last, value = wit.String, wit.Value{Str: "the name of a record"}
	}
	t, err := wit.NewTuple(wit.U32, wit.Bool, wit.S64, wit.F32, wit.F64, wit.Char, mood, wit.U16, maybe, last)
	require.NoError(tb, err)
	num := func(n uint64) wit.Value { return wit.Value{Bits: n} }
	return t, wit.Value{Elems: []wit.Value{num(1), num(1), num(3), num(4), num(5), num('x'), num(2), num(8),
		{Bits: 1, Elems: []wit.Value{num(10)}}, value}}
}

// The places of the fields of mixed, by hand.
const (
	mixedSize               = 56
	atU32, atBool, atS64    = 0, 4, 8
	atF32, atF64, atChar    = 16, 24, 32
	atMood, atU16, atOption = 36, 38, 40
	atLast                  = 48
)

var errByHand = errors.New("no such value")

// copyByHand is what somebody would write who knew this one type.
func copyByHand(src []byte, dst *arena, at uint32, text bool) error {
	d := dst.mem[at:][:mixedSize]
	binary.LittleEndian.PutUint32(d[atU32:], binary.LittleEndian.Uint32(src[atU32:]))
	d[atBool] = 0
	if src[atBool] != 0 {
		d[atBool] = 1
	}
	binary.LittleEndian.PutUint64(d[atS64:], binary.LittleEndian.Uint64(src[atS64:]))
	binary.LittleEndian.PutUint32(d[atF32:], binary.LittleEndian.Uint32(src[atF32:]))
	binary.LittleEndian.PutUint64(d[atF64:], binary.LittleEndian.Uint64(src[atF64:]))
	c := binary.LittleEndian.Uint32(src[atChar:])
	if c >= 0x110000 || c-0xd800 < 0x800 || src[atMood] > 2 || src[atOption] > 1 {
		return errByHand
	}
	binary.LittleEndian.PutUint32(d[atChar:], c)
	d[atMood] = src[atMood]
	binary.LittleEndian.PutUint16(d[atU16:], binary.LittleEndian.Uint16(src[atU16:]))
	d[atOption] = src[atOption]
	if src[atOption] == 1 {
		binary.LittleEndian.PutUint32(d[atOption+4:], binary.LittleEndian.Uint32(src[atOption+4:]))
	}
	if !text {
		binary.LittleEndian.PutUint64(d[atLast:], binary.LittleEndian.Uint64(src[atLast:]))
	}
	return nil
}

func copyTextByHand(src []byte, from uint32, dst *arena, at uint32) error {
	ptr, n := binary.LittleEndian.Uint32(src[from+atLast:]), binary.LittleEndian.Uint32(src[from+atLast+4:])
	if uint64(ptr)+uint64(n) > uint64(len(src)) {
		return errByHand
	}
	s := src[ptr:][:n]
	if !utf8.Valid(s) {
		return errByHand
	}
	to, err := dst.realloc(0, 0, 1, n)
	if err != nil || uint64(to)+uint64(n) > uint64(len(dst.mem)) {
		return errByHand
	}
	copy(dst.mem[to:][:n], s)
	binary.LittleEndian.PutUint32(dst.mem[at+atLast:], to)
	binary.LittleEndian.PutUint32(dst.mem[at+atLast+4:], n)
	return nil
}

// BenchmarkRecords is a list of records by a program, and by hand: ns/op is for
// the whole list.
func BenchmarkRecords(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		text bool
	}{{"1 of numbers", 1, false}, {"1 with text", 1, true}, {"1000 of numbers", 1000, false}, {"1000 with text", 1000, true}} {
		elem, value := mixed(b, c.text)
		require.Equal(b, uint32(mixedSize), elem.Size)
		records, err := wit.NewList(elem)
		require.NoError(b, err)
		all := wit.Value{Elems: make([]wit.Value, c.n)}
		for i := range all.Elems {
			all.Elems[i] = value
		}
		onWire, err := wire.Append(nil, records, all)
		require.NoError(b, err)
		prog, err := abi.CompileWire([]*wit.Type{records}, abi.UTF8)
		require.NoError(b, err)
		pass, err := abi.CompileTransfer([]*wit.Type{records}, abi.UTF8, abi.UTF8)
		require.NoError(b, err)
		src, _ := newArena(1 << 20)
		dst, room := newArena(1 << 20)
		in, out := make([]uint64, 2), make([]uint64, 2)
		_, err = prog.LowerFlat(src, nil, onWire, in)
		require.NoError(b, err)
		b.Run(c.name+"/program", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				room.next = 0
				if err := pass.Flat(src, dst, in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/by hand", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				room.next = 0
				to, err := room.realloc(0, 0, 8, uint32(c.n*mixedSize))
				if err != nil {
					b.Fatal(err)
				}
				mem := src.Mem.Bytes()
				for i := range uint32(c.n) {
					from, at := uint32(in[0])+i*mixedSize, to+i*mixedSize
					if err := copyByHand(mem[from:][:mixedSize], room, at, c.text); err != nil {
						b.Fatal(err)
					}
					if c.text {
						if err := copyTextByHand(mem, from, room, at); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
		})
	}
}

// BenchmarkFlatRecord is a record that is passed in core values.
func BenchmarkFlatRecord(b *testing.B) {
	elem, value := mixed(b, true)
	onWire, err := wire.Append(nil, elem, value)
	require.NoError(b, err)
	prog, err := abi.CompileWire([]*wit.Type{elem}, abi.UTF8)
	require.NoError(b, err)
	pass, err := abi.CompileTransfer([]*wit.Type{elem}, abi.UTF8, abi.UTF8)
	require.NoError(b, err)
	src, _ := newArena(1 << 16)
	dst, room := newArena(1 << 16)
	in, out := make([]uint64, wit.MaxFlatParams), make([]uint64, wit.MaxFlatParams)
	_, err = prog.LowerFlat(src, nil, onWire, in)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		room.next = 0
		if err := pass.Flat(src, dst, in, out); err != nil {
			b.Fatal(err)
		}
	}
}
