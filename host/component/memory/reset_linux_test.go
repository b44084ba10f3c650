package memory

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/internal/refuse"
)

func TestMain(m *testing.M) {
	if err := refuse.FromEnv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestResetWhereTheSystemRefuses repeats all tests of this package where the
// kernel has less to offer, or a sandbox lets less through.
func TestResetWhereTheSystemRefuses(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{
		{"scan-unknown"}, {"scan", "pagemap"}, {"memfd"}, {"madvise"}, {"scan", "pagemap", "madvise", "memfd"},
	} {
		t.Run(fmt.Sprint(names), func(t *testing.T) {
			t.Parallel()
			refuse.Rerun(t, "^Test", names...)
		})
	}
}

// TestRefusalsHold makes sure that the others test what they say.
func TestRefusalsHold(t *testing.T) {
	t.Parallel()
	image := testImage(t, PageSize)
	require.Equal(t, refuse.Refused("memfd"), image.file.file == nil)
	m, _ := marked(t, nil, PageSize, PageSize, kinds["as the system can"], nil)
	require.Equal(t, refuse.Refused("madvise"), !m.base.discard(0, PageSize))
	scan := refuse.Refused("scan") || refuse.Refused("scan-unknown")
	switch p := pagemap(); {
	case scan && refuse.Refused("pagemap"):
		require.Nil(t, p)
	case scan:
		m.Bytes()[5*resetUnit] = 1
		runs, err := p.scan(p.file, nil, m.Bytes())
		require.NoError(t, err)
		require.Equal(t, []run{{5 * resetUnit, 6 * resetUnit}}, runs)
		_, err = scanRegions(p.file, nil, m.Bytes())
		require.Error(t, err)
	}
}

// blind makes a memory as on a system that cannot tell what was written.
func blind(m *Linear) { m.base.noScan = true }

func TestNoHugePages(t *testing.T) {
	t.Parallel()
	m, _ := marked(t, testImage(t, PageSize), 64*PageSize, 64*PageSize, func(m *Linear) { noHugePages(m.base.base) }, nil)
	last := fmt.Sprintf("%x", uintptr(unsafe.Pointer(unsafe.SliceData(m.base.base)))+uintptr(len(m.base.base)))
	smaps, err := os.ReadFile("/proc/self/smaps")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(smaps), "-"+last+" ")
	require.True(t, found)
	_, flags, _ := strings.Cut(after, "VmFlags:")
	flags, _, _ = strings.Cut(flags, "\n")
	if !strings.Contains(flags, " rd ") {
		t.Skip("SKIPPED: the kernel tells no flags of mappings")
	}
	require.Contains(t, flags, " nh")
}

func TestScanFindsWhatWasWritten(t *testing.T) {
	t.Parallel()
	image := testImage(t, 10*PageSize)
	if pagemap() == nil || image.file.file == nil {
		t.Skip("SKIPPED: this system cannot tell what was written, or copies images")
	}
	m, _ := marked(t, image, 12*PageSize, 12*PageSize, kinds["as the system can"], nil)
	mem := m.Bytes()
	_ = mem[9*PageSize] + mem[11*PageSize] // reading makes no page private
	mem[0], mem[5*resetUnit], mem[6*resetUnit], mem[11*PageSize] = 1, 1, 1, 1
	runs, exact := m.dirty(nil, uint64(len(mem)))
	require.True(t, exact)
	require.Equal(t, []run{{end: resetUnit}, {start: 5 * resetUnit, end: 7 * resetUnit}, {start: 11 * PageSize, end: 11*PageSize + resetUnit}}, runs)
}

// TestScanOfManyRuns needs more than one call of the system.
func TestScanOfManyRuns(t *testing.T) {
	t.Parallel()
	if pagemap() == nil {
		t.Skip("SKIPPED: this system cannot tell what was written")
	}
	m, _ := marked(t, nil, 64*PageSize, 64*PageSize, kinds["as the system can"], nil)
	mem := m.Bytes()
	n := 0
	for at := 0; at < len(mem); at += 2 * resetUnit {
		mem[at] = 1
		n++
	}
	require.Greater(t, n, maxRegions)
	runs, _ := m.dirty(nil, uint64(len(mem)))
	require.Len(t, runs, n)
	_, err := m.Reset(1 << 20)
	require.NoError(t, err)
	require.Equal(t, make([]byte, len(mem)), mem)
}

// TestImageWithoutFile is an image on a system that refused a memory file.
func TestImageWithoutFile(t *testing.T) {
	t.Parallel()
	image := testImage(t, 2*PageSize)
	plain := &Image{size: image.size, segments: []Segment{{Bytes: image.file.view}}, whole: func() []byte { return image.file.view }}
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
