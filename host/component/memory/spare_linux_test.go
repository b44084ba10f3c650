package memory

import (
	"bytes"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func spareImage(t *testing.T) *Image {
	t.Helper()
	i, err := NewImage([]Segment{{Offset: 100, Bytes: []byte("image")}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.Close()) }) // again, in one test
	m := memoryOf(t, i, 1, nil)
	if i.file.view == nil || !m.base.discard(0, PageSize) {
		require.NoError(t, m.Close())
		t.Skip("SKIPPED: this system copies images, or takes no pages back")
	}
	require.NoError(t, m.Close())
	_, err = i.dropSpares(false)
	require.NoError(t, err)
	return i
}

func memoryOf(t *testing.T, i *Image, maxPages uint64, b *Budget) *Linear {
	t.Helper()
	m, err := i.New(PageSize, maxPages*PageSize, b)
	require.NoError(t, err)
	return m
}

func requirePristine(t *testing.T, m *Linear) {
	t.Helper()
	require.Len(t, m.Bytes(), PageSize)
	all := m.Reallocate(m.Max())
	require.Len(t, all, int(m.Max()))
	require.Equal(t, "image", string(all[100:105]))
	require.Zero(t, bytes.Count(all[:100], []byte{1})+bytes.Count(all[105:], []byte{1}), "what another left behind")
	require.Equal(t, len(all)-5, bytes.Count(all, []byte{0}))
}

func TestASpareMappingIsAsGoodAsNew(t *testing.T) {
	t.Parallel()
	i, b := spareImage(t), NewBudget(0, nil)
	first := memoryOf(t, i, 8, b)
	at := unsafe.SliceData(first.Bytes())
	all := first.Reallocate(8 * PageSize)
	for k := range all {
		all[k] = 1
	}
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "closing twice keeps it once")
	require.Len(t, i.file.spares.list, 1)
	again := memoryOf(t, i, 8, b)
	require.Same(t, at, unsafe.SliceData(again.Bytes()), "it is the same mapping")
	requirePristine(t, again)
	other := memoryOf(t, i, 8, b)
	require.NotSame(t, at, unsafe.SliceData(other.Bytes()))
	require.NoError(t, other.Close())
	larger := memoryOf(t, i, 16, b)
	requirePristine(t, larger)
	require.NoError(t, larger.Close())
	require.NoError(t, again.Close())
	require.Zero(t, b.Stats().Used)
	require.Zero(t, b.Stats().Reserved)
}

func TestAMemoryThatShrankBeforeItWasClosedIsAsGoodAsNew(t *testing.T) {
	t.Parallel()
	i := spareImage(t)
	m := memoryOf(t, i, 8, nil)
	require.NoError(t, m.Mark())
	for range 2 {
		all := m.Reallocate(8 * PageSize)
		for k := range all {
			all[k] = 1
		}
		_, err := m.Reset(1 << 20)
		require.NoError(t, err)
		m.Reallocate(0) // the engine learns of it
	}
	m.Bytes()[7] = 1
	require.NoError(t, m.Close())
	again := memoryOf(t, i, 8, nil)
	requirePristine(t, again)
	require.NoError(t, again.Close())
}

func TestSparesAreNoMoreThanMemoriesInUse(t *testing.T) {
	t.Parallel()
	i := spareImage(t)
	list := make([]*Linear, 3*maxSpares)
	for k := range list {
		list[k] = memoryOf(t, i, 1, nil)
	}
	for k, m := range list {
		require.NoError(t, m.Close())
		live := len(list) - k - 1
		require.Equal(t, live, i.file.spares.live)
		require.LessOrEqual(t, len(i.file.spares.list), min(max(live, 1), maxSpares))
	}
	require.Len(t, i.file.spares.list, 1)
}

func TestSparesAreHadBack(t *testing.T) {
	t.Parallel()
	root := NewBudget(0, nil)
	images := []*Image{spareImage(t), spareImage(t)}
	for _, i := range images {
		require.NoError(t, memoryOf(t, i, 1, NewBudget(0, root)).Close())
		require.Len(t, i.file.spares.list, 1)
	}
	require.True(t, NewBudget(0, root).dropSpares())
	for _, i := range images {
		require.Empty(t, i.file.spares.list)
	}
	require.False(t, root.dropSpares(), "there is nothing left")
	require.NoError(t, memoryOf(t, images[0], 1, root).Close())
	require.True(t, root.dropSpares(), "it keeps some again")
	var none *Budget
	require.False(t, none.dropSpares())
}

func TestAClosedImageKeepsNothing(t *testing.T) {
	t.Parallel()
	i, b := spareImage(t), NewBudget(0, nil)
	late := memoryOf(t, i, 1, b)
	require.NoError(t, memoryOf(t, i, 1, b).Close())
	require.NoError(t, i.Close())
	require.Empty(t, b.images.set)
	require.Equal(t, "image", string(late.Bytes()[100:105]))
	require.NoError(t, late.Close())
	require.Empty(t, i.file.spares.list)
	require.False(t, b.dropSpares())
}

func TestSparesOfManyGoroutines(t *testing.T) {
	t.Parallel()
	i, b := spareImage(t), NewBudget(0, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range 200 {
				m, err := i.New(PageSize, 4*PageSize, b)
				if err != nil {
					t.Error(err)
					return
				}
				mem := m.Reallocate(4 * PageSize)
				if string(mem[100:105]) != "image" || mem[0] != 0 || mem[len(mem)-1] != 0 {
					t.Error("it is not as new")
				}
				mem[0], mem[100], mem[len(mem)-1] = 1, 1, 1
				if n%50 == 0 {
					b.dropSpares()
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Zero(t, i.file.spares.live)
	require.Zero(t, b.Stats().Used)
}
