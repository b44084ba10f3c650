package memory

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// blind makes a memory as on a system that cannot tell what was written.
func blind(m *Linear) { m.base.noScan = true }

func TestScanFindsWhatWasWritten(t *testing.T) {
	t.Parallel()
	if pagemap() == nil {
		t.Skip("SKIPPED: this system has no PAGEMAP_SCAN")
	}
	image := testImage(t, 10*PageSize)
	m, _ := marked(t, image, 12*PageSize, 12*PageSize, kinds["as the system can"], nil)
	mem := m.Bytes()
	_ = mem[9*PageSize] + mem[11*PageSize] // reading makes no page private
	mem[0], mem[5*resetUnit], mem[6*resetUnit], mem[11*PageSize] = 1, 1, 1, 1
	runs, exact, err := m.dirty(nil, uint64(len(mem)))
	require.NoError(t, err)
	require.True(t, exact)
	require.Equal(t, []run{{end: resetUnit}, {start: 5 * resetUnit, end: 7 * resetUnit}, {start: 11 * PageSize, end: 11*PageSize + resetUnit}}, runs)
}

// TestScanOfManyRuns needs more than one call of the system.
func TestScanOfManyRuns(t *testing.T) {
	t.Parallel()
	if pagemap() == nil {
		t.Skip("SKIPPED: this system has no PAGEMAP_SCAN")
	}
	m, _ := marked(t, nil, 64*PageSize, 64*PageSize, kinds["as the system can"], nil)
	mem := m.Bytes()
	n := 0
	for at := 0; at < len(mem); at += 2 * resetUnit {
		mem[at] = 1
		n++
	}
	require.Greater(t, n, maxRegions)
	runs, _, err := m.dirty(nil, uint64(len(mem)))
	require.NoError(t, err)
	require.Len(t, runs, n)
	_, err = m.Reset(1 << 20)
	require.NoError(t, err)
	require.Equal(t, make([]byte, len(mem)), mem)
}

// TestImageWithoutFile is an image on a system that refused a memory file.
func TestImageWithoutFile(t *testing.T) {
	t.Parallel()
	image := testImage(t, 2*PageSize)
	plain := &Image{size: image.size, segments: []Segment{{Bytes: image.bytes()}}, whole: func() []byte { return image.bytes() }}
	m, _ := marked(t, plain, 3*PageSize, 3*PageSize, kinds["as the system can"], func(mem []byte) { mem[1] = 9 })
	require.True(t, m.base.copied)
	want := append([]byte(nil), m.Bytes()...)
	for _, keep := range []int{0, 100} {
		clear(m.Bytes())
		_, err := m.Reset(keep)
		require.NoError(t, err)
		require.Equal(t, want, m.Bytes())
	}
}
