package memory

import (
	"errors"
	"fmt"
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
	pages   [maxPages]uint64
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

// scan is a way to ask the kernel for the private pages of a mapping: it appends
// the runs of mem that may have been written, and few others.
type scan func(f *os.File, runs []run, mem []byte) ([]run, error)

// pageMap is the process' page map and the way to ask it.
type pageMap struct {
	file *os.File
	scan scan
}

// pagemap returns the page map, or nil where it tells nothing: sandboxes (gVisor,
// seccomp filters) refuse it or make something up.
var pagemap = sync.OnceValue(func() *pageMap {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil
	}
	for _, way := range []scan{scanRegions, scanPages} {
		if probe(f, way) {
			return &pageMap{f, way}
		}
	}
	_ = f.Close()
	return nil
})

// probe reports whether a scan finds a written page, and not one that was never
// touched.
func probe(f *os.File, way scan) bool {
	page := os.Getpagesize()
	mem, err := unix.Mmap(-1, 0, 4*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Munmap(mem) }()
	mem[2*page] = 1
	runs, err := way(f, nil, mem)
	return err == nil && len(runs) == 1 && runs[0] == run{uint64(2 * page), uint64(3 * page)}
}

// dirty appends the runs of [0, size) that may differ from the image: those
// that the process has private pages for. Where the system cannot tell, that
// is all of it, and not exact.
func (m *Linear) dirty(runs []run, size uint64) (_ []run, exact bool) {
	mem := m.base.slice(size)
	if len(mem) == 0 {
		return runs, true
	}
	if p := pagemap(); p != nil && !m.base.noScan {
		if runs, err := p.scan(p.file, runs, mem); err == nil {
			return runs, true
		}
	}
	return append(runs, run{end: size}), false
}

// scanRegions is a [scan] by ioctl: the kernel returns nothing but the runs.
func scanRegions(f *os.File, runs []run, mem []byte) ([]run, error) {
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

// What an entry of the page map says, which any kernel tells.
const (
	entryPresent = 1 << 63
	entrySwapped = 1 << 62
	entryFile    = 1 << 61
)

// maxPages is how many entries are read at a time.
const maxPages = 4096

// scanPages is a [scan] by reading, for kernels before 6.7. It takes pages that
// were only read for written where no image is.
func scanPages(f *os.File, runs []run, mem []byte) ([]run, error) {
	s := scanners.Get().(*scanner)
	defer scanners.Put(s)
	page := uint64(os.Getpagesize())
	first := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem)))) / page
	for at, end := uint64(0), (uint64(len(mem))+page-1)/page; at < end; {
		n := min(end-at, maxPages)
		b := unsafe.Slice((*byte)(unsafe.Pointer(&s.pages)), 8*n)
		if got, err := f.ReadAt(b, int64(8*(first+at))); got < len(b) {
			return runs, fmt.Errorf("read the page map: %w", err)
		}
		for i, e := range s.pages[:n] {
			if e&(entryPresent|entrySwapped) == 0 || e&entryFile != 0 {
				continue
			}
			start := (at + uint64(i)) * page
			if k := len(runs) - 1; k >= 0 && runs[k].end == start {
				runs[k].end += page
			} else {
				runs = append(runs, run{start, start + page})
			}
		}
		at += n
	}
	return runs, nil
}

// discard gives the private pages of [start, end) back to the system, so that
// they read as the image and zeros again. It reports whether they do.
func (m *mapping) discard(start, end uint64) bool {
	return !m.copied && unix.Madvise(m.base[start:end], unix.MADV_DONTNEED) == nil
}
