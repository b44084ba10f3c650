package memory_test

import (
	"bytes"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/memory"
)

const page = memory.PageSize

func newMemory(t testing.TB, min, max uint64, b *memory.Budget) *memory.Linear {
	m, err := memory.New(min, max, b)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func TestGrowKeepsContentsAndZeroesTheRest(t *testing.T) {
	t.Parallel()
	m := newMemory(t, page, 4*page, nil)
	require.Len(t, m.Bytes(), page)
	m.Bytes()[page-1] = 7
	grown := m.Reallocate(3 * page)
	require.Len(t, grown, 3*page)
	require.Equal(t, byte(7), m.Bytes()[page-1])
	require.Equal(t, make([]byte, 2*page), m.Bytes()[page:])
	m.Bytes()[3*page-1] = 9
	require.Same(t, &grown[0], &m.Bytes()[0], "the base must not move")
}

func TestGrowBeyondMaxOrDownIsRefused(t *testing.T) {
	t.Parallel()
	m := newMemory(t, page, 2*page, nil)
	require.Nil(t, m.Reallocate(3*page))
	require.Nil(t, m.Reallocate(math.MaxUint64))
	require.Nil(t, m.Reallocate(0))
	require.Len(t, m.Bytes(), page)
	require.Len(t, m.Reallocate(2*page), 2*page)
}

func TestNewRefusesNonsense(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]uint64{{2 * page, page}, {0, memory.MaxSize + 1}, {math.MaxUint64, math.MaxUint64}} {
		_, err := memory.New(c[0], c[1], nil)
		require.ErrorContains(t, err, "want at most")
	}
}

func TestEmptyMemory(t *testing.T) {
	t.Parallel()
	m := newMemory(t, 0, 0, nil)
	require.NotNil(t, m.Reallocate(0), "an empty memory is not a failed one")
	require.Nil(t, m.Reallocate(page))
	grows := newMemory(t, 0, page, nil)
	require.NotNil(t, grows.Reallocate(0))
	require.Len(t, grows.Reallocate(page), page)
}

func TestBudgetBoundsGrowthAndIsReturned(t *testing.T) {
	t.Parallel()
	host := memory.NewBudget(4*page, nil)
	one, two := memory.NewBudget(3*page, host), memory.NewBudget(0, host)

	a, err := memory.New(page, 8*page, one)
	require.NoError(t, err)
	require.Nil(t, a.Reallocate(4*page), "beyond the component's own budget")
	require.NotNil(t, a.Reallocate(3*page))
	b, err := memory.New(page, 8*page, two)
	require.NoError(t, err)
	require.Nil(t, b.Reallocate(2*page), "beyond the host's budget")
	_, err = memory.New(page, page, two)
	var budget *memory.BudgetError
	require.ErrorAs(t, err, &budget)
	require.Equal(t, uint64(page), budget.Want)

	require.Equal(t, memory.Stats{Limit: 4 * page, Used: 4 * page, Peak: 4 * page, Reserved: 16 * page, Refused: 2}, host.Stats())
	require.Equal(t, uint64(3*page), one.Stats().Used)
	require.Equal(t, uint64(page), two.Stats().Used, "a refusal further up must be undone")

	require.NoError(t, a.Close())
	require.NoError(t, a.Close(), "Close may be called again")
	require.NotNil(t, b.Reallocate(4*page))
	require.NoError(t, b.Close())
	require.Nil(t, b.Bytes())
	require.Nil(t, b.Reallocate(page))
	require.Equal(t, memory.Stats{Limit: 4 * page, Peak: 4 * page, Refused: 2}, host.Stats())
}

func TestBudgetUnderContention(t *testing.T) {
	t.Parallel()
	host := memory.NewBudget(8*page, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			own := memory.NewBudget(2*page, host)
			for range 50 {
				m, err := memory.New(page, 2*page, own)
				if err != nil {
					continue
				}
				m.Reallocate(2 * page)
				_ = m.Close()
			}
		})
	}
	wg.Wait()
	s := host.Stats()
	require.Zero(t, s.Used)
	require.Zero(t, s.Reserved)
	require.LessOrEqual(t, s.Peak, s.Limit)
}

func TestFreeIsForTheEngineOnly(t *testing.T) {
	t.Parallel()
	m := newMemory(t, page, page, nil)
	m.Bytes()[0] = 1
	m.Free()
	require.Equal(t, byte(1), m.Bytes()[0])
}

func TestImageIsPrivateToEachMemory(t *testing.T) {
	t.Parallel()
	img, err := memory.NewImage([]memory.Segment{
		{Offset: 10, Bytes: []byte("hello")},
		{Offset: 12, Bytes: []byte("LLO")},
		{Offset: 3*page - 2, Bytes: []byte("end!")},
	})
	require.NoError(t, err)
	require.Equal(t, uint64(4*page), img.Size())
	_, err = img.New(3*page, 8*page, nil)
	require.ErrorContains(t, err, "too small for its image")

	a, err := img.New(5*page, 8*page, nil)
	require.NoError(t, err)
	defer a.Close()
	b, err := img.New(5*page, 8*page, nil)
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, img.Close())
	require.NoError(t, img.Close())

	want := make([]byte, 5*page)
	copy(want[10:], "heLLO")
	copy(want[3*page-2:], "end!")
	require.True(t, bytes.Equal(want, a.Bytes()))
	clear(a.Bytes())
	require.True(t, bytes.Equal(want, b.Bytes()), "a write must not reach another memory")
	require.Len(t, a.Reallocate(8*page), 8*page)
	require.Equal(t, make([]byte, 8*page), a.Bytes())
}

func TestImageOutsideMemory(t *testing.T) {
	t.Parallel()
	_, err := memory.NewImage([]memory.Segment{{Offset: math.MaxUint32, Bytes: []byte("ab")}})
	require.ErrorContains(t, err, "outside linear memory")
	img, err := memory.NewImage(nil)
	require.NoError(t, err)
	require.NoError(t, img.Close())
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		m, err := memory.New(16*page, 1024*page, nil)
		require.NoError(b, err)
		require.NoError(b, m.Close())
	}
}

func BenchmarkImageNew(b *testing.B) {
	img, err := memory.NewImage([]memory.Segment{{Bytes: bytes.Repeat([]byte("x"), 10<<20)}})
	require.NoError(b, err)
	defer img.Close()
	for b.Loop() {
		m, err := img.New(192*page, 1024*page, nil)
		require.NoError(b, err)
		require.NoError(b, m.Close())
	}
}

// TestBudgetAsksForMore has a parent that is full until somebody gives back.
func TestBudgetAsksForMore(t *testing.T) {
	t.Parallel()
	parent := memory.NewBudget(4*page, nil)
	other := newMemory(t, 3*page, 3*page, parent)
	b := memory.NewBudget(10*page, parent)
	var asked []uint64
	b.OnFull(func(want uint64) bool {
		asked = append(asked, want)
		return len(asked) == 1 || len(asked) == 2 && other.Close() == nil
	})
	m := newMemory(t, page, 20*page, b)
	require.Empty(t, asked)
	require.Len(t, m.Reallocate(3*page), 3*page)
	require.Equal(t, []uint64{2 * page, 2 * page}, asked, "once for nothing, then it fits")
	require.Nil(t, m.Reallocate(5*page), "nobody has more")
	require.Len(t, asked, 3)
	require.Nil(t, m.Reallocate(11*page), "its own limit is nobody else's affair")
	require.Len(t, asked, 3)
	require.EqualValues(t, 3*page, parent.Stats().Used)
	require.EqualValues(t, 3*page, b.Stats().Used)
	require.EqualValues(t, 3*page, b.Stats().Peak)
	m.Reallocate(4 * page)
	b.ResetPeak()
	require.EqualValues(t, 4*page, b.Stats().Peak)
}
