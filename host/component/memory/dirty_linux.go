package memory

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ioctl PAGEMAP_SCAN of /proc/self/pagemap, Linux 6.7 and later.
// Source: Linux, Documentation/admin-guide/mm/pagemap.rst.
const (
	pagemapScan = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)

	pageIsFile    = 1 << 2
	pageIsPresent = 1 << 3
	pageIsSwapped = 1 << 4
	pageIsPfnZero = 1 << 5
)

// scanArg is struct pm_scan_arg.
type scanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages uint64
	inverted, mask, anyOf, returns                          uint64
}

// region is struct page_region.
type region struct {
	start, end uint64
	_          uint64 // its categories
}

// maxRegions is how many runs one call of the ioctl returns.
const maxRegions = 256

// scanner is the scratch space of a scan.
type scanner struct {
	arg     scanArg
	regions [maxRegions]region
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// pagemap is the process' page map, or nil where it cannot be scanned.
var pagemap = sync.OnceValue(func() *os.File {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil
	}
	probe := make([]byte, 2*os.Getpagesize())
	if _, err := scan(f, nil, probe); err != nil {
		_ = f.Close()
		return nil
	}
	return f
})

// dirty appends the runs of [0, size) that may differ from the image: those
// that the process has private pages for. Where the system cannot tell, that
// is all of it, and not exact.
func (m *Linear) dirty(runs []run, size uint64) (_ []run, exact bool, _ error) {
	mem := m.base.slice(size)
	if len(mem) == 0 {
		return runs, true, nil
	}
	if f := pagemap(); f != nil && !m.base.noScan {
		runs, err := scan(f, runs, mem)
		return runs, true, err
	}
	return append(runs, run{end: size}), false, nil
}

// scan asks the kernel for the private pages of mem.
func scan(f *os.File, runs []run, mem []byte) ([]run, error) {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	base := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))
	page := uint64(os.Getpagesize())
	start, end := base&^(page-1), (base+uint64(len(mem))+page-1)&^(page-1)
	for start < end {
		s.arg = scanArg{
			size: uint64(unsafe.Sizeof(s.arg)), start: start, end: end,
			vec: uint64(uintptr(unsafe.Pointer(&s.regions))), vecLen: maxRegions,
			inverted: pageIsFile | pageIsPfnZero, mask: pageIsFile | pageIsPfnZero, anyOf: pageIsPresent | pageIsSwapped,
		}
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), pagemapScan, uintptr(unsafe.Pointer(&s.arg)))
		runtime.KeepAlive(s)
		if errno != 0 {
			if errors.Is(errno, unix.EINTR) {
				continue
			}
			return runs, os.NewSyscallError("ioctl PAGEMAP_SCAN", errno)
		}
		for _, r := range s.regions[:n] {
			runs = append(runs, run{start: max(r.start, base) - base, end: r.end - base})
		}
		if s.arg.walkEnd <= start {
			break // no progress is no more regions
		}
		start = s.arg.walkEnd
	}
	return runs, nil
}

// discard gives the private pages of [start, end) back to the system, so that
// they read as the image and zeros again. It reports whether they do.
func (m *mapping) discard(start, end uint64) bool {
	return !m.copied && unix.Madvise(m.base[start:end], unix.MADV_DONTNEED) == nil
}
