package abi_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var testResource = &wit.Resource{Name: "bucket"}

// drawType draws a type of at most depth levels. At depth 0 it is a leaf.
func drawType(r *rapid.T, depth int) *wit.Type {
	sub := func() *wit.Type { return drawType(r, depth-1) }
	maybe := func() *wit.Type {
		if rapid.Bool().Draw(r, "payload") {
			return sub()
		}
		return nil
	}
	kinds := []wit.Kind{wit.KindBool, wit.KindFlags, wit.KindEnum, wit.KindOwn, wit.KindBorrow, wit.KindString}
	for k := wit.KindS8; k <= wit.KindChar; k++ {
		kinds = append(kinds, k)
	}
	if depth > 0 {
		kinds = append(kinds, wit.KindRecord, wit.KindTuple, wit.KindVariant, wit.KindList,
			wit.KindFixedList, wit.KindMap, wit.KindOption, wit.KindResult, wit.KindTuple, wit.KindList)
	}
	var t *wit.Type
	var err error
	switch kind := rapid.SampledFrom(kinds).Draw(r, "kind"); kind {
	case wit.KindFlags:
		t, err = wit.NewFlags(names(rapid.IntRange(1, 32).Draw(r, "labels"))...)
	case wit.KindEnum:
		t, err = wit.NewEnum(names(rapid.SampledFrom([]int{1, 2, 256, 257}).Draw(r, "cases"))...)
	case wit.KindOwn:
		return wit.NewOwn(testResource)
	case wit.KindBorrow:
		return wit.NewBorrow(testResource)
	case wit.KindRecord, wit.KindTuple:
		var elems []*wit.Type
		for range rapid.IntRange(1, 5).Draw(r, "fields") {
			elems = append(elems, sub())
		}
		t, err = wit.NewTuple(elems...)
	case wit.KindVariant:
		var cases []wit.Case
		for _, n := range names(rapid.SampledFrom([]int{1, 2, 3, 4, 300}).Draw(r, "cases")) {
			c := wit.Case{Name: n}
			if len(cases) < 4 {
				c.Type = maybe()
			}
			cases = append(cases, c)
		}
		t, err = wit.NewVariant(cases...)
	case wit.KindList:
		t, err = wit.NewList(sub())
	case wit.KindFixedList:
		t, err = wit.NewFixedList(sub(), rapid.SampledFrom([]uint32{1, 2, 3, 40}).Draw(r, "length"))
	case wit.KindMap:
		t, err = wit.NewMap(wit.String, sub())
	case wit.KindOption:
		t, err = wit.NewOption(sub())
	case wit.KindResult:
		t, err = wit.NewResult(maybe(), maybe())
	default:
		t = wit.Primitive(kind)
	}
	require.NoError(r, err)
	return t
}

func names(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprintf("n%d", i)
	}
	return s
}

// values draws values. Each handle is the next one of the table peer, which
// hands out its indices in order.
type values struct {
	*rapid.T
	peer *table
}

func (d values) draw(t *wit.Type) (v wit.Value) {
	switch t.Kind {
	case wit.KindString:
		v.Str = anyString().Draw(d.T, "string")
	case wit.KindChar:
		v.Bits = uint64(rapid.RuneFrom([]rune("aé\u0100\ud7ff\ue000\uffff\U0010ffff")).Draw(d.T, "char"))
	case wit.KindBool:
		v.Bits = rapid.Uint64Range(0, 1).Draw(d.T, "bool")
	case wit.KindU8, wit.KindU16, wit.KindU32, wit.KindU64, wit.KindF32, wit.KindF64:
		v.Bits = rapid.Uint64().Draw(d.T, "bits") >> (64 - 8*t.Size)
	case wit.KindS8, wit.KindS16, wit.KindS32, wit.KindS64:
		v.Bits = uint64(rapid.Int64().Draw(d.T, "bits") >> (64 - 8*t.Size))
	case wit.KindFlags:
		v.Bits = rapid.Uint64Range(0, 1<<len(t.Labels)-1).Draw(d.T, "flags")
	case wit.KindOwn, wit.KindBorrow:
		var b [16]byte
		h := d.peer.add(0)
		d.peer.live[h] = 10 * h
		binary.LittleEndian.PutUint32(b[:], h)
		v.Str = string(b[:])
	case wit.KindList, wit.KindMap:
		v.Elems = d.elems(t.Elem, rapid.IntRange(0, 4).Draw(d.T, "length"))
	case wit.KindFixedList:
		v.Elems = d.elems(t.Elem, int(t.Len))
	case wit.KindRecord, wit.KindTuple:
		for _, f := range t.Fields {
			v.Elems = append(v.Elems, d.draw(f.Type))
		}
	default:
		v.Bits = rapid.Uint64Range(0, uint64(len(t.Cases)-1)).Draw(d.T, "case")
		if p := t.Cases[v.Bits].Type; p != nil {
			v.Elems = []wit.Value{d.draw(p)}
		}
	}
	return v
}

func (d values) elems(t *wit.Type, n int) []wit.Value {
	vs := make([]wit.Value, n)
	for i := range vs {
		vs[i] = d.draw(t)
	}
	return vs
}

// journey is a tuple of values on its way from one peer through two guests to
// another peer.
type journey struct {
	*rapid.T
	types    []*wit.Type
	onWire   []byte
	from, to *abi.Wire
	pass     *abi.Transfer
}

func TestValuesSurviveTheJourney(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		j := journey{T: r}
		for range rapid.IntRange(0, 4).Draw(r, "parameters") {
			j.types = append(j.types, drawType(r, 3))
		}
		a, b := rapid.SampledFrom(encodings).Draw(r, "from"), rapid.SampledFrom(encodings).Draw(r, "to")
		c := abi.NewCompiler()
		var err error
		j.from, err = c.Wire(j.types, a)
		require.NoError(r, err)
		j.to, err = c.Wire(j.types, b)
		require.NoError(r, err)
		j.pass, err = c.Transfer(j.types, a, b)
		require.NoError(r, err)

		peer := newTable("peer")
		for _, p := range j.types {
			j.onWire, err = wire.Append(j.onWire, p, values{r, peer}.draw(p))
			require.NoError(r, err)
		}
		flat := len(j.from.CoreTypes()) <= wit.MaxFlatParams
		j.travel(peer, false, false)
		if flat {
			j.travel(peer, false, true)
			j.travel(peer, true, false)
			j.travel(peer, true, true)
		}
	})
}

func (j journey) guest(name string) (*abi.Guest, *bump) {
	g, b := newGuest(nil)
	g.Handles = newTable(name)
	return g, b
}

// travel goes with the values flat or in memory on either side.
func (j journey) travel(peer *table, srcFlat, dstFlat bool) {
	start := newTable("start") // owned handles leave it
	maps.Copy(start.live, peer.live)
	src, srcMem := j.guest("src")
	dst, _ := j.guest("dst")
	in, out := make([]uint64, wit.MaxFlatParams), make([]uint64, wit.MaxFlatParams)
	srcPtr, dstPtr := alloc(j, src, j.pass.Align(), j.pass.Size()), alloc(j, dst, j.pass.Align(), j.pass.Size())
	var rest, got []byte
	var err error
	if srcFlat {
		rest, err = j.from.LowerFlat(src, start, j.onWire, in)
	} else {
		rest, err = j.from.LowerMem(src, start, j.onWire, srcPtr)
	}
	require.NoError(j, err)
	require.Empty(j, rest)
	before := append([]byte{}, srcMem.mem...)
	switch {
	case srcFlat && dstFlat:
		err = j.pass.Flat(src, dst, in, out)
	case srcFlat:
		err = j.pass.FlatToMem(src, dst, in, dstPtr)
	case dstFlat:
		err = j.pass.MemToFlat(src, dst, srcPtr, out)
	default:
		err = j.pass.Mem(src, dst, srcPtr, dstPtr)
	}
	require.NoError(j, err)
	require.Equal(j, before, srcMem.mem, "the source's memory changed")
	end := newTable("end")
	if dstFlat {
		got, err = j.to.LiftFlat(dst, end, out, nil)
	} else {
		got, err = j.to.LiftMem(dst, end, dstPtr, nil)
	}
	require.NoError(j, err)
	require.Equal(j, hex.EncodeToString(j.onWire), hex.EncodeToString(got))
	require.Equal(j, peer.live, end.live, "handles stand for other objects")
}

// TestBudget finds the budget that a value just fits.
func TestBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		p := drawType(r, 2)
		prog, err := abi.CompileWire([]*wit.Type{p}, abi.UTF16)
		require.NoError(r, err)
		peer := newTable("peer")
		b, err := wire.Append(nil, p, values{r, peer}.draw(p))
		require.NoError(r, err)
		g, _ := newGuest(nil)
		g.Handles = newTable("guest")
		ptr := alloc(r, g, p.Align, p.Size)
		_, err = prog.LowerMem(g, peer, b, ptr)
		require.NoError(r, err)

		g.Budget = int64(len(b)) - 1
		handles := g.Handles
		g.Handles = alwaysTable{}
		_, err = prog.LiftMem(g, newTable("none"), ptr, nil)
		requireTrap(r, err, "limit exceeded", "more host memory")
		g.Handles = handles
		// Room is asked for with the longest length, before it is known.
		g.Budget = int64(len(b)) + 5
		got, err := prog.LiftMem(g, newTable("end"), ptr, nil)
		require.NoError(r, err)
		require.Equal(r, b, got)
		require.EqualValues(r, 5, g.Budget)
	})
}

// alwaysTable has every handle.
type alwaysTable struct{}

func (alwaysTable) LiftOwn(*wit.Resource, uint32) (uint32, error)     { return 1, nil }
func (alwaysTable) LiftBorrow(*wit.Resource, uint32) (uint32, error)  { return 1, nil }
func (alwaysTable) LowerOwn(*wit.Resource, uint32) (uint32, error)    { return 1, nil }
func (alwaysTable) LowerBorrow(*wit.Resource, uint32) (uint32, error) { return 1, nil }
