package core_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
)

// codeOf returns the contents of the code section.
func codeOf(t *testing.T, b []byte) []byte {
	for at := 8; at < len(b); {
		id, size := b[at], 0
		at++
		for shift := 0; ; shift += 7 {
			size |= int(b[at]&0x7f) << shift
			at++
			if b[at-1] < 0x80 {
				break
			}
		}
		if id == 10 {
			return b[at : at+size]
		}
		at += size
	}
	return nil
}

// Each function has constants that occur nowhere else, by which their places
// before and after are found.
func TestOffsetsLeadToTheCode(t *testing.T) {
	t.Parallel()
	mark := func(n byte) []byte { return []byte{0x44, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x99, n, 0x1a} } // f64.const, drop
	bodies := [][]byte{
		slices.Concat(mark(1), []byte{0x03, 0x40}, mark(2), []byte{0x0d, 0, 0x0b, 0x10, 1}, mark(3)), // loop, call 1
		mark(4),
		slices.Concat([]byte{0x41, 0, 0x04, 0x40, 0x0f, 0x0b}, mark(5), []byte{0x10, 2}, mark(6), []byte{0xfc, 11, 0}, mark(7)), // return, call 2, fill
	}
	payload := []byte{byte(len(bodies))}
	for _, b := range bodies {
		payload = append(append(append(payload, byte(len(b)+4), 1, 0, 0x7f), b...), 0x0b) // with a group of no locals
	}
	b := module(voidType, sec(3, 3, 0, 0, 0), memory1, sec(10, payload...))
	m, err := core.Parse(b, core.Limits{})
	require.NoError(t, err)
	for _, plain := range []bool{false, true} {
		r, err := core.Rewrite(m, core.Plan{KeepOffsets: true, NoChecks: plain})
		require.NoError(t, err)
		before, after := codeOf(t, b), codeOf(t, r.Bytes)
		if plain {
			require.Equal(t, before, after)
		}
		for n := byte(1); n <= 7; n++ {
			at := bytes.Index(after, mark(n))
			for i := range mark(n) {
				from, ok := r.Offsets.Original(uint32(at + i))
				require.True(t, ok)
				require.Equal(t, bytes.Index(before, mark(n))+i, int(from), "mark %d", n)
			}
		}
		_, ok := r.Offsets.Original(0)
		require.False(t, ok, "no code is there")
		last := uint32(len(after) - 1)
		from, ok := r.Offsets.Original(last)
		require.Equal(t, plain, ok, "the last function is not the module's")
		if plain {
			require.Equal(t, last, from)
			continue
		}
		from, ok = r.Offsets.Original(uint32(bytes.Index(after, mark(1)) - 1))
		require.True(t, ok)
		require.Equal(t, bytes.Index(before, mark(1)), int(from), "what a function begins with counts as its first instruction")
		fill := bytes.Index(before, mark(6)) + len(mark(6))
		from, ok = r.Offsets.Original(uint32(bytes.Index(after, mark(6)) + len(mark(6))))
		require.True(t, ok)
		require.Equal(t, fill, int(from), "a call in the place of memory.fill")
	}
	r, err := core.Rewrite(m, core.Plan{})
	require.NoError(t, err)
	require.Nil(t, r.Offsets)
	_, ok := r.Offsets.Original(1)
	require.False(t, ok)
}
