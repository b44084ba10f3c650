package abi_test

import (
	"fmt"
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/wit"
	"github.com/stretchr/testify/require"
)

// TestExtraBitsAreDropped: a guest may leave any bits where its type has none.
func TestExtraBitsAreDropped(t *testing.T) {
	t.Parallel()
	flags, err := wit.NewFlags(names(3)...)
	require.NoError(t, err)
	types := []*wit.Type{flags, wit.Bool, wit.U8, wit.S8, wit.U16, wit.S16, wit.U32, wit.F32}
	pass, err := abi.CompileTransfer(types, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
	prog, err := abi.CompileWire(types, abi.UTF8)
	require.NoError(t, err)
	const high = 0xffffffff_00000000
	in := []uint64{high | 0xfffffffd, high | 0x100, high | 0xffffff80, high | 0x7f80, high | 0xffff8000,
		high | 0x7fff8000, high | 7, high | 0x3f800000}
	want := []uint64{5, 1, 0x80, 0xffffff80, 0x8000, 0xffff8000, 7, 0x3f800000}
	onWire := []byte{5, 1, 0x80, 0x80, 0x80, 0x80, 2, 0x80, 0x80, 0x7e, 7, 0, 0, 0x80, 0x3f}
	src, _ := newGuest(nil)
	dst, b := newGuest(make([]byte, 32))
	out := make([]uint64, len(in))

	require.NoError(t, pass.Flat(src, dst, in, out))
	require.Equal(t, want, out)
	require.NoError(t, pass.FlatToMem(src, dst, in, 0))
	require.Equal(t, []byte{5, 1, 0x80, 0x80, 0, 0x80, 0, 0x80, 7, 0, 0, 0, 0, 0, 0x80, 0x3f}, b.mem[:16])
	got, err := prog.LiftFlat(src, nil, in, nil)
	require.NoError(t, err)
	require.Equal(t, onWire, got)

	b.mem[0], b.mem[1] = 0xfd, 2 // in memory too
	got, err = prog.LiftMem(dst, nil, 0, nil)
	require.NoError(t, err)
	require.Equal(t, onWire, got)
	require.NoError(t, pass.Mem(dst, dst, 0, 16))
	require.Equal(t, []byte{5, 1}, b.mem[16:18])
}

// TestFixedLists covers elements too many, or too large, to repeat in place.
func TestFixedLists(t *testing.T) {
	t.Parallel()
	var cases []wit.Case
	for _, n := range names(40) {
		cases = append(cases, wit.Case{Name: n, Type: wit.U16})
	}
	wide, err := wit.NewVariant(cases...)
	require.NoError(t, err)
	few, err := wit.NewFixedList(record(t, wide, wit.U8), 3) // 9 slots
	require.NoError(t, err)
	many, err := wit.NewFixedList(wit.Char, 50)
	require.NoError(t, err)
	onFew := []byte{1, 2, 3, 39, 0xac, 2, 4, 5, 6, 7}
	onMany := make([]byte, 50)
	for i := range onMany {
		onMany[i] = byte('0' + i)
	}
	for _, c := range []struct {
		t      *wit.Type
		onWire []byte
		flat   []uint64
	}{
		{few, onFew, []uint64{1, 2, 3, 39, 300, 4, 5, 6, 7}},
		{many, onMany, nil},
	} {
		prog, err := abi.CompileWire([]*wit.Type{c.t}, abi.UTF8)
		require.NoError(t, err)
		pass, err := abi.CompileTransfer([]*wit.Type{c.t}, abi.UTF8, abi.UTF8)
		require.NoError(t, err)
		require.Contains(t, prog.String(), "repeat")
		src, _ := newGuest(make([]byte, 512))
		_, err = prog.LowerMem(src, nil, c.onWire, 0)
		require.NoError(t, err)
		require.NoError(t, pass.Mem(src, src, 0, 256))
		got, err := prog.LiftMem(src, nil, 256, nil)
		require.NoError(t, err)
		require.Equal(t, c.onWire, got)
		if c.flat == nil {
			continue
		}
		stack, out := make([]uint64, len(c.flat)), make([]uint64, len(c.flat))
		_, err = prog.LowerFlat(src, nil, c.onWire, stack)
		require.NoError(t, err)
		require.Equal(t, c.flat, stack)
		require.NoError(t, pass.Flat(src, src, stack, out))
		require.Equal(t, c.flat, out)
		clear(out)
		require.NoError(t, pass.MemToFlat(src, src, 0, out))
		require.Equal(t, c.flat, out)
		require.NoError(t, pass.FlatToMem(src, src, stack, 128))
		got, err = prog.LiftMem(src, nil, 128, nil)
		require.NoError(t, err)
		require.Equal(t, c.onWire, got)
		got, err = prog.LiftFlat(src, nil, stack, nil)
		require.NoError(t, err)
		require.Equal(t, c.onWire, got)
	}
}

// diary is a handle table that writes down what it is asked.
type diary struct {
	name string
	out  *[]string
}

func (d diary) note(what string, r *wit.Resource, n uint32) {
	*d.out = append(*d.out, fmt.Sprintf("%s: %s %s %d", d.name, what, r.Name, n))
}

func (d diary) LiftOwn(r *wit.Resource, h uint32) (uint32, error) {
	d.note("lift own", r, h)
	return h + 100, nil
}

func (d diary) LiftBorrow(r *wit.Resource, h uint32) (uint32, error) {
	d.note("lift borrow", r, h)
	return h + 200, nil
}

func (d diary) LowerOwn(r *wit.Resource, rep uint32) (uint32, error) {
	d.note("lower own", r, rep)
	return rep + 1000, nil
}

func (d diary) LowerBorrow(r *wit.Resource, rep uint32) (uint32, error) {
	d.note("lower borrow", r, rep)
	return rep + 2000, nil
}

// TestHandlesGoThroughTheirTables checks who is asked what, and in which order.
func TestHandlesGoThroughTheirTables(t *testing.T) {
	t.Parallel()
	other := &wit.Resource{Name: "cas"}
	types := []*wit.Type{wit.NewOwn(testResource), wit.NewBorrow(other)}
	pass, err := abi.CompileTransfer(types, abi.UTF8, abi.UTF8)
	require.NoError(t, err)
	prog, err := abi.CompileWire(types, abi.UTF8)
	require.NoError(t, err)
	var notes []string
	a, _ := newGuest(nil)
	a.Handles = diary{"a", &notes}
	b, bm := newGuest(make([]byte, 8))
	b.Handles = diary{"b", &notes}
	peer := diary{"peer", &notes}

	out := make([]uint64, 2)
	require.NoError(t, pass.Flat(a, b, []uint64{1, 2}, out))
	require.Equal(t, []uint64{1101, 2202}, out)
	require.NoError(t, pass.FlatToMem(a, b, []uint64{1, 2}, 0))
	require.Equal(t, words(1101, 2202), bm.mem)
	want := []string{"a: lift own bucket 1", "b: lower own bucket 101", "a: lift borrow cas 2", "b: lower borrow cas 202"}
	require.Equal(t, append(want, want...), notes)

	notes = nil
	onWire, err := prog.LiftFlat(a, peer, []uint64{1, 2}, nil)
	require.NoError(t, err)
	zero := make([]byte, 12)
	require.Equal(t, "\x10"+string(words(1101))+string(zero)+"\x10"+string(words(2202))+string(zero), string(onWire))
	_, err = prog.LowerMem(b, peer, onWire, 0)
	require.NoError(t, err)
	require.Equal(t, words(1101+1100, 2202+2200), bm.mem)
	require.Equal(t, []string{
		"a: lift own bucket 1", "peer: lower own bucket 101", "a: lift borrow cas 2", "peer: lower borrow cas 202",
		"peer: lift own bucket 1101", "b: lower own bucket 1201", "peer: lift borrow cas 2202", "b: lower borrow cas 2402",
	}, notes)
}
