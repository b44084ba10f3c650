package abi_test

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	"github.com/stretchr/testify/require"
)

func words(vs ...uint32) []byte {
	var b []byte
	for _, v := range vs {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// TestLiftTraps gives each value, as a guest's flat values and memory, to a
// lift and to a transfer. Neither may call the destination's realloc.
func TestLiftTraps(t *testing.T) {
	t.Parallel()
	enum, err := wit.NewEnum("a", "b", "c")
	require.NoError(t, err)
	fixed, err := wit.NewFixedList(wit.Char, 2)
	require.NoError(t, err)
	dict, err := wit.NewMap(wit.U8, wit.U32)
	require.NoError(t, err)
	for _, c := range []struct {
		name  string
		t     *wit.Type
		stack []uint64
		mem   []byte
		code  trap.Code
		msg   string
	}{
		{"char too large", wit.Char, []uint64{0x110000}, nil, trap.Abi, "0x110000 is no char"},
		{"char first surrogate", wit.Char, []uint64{0xd800}, nil, trap.Abi, "0xd800 is no char"},
		{"char last surrogate", wit.Char, []uint64{0xdfff}, nil, trap.Abi, "0xdfff is no char"},
		{"char in fixed list", fixed, []uint64{'a', 0xffffffff}, nil, trap.Abi, "0xffffffff is no char"},
		{"enum", enum, []uint64{3}, nil, trap.Abi, "discriminant 3 of a type of 3 cases"},
		{"option", option(t, wit.U8), []uint64{2, 0}, nil, trap.Abi, "discriminant 2 of a type of 2 cases"},
		{"list behind the end", list(t, wit.U32), []uint64{4, 2}, words(1, 2), trap.Abi, "list pointer out of bounds: 8 bytes at 0x4, memory has 8"},
		{"list empty behind the end", list(t, wit.U32), []uint64{12, 0}, words(1, 2), trap.Abi, "out of bounds"},
		{"list not aligned", list(t, wit.U32), []uint64{2, 1}, words(1, 2), trap.Abi, "list pointer 0x2 is not aligned to 4"},
		{"list empty not aligned", list(t, wit.U64), []uint64{4, 0}, words(1, 2), trap.Abi, "not aligned to 8"},
		{"list pointer wraps", list(t, wit.U8), []uint64{0xffffffff, 2}, words(1), trap.Abi, "out of bounds"},
		{"list too long", list(t, wit.U8), []uint64{0, 1 << 28}, words(1), trap.Abi, "list is too long: 268435456 elements of 1 bytes"},
		{"list size wraps", list(t, wit.U64), []uint64{0, 1 << 29}, words(1), trap.Abi, "list is too long"},
		{"map not aligned", dict, []uint64{1, 1}, words(1, 2, 3), trap.Abi, "not aligned to 4"},
		{"own without a table", wit.NewOwn(testResource), []uint64{1}, nil, trap.Handle, "no handle table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g, _ := newGuest(c.mem)
			prog, err := abi.CompileWire([]*wit.Type{c.t}, abi.UTF8)
			require.NoError(t, err)
			_, err = prog.LiftFlat(g, nil, c.stack, nil)
			requireTrap(t, err, c.code, c.msg)
			pass, err := abi.CompileTransfer([]*wit.Type{c.t}, abi.UTF8, abi.UTF8)
			require.NoError(t, err)
			dst, b := newGuest(make([]byte, 64))
			requireTrap(t, pass.Flat(g, dst, c.stack, make([]uint64, 4)), c.code, c.msg)
			requireTrap(t, pass.FlatToMem(g, dst, c.stack, 0), c.code, c.msg)
			require.Empty(t, b.calls)
		})
	}
}

// TestElementTraps has a bad value inside a list.
func TestElementTraps(t *testing.T) {
	t.Parallel()
	elem := record(t, wit.U8, wit.Char)
	prog, err := abi.CompileTransfer([]*wit.Type{list(t, elem)}, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
	src, _ := newGuest(words(0, 'a', 0, 0xdc00))
	dst, _ := newGuest(nil)
	err = prog.Flat(src, dst, []uint64{0, 2}, make([]uint64, 2))
	requireTrap(t, err, trap.Abi, "0xdc00 is no char")
}

func TestTupleArea(t *testing.T) {
	t.Parallel()
	types := []*wit.Type{wit.U8, wit.U64}
	pass, err := abi.CompileTransfer(types, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
	prog, err := abi.CompileWire(types, abi.UTF8)
	require.NoError(t, err)
	require.EqualValues(t, 16, pass.Size())
	require.EqualValues(t, 8, pass.Align())
	big, _ := newGuest(make([]byte, 64))
	small, _ := newGuest(make([]byte, 24))
	value := []byte{1, 2}
	flat := make([]uint64, 2)

	for _, bad := range []struct {
		ptr uint32
		msg string
	}{{4, "not aligned to 8"}, {16, "out of bounds"}, {0xfffffff8, "out of bounds"}} {
		requireTrap(t, pass.Mem(small, big, bad.ptr, 0), trap.Abi, bad.msg)
		requireTrap(t, pass.Mem(big, small, 0, bad.ptr), trap.Abi, bad.msg)
		requireTrap(t, pass.FlatToMem(big, small, flat, bad.ptr), trap.Abi, bad.msg)
		requireTrap(t, pass.MemToFlat(small, big, bad.ptr, flat), trap.Abi, bad.msg)
		_, err = prog.LiftMem(small, nil, bad.ptr, nil)
		requireTrap(t, err, trap.Abi, bad.msg)
		_, err = prog.LowerMem(small, nil, value, bad.ptr)
		requireTrap(t, err, trap.Abi, bad.msg)
	}
	require.NoError(t, pass.Mem(small, big, 8, 48))
	none := &abi.Guest{}
	requireTrap(t, pass.Mem(none, big, 0, 0), trap.Abi, "memory has 0")
}

func TestFlatFormIsRefused(t *testing.T) {
	t.Parallel()
	many := make([]*wit.Type, 17)
	for i := range many {
		many[i] = wit.U8
	}
	pass, err := abi.CompileTransfer(many, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
	prog, err := abi.CompileWire(many, abi.UTF8)
	require.NoError(t, err)
	require.Len(t, pass.CoreTypes(), wit.MaxFlatParams+1)
	g, _ := newGuest(make([]byte, 64))
	long := make([]uint64, 20)
	require.ErrorIs(t, pass.Flat(g, g, long, long), abi.ErrNotFlat)
	_, err = prog.LiftFlat(g, nil, long, nil)
	require.ErrorIs(t, err, abi.ErrNotFlat)

	two, err := abi.CompileWire([]*wit.Type{wit.String}, abi.UTF8)
	require.NoError(t, err)
	_, err = two.LowerFlat(g, nil, []byte{0}, make([]uint64, 1))
	require.ErrorIs(t, err, abi.ErrNotFlat)
}

// TestReallocIsChecked gives each program that allocates a realloc that
// answers wrongly.
func TestReallocIsChecked(t *testing.T) {
	t.Parallel()
	own := errors.New("guest is out of memory")
	for _, c := range []struct {
		name    string
		realloc func(old, oldSize, align, size uint32) (uint32, error)
		check   func(*testing.T, error)
	}{
		{"missing", nil, func(t *testing.T, err error) { requireTrap(t, err, trap.Abi, "name none") }},
		{"error", func(_, _, _, _ uint32) (uint32, error) { return 0, own },
			func(t *testing.T, err error) { require.ErrorIs(t, err, own) }},
		{"not aligned", func(_, _, _, _ uint32) (uint32, error) { return 1, nil },
			func(t *testing.T, err error) { requireTrap(t, err, trap.Abi, "not aligned to 2") }},
		{"out of bounds", func(_, _, _, _ uint32) (uint32, error) { return 14, nil },
			func(t *testing.T, err error) { requireTrap(t, err, trap.Abi, "realloc result out of bounds") }},
		{"wraps", func(_, _, _, _ uint32) (uint32, error) { return 0xfffffffe, nil },
			func(t *testing.T, err error) { requireTrap(t, err, trap.Abi, "realloc result out of bounds") }},
		{"out of bounds the second time", func(old, _, _, _ uint32) (uint32, error) { return 8 + old, nil },
			func(t *testing.T, err error) { requireTrap(t, err, trap.Abi, "realloc result out of bounds") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bad := &abi.Guest{Mem: &bump{mem: make([]byte, 16)}, Realloc: c.realloc, Budget: abi.DefaultBudget}
			_, _, err := abi.LowerString(bad, abi.UTF16, "ééé") // 12 bytes, then 6
			c.check(t, err)
			_, _, err = abi.LowerString(bad, abi.Latin1UTF16, "ééé\u0100") // 8 bytes, then 16
			c.check(t, err)
		})
	}
	bad := &abi.Guest{Mem: &bump{mem: make([]byte, 16)}, Realloc: func(_, _, _, _ uint32) (uint32, error) { return 12, nil }}
	prog, err := abi.CompileWire([]*wit.Type{list(t, wit.U64)}, abi.UTF8)
	require.NoError(t, err)
	_, err = prog.LowerFlat(bad, nil, []byte{1, 7}, make([]uint64, 2))
	requireTrap(t, err, trap.Abi, "realloc result 0xc is not aligned to 8")
	_, err = abi.Alloc(bad, 4, 5)
	requireTrap(t, err, trap.Abi, "realloc result out of bounds: 5 bytes at 0xc, memory has 16")
}

func TestReallocOfNothingIsStillCalled(t *testing.T) {
	t.Parallel()
	prog, err := abi.CompileWire([]*wit.Type{wit.String, list(t, wit.U64)}, abi.UTF8)
	require.NoError(t, err)
	g, b := newGuest(nil)
	_, err = prog.LowerFlat(g, nil, []byte{0, 0}, make([]uint64, 4))
	require.NoError(t, err)
	require.Equal(t, [][4]uint32{{0, 0, 1, 0}, {0, 0, 8, 0}}, b.calls)
}

// TestHandleErrors lets each table of a handle's way refuse it.
func TestHandleErrors(t *testing.T) {
	t.Parallel()
	full := trap.New(trap.Limit, "table is full")
	for _, p := range []*wit.Type{wit.NewOwn(testResource), wit.NewBorrow(testResource)} {
		pass, err := abi.CompileTransfer([]*wit.Type{p}, abi.UTF8, abi.UTF8)
		require.NoError(t, err)
		prog, err := abi.CompileWire([]*wit.Type{p}, abi.UTF8)
		require.NoError(t, err)
		empty, _ := newGuest(make([]byte, 8))
		empty.Handles = newTable("guest")
		every, _ := newGuest(make([]byte, 8))
		every.Handles = alwaysTable{}
		refusing, _ := newGuest(make([]byte, 8))
		refusing.Handles = refusingTable{err: full}
		stack, out := []uint64{5}, make([]uint64, 1)
		onWire := append([]byte{16, 5}, make([]byte, 15)...)

		requireTrap(t, pass.Flat(empty, every, stack, out), trap.Handle, "no bucket with handle 5")
		requireTrap(t, pass.Mem(empty, every, 0, 0), trap.Handle, "no bucket with handle 0")
		require.ErrorIs(t, pass.Flat(every, refusing, stack, out), full)
		_, err = prog.LiftFlat(every, nil, stack, nil)
		requireTrap(t, err, trap.Handle, "no handle table")
		_, err = prog.LiftFlat(every, refusingTable{err: full}, stack, nil)
		require.ErrorIs(t, err, full)
		_, err = prog.LowerFlat(every, newTable("peer"), onWire, out)
		requireTrap(t, err, trap.Handle, "no bucket with handle 5")
		_, err = prog.LowerMem(refusing, alwaysTable{}, onWire, 0)
		require.ErrorIs(t, err, full)
	}
}

type refusingTable struct {
	alwaysTable
	err error
}

func (t refusingTable) LowerOwn(*wit.Resource, uint32) (uint32, error)    { return 0, t.err }
func (t refusingTable) LowerBorrow(*wit.Resource, uint32) (uint32, error) { return 0, t.err }

// TestMalformedWire shows the errors that a peer's bytes give; none is a trap
// of the guest.
func TestMalformedWire(t *testing.T) {
	t.Parallel()
	enum, err := wit.NewEnum("a", "b", "c")
	require.NoError(t, err)
	own := wit.NewOwn(testResource)
	for _, c := range []struct {
		name string
		t    *wit.Type
		b    []byte
		want error
	}{
		{"bool", wit.Bool, []byte{2}, wire.ErrMalformed},
		{"u16 overflows", wit.U16, []byte{0xff, 0xff, 0x04}, wire.ErrMalformed},
		{"s32 overflows", wit.S32, []byte{0xff, 0xff, 0xff, 0xff, 0x08}, wire.ErrMalformed},
		{"u64 too long", wit.U64, []byte{128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0}, wire.ErrMalformed},
		{"char surrogate", wit.Char, []byte{0xed, 0xa0, 0x80}, wire.ErrMalformed},
		{"char cut off", wit.Char, []byte{0xe2, 0x82}, io.ErrUnexpectedEOF},
		{"enum", enum, []byte{3}, wire.ErrMalformed},
		{"option", option(t, wit.U8), []byte{2}, wire.ErrMalformed},
		{"option padded", option(t, wit.U8), []byte{0x80, 0}, wire.ErrMalformed},
		{"string not UTF-8", wit.String, []byte{1, 0xff}, wire.ErrMalformed},
		{"string cut off", wit.String, []byte{2, 'a'}, io.ErrUnexpectedEOF},
		{"list that claims more", list(t, wit.String), []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, wire.ErrMalformed},
		{"list that claims a bit more", list(t, wit.U32), []byte{2, 1}, io.ErrUnexpectedEOF},
		{"bytes cut off", list(t, wit.U8), []byte{2, 1}, io.ErrUnexpectedEOF},
		{"nothing", wit.F64, []byte{1, 2, 3}, io.ErrUnexpectedEOF},
		{"handle of another size", own, append([]byte{17}, make([]byte, 17)...), wire.ErrMalformed},
		{"handle of another host", own, append(append([]byte{16}, make([]byte, 15)...), 1), wire.ErrMalformed},
		{"handle cut off", own, []byte{16, 1, 0}, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			prog, err := abi.CompileWire([]*wit.Type{wit.U8, c.t}, abi.UTF8)
			require.NoError(t, err)
			g, b := newGuest(make([]byte, 64))
			g.Handles = alwaysTable{}
			_, err = prog.LowerFlat(g, alwaysTable{}, append([]byte{9}, c.b...), make([]uint64, 4))
			require.ErrorIs(t, err, c.want)
			require.Nil(t, trap.As(err))
			require.Empty(t, b.calls, "allocated for what is not there")
			if syntax, ok := errors.AsType[*wire.SyntaxError](err); ok {
				require.GreaterOrEqual(t, syntax.Offset, 1)
			}
		})
	}
}

// TestAmplification points a list's elements at one string, many times.
func TestAmplification(t *testing.T) {
	t.Parallel()
	const elems, size = 4096, 1 << 16
	mem := make([]byte, 8*elems+size)
	for i := range elems {
		copy(mem[8*i:], words(8*elems, size))
	}
	src, _ := newGuest(mem)
	src.Budget = 10 * size
	prog, err := abi.CompileWire([]*wit.Type{list(t, wit.String)}, abi.UTF8)
	require.NoError(t, err)
	got, err := prog.LiftFlat(src, nil, []uint64{0, elems}, nil)
	requireTrap(t, err, trap.Limit, "more host memory")
	require.LessOrEqual(t, len(got), 10*size)

	src.Budget = size - 1
	_, err = abi.LiftString(src, abi.UTF8, 8*elems, size)
	requireTrap(t, err, trap.Limit, "more host memory")
	src.Budget = size
	_, err = abi.LiftString(src, abi.UTF8, 8*elems, size)
	require.NoError(t, err)
	require.Zero(t, src.Budget)
}
