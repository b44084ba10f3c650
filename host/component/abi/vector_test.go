package abi_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	"github.com/stretchr/testify/require"
)

// vectorFile is values and traps that the specification's reference
// implementation computed. The variable LATH_ABI_VECTORS names another file.
type vectorFile struct {
	Vectors []vector
	Traps   []vector
}

type vector struct {
	Type       json.RawMessage
	Value      json.RawMessage
	Encoding   string
	Size       uint32
	Align      uint32
	Ptr        uint32
	Memory     string
	FlatTypes  []string  `json:"flat_types"`
	FlatValues *[]string `json:"flat_values"`
	FlatMemory string    `json:"flat_memory"`
}

// subject is a vector with its parts read.
type subject struct {
	vector
	t    *wit.Type
	enc  abi.Encoding
	wire []byte // of the value
	mem  []byte
	prog *abi.Wire
}

func loadVectors(t *testing.T) vectorFile {
	path := filepath.Join("testdata", "canonical-abi.json")
	if p := os.Getenv("LATH_ABI_VECTORS"); p != "" {
		path = p
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var f vectorFile
	d := json.NewDecoder(bytes.NewReader(b))
	require.NoError(t, d.Decode(&f))
	require.NotEmpty(t, f.Vectors, "no vectors in %s", path)
	require.NotEmpty(t, f.Traps, "no traps in %s", path)
	return f
}

func newSubject(v vector) (*subject, error) {
	s := &subject{vector: v}
	var ok bool
	if s.enc, ok = map[string]abi.Encoding{"utf8": abi.UTF8, "utf16": abi.UTF16, "latin1+utf16": abi.Latin1UTF16}[v.Encoding]; !ok {
		return nil, fmt.Errorf("unknown encoding %q", v.Encoding)
	}
	var err error
	if s.t, err = vectorType(v.Type); err != nil {
		return nil, err
	}
	if s.mem, err = hex.DecodeString(v.Memory); err != nil {
		return nil, err
	}
	s.prog, err = abi.CompileWire([]*wit.Type{s.t}, s.enc)
	return s, err
}

func TestVectors(t *testing.T) {
	t.Parallel()
	f := loadVectors(t)
	subjects := make([]*subject, len(f.Vectors))
	for i, v := range f.Vectors {
		s, err := newSubject(v)
		require.NoErrorf(t, err, "vector %d: %s", i, v.Type)
		value, err := vectorValue(s.t, v.Value)
		require.NoErrorf(t, err, "vector %d: %s of %s", i, v.Value, v.Type)
		s.wire, err = wire.Append(nil, s.t, value)
		require.NoErrorf(t, err, "vector %d: %s of %s", i, v.Value, v.Type)
		subjects[i] = s
	}
	traps := make([]*subject, len(f.Traps))
	for i, v := range f.Traps {
		s, err := newSubject(v)
		require.NoErrorf(t, err, "trap %d: %s", i, v.Type)
		traps[i] = s
	}
	for _, check := range []struct {
		name  string
		of    []*subject
		check func(*testing.T, *subject) bool
	}{
		{"Layout", subjects, checkLayout},
		{"LowerMemory", subjects, checkLowerMemory},
		{"LowerFlat", subjects, checkLowerFlat},
		{"LiftMemory", subjects, checkLiftMemory},
		{"LiftFlat", subjects, checkLiftFlat},
		{"Transfer", subjects, checkTransfer},
		{"Trap", traps, checkTrap},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			done := 0
			for i, s := range check.of {
				if check.check(t, s) {
					done++
				}
				if t.Failed() {
					t.Fatalf("%s %d: type %s, value %s, encoding %s", check.name, i, s.Type, s.Value, s.Encoding)
				}
			}
			require.Positive(t, done)
			t.Logf("%d of %d", done, len(check.of))
		})
	}
}

// The checks report whether the vector has what they check: only values of at
// most 16 flat types have a flat form.

func checkLayout(t *testing.T, s *subject) bool {
	require.Equal(t, s.Size, s.t.Size)
	require.Equal(t, s.Align, s.t.Align)
	require.Equal(t, s.Size, s.prog.Size())
	require.Equal(t, s.Align, s.prog.Align())
	var names []string
	for _, c := range s.prog.CoreTypes() {
		names = append(names, c.String())
	}
	want := s.FlatTypes[:min(len(s.FlatTypes), wit.MaxFlatParams+1)]
	require.Equal(t, want, names)
	require.Equal(t, len(s.FlatTypes) <= wit.MaxFlatParams, s.FlatValues != nil, "flat form is missing")
	return true
}

func checkLowerMemory(t *testing.T, s *subject) bool {
	g, b := newGuest(nil)
	ptr := alloc(t, g, s.Align, s.Size)
	require.Equal(t, s.Ptr, ptr)
	rest, err := s.prog.LowerMem(g, nil, append(slices.Clone(s.wire), 0xee), ptr)
	require.NoError(t, err)
	require.Equal(t, []byte{0xee}, rest)
	require.Equal(t, s.Memory, hex.EncodeToString(b.mem))
	return true
}

func checkLowerFlat(t *testing.T, s *subject) bool {
	if s.FlatValues == nil {
		return false
	}
	g, b := newGuest(nil)
	stack := slices.Repeat([]uint64{0xdeadbeefdeadbeef}, len(s.FlatTypes))
	rest, err := s.prog.LowerFlat(g, nil, s.wire, stack)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, flatValues(t, s), stack)
	require.Equal(t, s.FlatMemory, hex.EncodeToString(b.mem))
	return true
}

func checkLiftMemory(t *testing.T, s *subject) bool {
	g, _ := newGuest(s.mem)
	got, err := s.prog.LiftMem(g, nil, s.Ptr, []byte{0xee})
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got[1:]))
	require.EqualValues(t, abi.DefaultBudget-len(s.wire), g.Budget)
	return true
}

func checkLiftFlat(t *testing.T, s *subject) bool {
	if s.FlatValues == nil {
		return false
	}
	g, _ := newGuest(flatMemory(t, s))
	got, err := s.prog.LiftFlat(g, nil, flatValues(t, s), nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got))
	return true
}

// checkTransfer passes the value on to a guest of each encoding, in each form,
// and lifts it there.
func checkTransfer(t *testing.T, s *subject) bool {
	for enc := abi.UTF8; enc <= abi.Latin1UTF16; enc++ {
		p, err := abi.CompileTransfer([]*wit.Type{s.t}, s.enc, enc)
		require.NoError(t, err)
		end, err := abi.CompileWire([]*wit.Type{s.t}, enc)
		require.NoError(t, err)
		transferAll(t, p, end, s)
	}
	return true
}

func transferAll(t *testing.T, p *abi.Transfer, end *abi.Wire, s *subject) {
	src, _ := newGuest(s.mem)
	dst, _ := newGuest(nil)
	ptr := alloc(t, dst, s.Align, s.Size)
	require.NoError(t, p.Mem(src, dst, s.Ptr, ptr))
	got, err := end.LiftMem(dst, nil, ptr, nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got), "memory to memory")
	if s.FlatValues == nil {
		return
	}
	out := make([]uint64, len(s.FlatTypes))
	require.NoError(t, p.MemToFlat(src, dst, s.Ptr, out))
	got, err = end.LiftFlat(dst, nil, out, nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got), "memory to flat")

	src, _ = newGuest(flatMemory(t, s))
	in := flatValues(t, s)
	ptr = alloc(t, dst, s.Align, s.Size)
	require.NoError(t, p.FlatToMem(src, dst, in, ptr))
	got, err = end.LiftMem(dst, nil, ptr, nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got), "flat to memory")

	require.NoError(t, p.Flat(src, dst, in, out))
	got, err = end.LiftFlat(dst, nil, out, nil)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(s.wire), hex.EncodeToString(got), "flat to flat")
}

func checkTrap(t *testing.T, s *subject) bool {
	g, _ := newGuest(s.mem)
	_, err := s.prog.LiftMem(g, nil, s.Ptr, nil)
	require.ErrorIs(t, err, &trap.Error{Code: trap.Abi}, "lift")
	p, err := abi.CompileTransfer([]*wit.Type{s.t}, s.enc, abi.UTF16)
	require.NoError(t, err)
	dst, _ := newGuest(nil)
	err = p.Mem(g, dst, s.Ptr, alloc(t, dst, s.t.Align, s.t.Size))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Abi}, "transfer")
	return true
}

func flatMemory(t *testing.T, s *subject) []byte {
	b, err := hex.DecodeString(s.FlatMemory)
	require.NoError(t, err)
	return b
}

func flatValues(t *testing.T, s *subject) []uint64 {
	vs := make([]uint64, len(*s.FlatValues))
	for i, v := range *s.FlatValues {
		var err error
		vs[i], err = strconv.ParseUint(v, 0, 64)
		require.NoError(t, err)
	}
	return vs
}
