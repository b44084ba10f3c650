package abi_test

import (
	"errors"
	"io"
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	"github.com/stretchr/testify/require"
)

// typeFrom makes a type of at most depth levels out of bytes, the same for the
// same bytes.
func typeFrom(b *[]byte, depth int) *wit.Type {
	next := func() byte {
		if len(*b) == 0 {
			return 0
		}
		c := (*b)[0]
		*b = (*b)[1:]
		return c
	}
	sub := func() *wit.Type { return typeFrom(b, depth-1) }
	var t *wit.Type
	var err error
	kind := next()
	if depth == 0 {
		kind %= 17
	}
	switch kind %= 25; kind {
	case 13:
		t, err = wit.NewFlags(names(int(next())%32 + 1)...)
	case 14:
		t, err = wit.NewEnum(names(int(next()) + 2)...)
	case 15:
		t = wit.NewOwn(testResource)
	case 16:
		t = wit.NewBorrow(testResource)
	case 17, 18:
		t, err = wit.NewTuple(sub(), sub())
	case 19, 20:
		t, err = wit.NewList(sub())
	case 21:
		t, err = wit.NewFixedList(sub(), uint32(next())%3+1)
	case 22:
		t, err = wit.NewOption(sub())
	case 23:
		t, err = wit.NewResult(nil, sub())
	case 24:
		t, err = wit.NewVariant(wit.Case{Name: "a", Type: sub()}, wit.Case{Name: "b"}, wit.Case{Name: "c", Type: sub()})
	default:
		t = wit.Primitive(wit.Kind(kind))
	}
	if err != nil {
		return wit.U8
	}
	return t
}

// FuzzLift lifts a type that the first bytes choose out of a memory and flat
// values that the fuzzer chooses. What can be lifted must be what package wire
// reads as such a value, pass to a guest of another encoding, and be the same
// there.
func FuzzLift(f *testing.F) {
	f.Add([]byte{12}, uint8(0), words(0, 4, 'a', 'b'))
	f.Add([]byte{12}, uint8(5), []byte{8, 0, 0, 0, 2, 0, 0, 128, 0x3d, 0xd8, 0, 0xde})
	f.Add([]byte{19, 12}, uint8(1), words(8, 2, 8, 1, 10, 2, 0, 0))
	f.Add([]byte{19, 17, 2, 11}, uint8(2), words(0, 2, 1, 'x'))
	f.Add([]byte{24, 10, 19, 4, 8}, uint8(7), words(2, 0, 7, 7, 7, 7))
	f.Add([]byte{17, 15, 21, 16, 2, 13, 9}, uint8(4), words(9, 8, 7, 6))
	f.Fuzz(func(t *testing.T, shape []byte, encs uint8, mem []byte) {
		types := []*wit.Type{typeFrom(&shape, 3), typeFrom(&shape, 2)}
		from, to := abi.Encoding(encs%3), abi.Encoding(encs/3%3)
		c := abi.NewCompiler()
		prog, err := c.Wire(types, from)
		require.NoError(t, err)
		end, err := c.Wire(types, to)
		require.NoError(t, err)
		pass, err := c.Transfer(types, from, to)
		require.NoError(t, err)
		src, _ := newGuest(mem)
		src.Budget = 1 << 16
		src.Handles = sameTable{}
		dst, _ := newGuest(nil)
		dst.Handles = sameTable{}
		dst.Budget = 1 << 16

		onWire, err := prog.LiftMem(src, sameTable{}, 0, nil)
		if err != nil {
			require.NotNil(t, trap.As(err), "%v", err)
			return
		}
		_, rest, err := wire.DecodeAll(types, onWire, wire.Limits{})
		require.NoError(t, err)
		require.Empty(t, rest)
		ptr := alloc(t, dst, pass.Align(), pass.Size())
		require.NoError(t, pass.Mem(src, dst, 0, ptr))
		got, err := end.LiftMem(dst, sameTable{}, ptr, nil)
		require.NoError(t, err)
		require.Equal(t, onWire, got)
	})
}

// FuzzLower lowers bytes of the fuzzer's choice as a type of its choice. It
// takes exactly the bytes that package wire takes, and lifting gives the value
// back.
func FuzzLower(f *testing.F) {
	f.Add([]byte{12}, uint8(0), []byte("\x03a\xc3\xa9"))
	f.Add([]byte{19, 17, 12, 22, 6}, uint8(2), []byte{2, 1, 'a', 1, 0xac, 2, 0, 0})
	f.Add([]byte{24, 11, 5}, uint8(1), []byte{0, 0xe2, 0x82, 0xac, 1})
	f.Add([]byte{23, 15}, uint8(1), append([]byte{1, 16, 1}, make([]byte, 15)...))
	f.Add([]byte{17, 13, 20, 7}, uint8(0), []byte{255, 255, 255, 3, 0x80, 0x7f})
	f.Fuzz(func(t *testing.T, shape []byte, enc uint8, src []byte) {
		types := []*wit.Type{typeFrom(&shape, 3), typeFrom(&shape, 1)}
		prog, err := abi.CompileWire(types, abi.Encoding(enc%3))
		require.NoError(t, err)
		g, _ := newGuest(nil)
		g.Handles = sameTable{}
		ptr := alloc(t, g, prog.Align(), prog.Size())
		rest, err := prog.LowerMem(g, sameTable{}, src, ptr)
		vs, wantRest, wantErr := wire.DecodeAll(types, src, wire.Limits{})
		if err != nil {
			require.True(t, errors.Is(err, wire.ErrMalformed) || errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
			if !hasHandle(types) { // whose bytes are opaque there
				require.Error(t, wantErr, "refused: %v", err)
			}
			return
		}
		require.NoError(t, wantErr)
		require.Equal(t, len(wantRest), len(rest))
		want, err := wire.AppendAll(nil, types, vs)
		require.NoError(t, err)
		got, err := prog.LiftMem(g, sameTable{}, ptr, nil)
		require.NoError(t, err)
		require.Equal(t, want, got)
		if len(prog.CoreTypes()) <= wit.MaxFlatParams {
			stack := make([]uint64, wit.MaxFlatParams)
			_, err := prog.LowerFlat(g, sameTable{}, src, stack)
			require.NoError(t, err)
			got, err := prog.LiftFlat(g, sameTable{}, stack, nil)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	})
}

func hasHandle(types []*wit.Type) bool {
	for _, t := range types {
		if t.Props.Has(wit.HasHandle) {
			return true
		}
	}
	return false
}

// sameTable has every handle, for the object of the same number.
type sameTable struct{}

func (sameTable) LiftOwn(_ *wit.Resource, h uint32) (uint32, error)     { return h, nil }
func (sameTable) LiftBorrow(_ *wit.Resource, h uint32) (uint32, error)  { return h, nil }
func (sameTable) LowerOwn(_ *wit.Resource, r uint32) (uint32, error)    { return r, nil }
func (sameTable) LowerBorrow(_ *wit.Resource, r uint32) (uint32, error) { return r, nil }
