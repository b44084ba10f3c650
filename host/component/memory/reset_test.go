package memory

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// kinds of memory that a reset must bring back: what the system offers, and
// what is left where it offers less.
var kinds = map[string]func(m *Linear){
	"as the system can": func(*Linear) {},
	"nobody can tell":   blind,
}

func marked(t testing.TB, image *Image, min, max uint64, as func(*Linear), start func([]byte)) (*Linear, *Budget) {
	t.Helper()
	budget := NewBudget(0, nil)
	m, err := newLinear(min, max, budget, image)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	as(m)
	if start != nil {
		start(m.Bytes())
	}
	require.NoError(t, m.Mark())
	return m, budget
}

func testImage(t testing.TB, size int, segments ...Segment) *Image {
	t.Helper()
	if segments == nil {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i>>12) + byte(i)
		}
		segments = []Segment{{Offset: 100, Bytes: data}}
	}
	image, err := NewImage(segments)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, image.Close()) })
	return image
}

// reset is Reset, and tells the memory's user of the size.
func reset(m *Linear, keep int) error {
	_, err := m.Reset(keep)
	if m.Shrunk() {
		m.Reallocate(0)
	}
	return err
}

// scribble does what guests do: writes here and there, in runs long and short,
// and grows.
func scribble(r *rand.Rand, m *Linear) {
	for range r.IntN(40) {
		mem := m.Bytes()
		if r.IntN(8) == 0 {
			m.Reallocate(uint64(len(mem)) + PageSize*uint64(r.IntN(3)))
			continue
		}
		at := r.IntN(len(mem))
		n := min(1<<r.IntN(18), len(mem)-at)
		for i := at; i < at+n; i++ {
			mem[i] = byte(r.Uint32())
		}
	}
}

func TestResetBringsBackEverything(t *testing.T) {
	t.Parallel()
	start := func(mem []byte) { // what a start function writes: in the image, across its end, and beyond
		copy(mem[5000:], bytes.Repeat([]byte{0xaa}, 9000))
		copy(mem[3*PageSize-10:], bytes.Repeat([]byte{0xbb}, 20))
		mem[len(mem)-1] = 0xcc
	}
	for name, as := range kinds {
		for _, keep := range []int{0, 3, 1 << 20} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				image := testImage(t, 3*PageSize-500)
				m, budget := marked(t, image, 5*PageSize, 64*PageSize, as, start)
				want := bytes.Clone(m.Bytes())
				r := rand.New(rand.NewPCG(1, uint64(keep)))
				for round := range 60 {
					scribble(r, m)
					err := reset(m, keep)
					require.NoError(t, err)
					require.True(t, bytes.Equal(want, m.Bytes()), "round %d", round)
					require.Equal(t, uint64(len(want)), budget.Stats().Used)
				}
				grown := m.Reallocate(64 * PageSize)
				require.Len(t, grown, 64*PageSize)
				require.Equal(t, -1, bytes.IndexFunc(grown[len(want):], func(r rune) bool { return r != 0 }), "grown memory is zero")
			})
		}
	}
}

// TestResetOfBigMemories is about what is beyond the first megabyte, which is
// given back and not rewritten where nobody can tell what was written.
func TestResetOfBigMemories(t *testing.T) {
	t.Parallel()
	for name, as := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image := testImage(t, 5<<20)
			m, _ := marked(t, image, 8<<20, 16<<20, as, func(mem []byte) {
				mem[keptUnknown-1], mem[keptUnknown], mem[4<<20], mem[7<<20] = 1, 2, 3, 4
				copy(mem[keptUnknown-resetUnit-7:], bytes.Repeat([]byte{9}, 3*resetUnit))
			})
			want := bytes.Clone(m.Bytes())
			r := rand.New(rand.NewPCG(2, 2))
			for range 10 {
				scribble(r, m)
				err := reset(m, 4096)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, m.Bytes()))
			}
		})
	}
}

func TestResetWithoutImage(t *testing.T) {
	t.Parallel()
	for name, as := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := marked(t, nil, PageSize, 4*PageSize, as, nil)
			m.Bytes()[77] = 1
			m.Reallocate(4 * PageSize)[4*PageSize-1] = 1
			err := reset(m, 100)
			require.NoError(t, err)
			require.Equal(t, make([]byte, PageSize), m.Bytes())
			require.Equal(t, make([]byte, 4*PageSize), m.Reallocate(4*PageSize))
		})
	}
}

func TestResetOfNothing(t *testing.T) {
	t.Parallel()
	m, _ := marked(t, nil, 0, PageSize, kinds["as the system can"], nil)
	err := reset(m, 10)
	require.NoError(t, err)
	m.Reallocate(PageSize)[0] = 1
	err = reset(m, 10)
	require.NoError(t, err)
	require.Empty(t, m.Bytes())
	require.Equal(t, byte(0), m.Reallocate(PageSize)[0])
}

func TestResetIsRefusedWithoutMark(t *testing.T) {
	t.Parallel()
	m, err := New(PageSize, PageSize, nil)
	require.NoError(t, err)
	_, err = m.Reset(1)
	require.ErrorContains(t, err, "never marked")
	require.NoError(t, m.Mark())
	require.NoError(t, m.Close())
	_, err = m.Reset(1)
	require.ErrorContains(t, err, "closed")
}

func TestMemoriesOfAnImageAreApart(t *testing.T) {
	t.Parallel()
	image := testImage(t, PageSize)
	a, _ := marked(t, image, 2*PageSize, 2*PageSize, kinds["as the system can"], func(mem []byte) { mem[0] = 1 })
	b, _ := marked(t, image, 2*PageSize, 2*PageSize, kinds["as the system can"], func(mem []byte) { mem[0] = 2 })
	clear(a.Bytes())
	_, err := a.Reset(100)
	require.NoError(t, err)
	require.Equal(t, byte(1), a.Bytes()[0])
	require.Equal(t, byte(2), b.Bytes()[0])
	require.Equal(t, a.Bytes()[1:], b.Bytes()[1:])
}

// TestEqualDeltasAreKeptOnce is about what start functions write, which is mostly
// the same in all instances.
func TestEqualDeltasAreKeptOnce(t *testing.T) {
	t.Parallel()
	image := testImage(t, 4*PageSize)
	start := func(seed byte) func(mem []byte) {
		return func(mem []byte) {
			for at := PageSize; at < 3*PageSize; at += 10 {
				mem[at] ^= 0xff
			}
			mem[PageSize+5*resetUnit] = seed
			mem[5*PageSize] = 1
		}
	}
	own := func(m *Linear) (n int) {
		for _, p := range m.reset.delta {
			if !p.shared {
				n += len(p.bytes)
			}
		}
		return n
	}
	a, _ := marked(t, image, 6*PageSize, 6*PageSize, kinds["as the system can"], start(1))
	require.Equal(t, 2*PageSize+resetUnit, own(a))
	b, _ := marked(t, image, 6*PageSize, 6*PageSize, kinds["as the system can"], start(2))
	require.Equal(t, resetUnit, own(b), "the page that is not the same")
	c, _ := marked(t, image, 6*PageSize, 6*PageSize, kinds["as the system can"], start(1))
	require.Zero(t, own(c))
	d, _ := marked(t, image, 6*PageSize, 6*PageSize, kinds["as the system can"], func(mem []byte) { mem[0]++ })
	require.Equal(t, resetUnit, own(d))
	for _, m := range []*Linear{b, c, d} {
		want := bytes.Clone(m.Bytes())
		clear(m.Bytes())
		require.NoError(t, a.Close())
		require.NoError(t, reset(m, 1<<20))
		require.True(t, bytes.Equal(want, m.Bytes()))
	}
}

func BenchmarkReset(b *testing.B) {
	for _, pages := range []int{0, 16, 256, 2048} {
		b.Run("pages="+strconv.Itoa(pages), func(b *testing.B) { benchmarkReset(b, pages) })
	}
}

func benchmarkReset(b *testing.B, pages int) {
	image := testImage(b, 10<<20)
	m, _ := marked(b, image, 12<<20, 16<<20, kinds["as the system can"], nil)
	for b.Loop() {
		mem := m.Bytes()
		for p := range pages {
			mem[p*resetUnit] = 1
		}
		if _, err := m.Reset(4096); err != nil {
			b.Fatal(err)
		}
	}
}
