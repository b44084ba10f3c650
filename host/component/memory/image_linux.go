package memory

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// imageFile is a sealed memory file with an image's bytes, or nothing where
// the system refused one.
type imageFile struct {
	mu     sync.RWMutex
	file   *os.File
	view   []byte // of the file, read-only
	closed bool
	spares spares
}

// open tries to move the image into a memory file. Whatever fails, copying
// still works.
func (i *Image) open() {
	if i.size == 0 {
		return
	}
	fd, err := unix.MemfdCreate("lath-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "lath-image")
	if err := i.fill(f); err != nil {
		_ = f.Close()
		return
	}
	view, err := unix.Mmap(fd, 0, int(i.size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		_ = f.Close()
		return
	}
	i.file.file, i.file.view = f, view
	i.segments = nil
}

func (i *Image) fill(f *os.File) error {
	if err := f.Truncate(int64(i.size)); err != nil {
		return err
	}
	for _, s := range i.segments {
		if _, err := f.WriteAt(s.Bytes, int64(s.Offset)); err != nil {
			return err
		}
	}
	_, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS,
		unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE|unix.F_SEAL_SEAL)
	return err
}

// place puts the image at the start of mem, a fresh mapping of zeros: by a
// private mapping of the file over it, or by copying where there is no file.
func (i *Image) place(mem []byte) (copied bool, _ error) {
	i.file.mu.RLock()
	defer i.file.mu.RUnlock()
	switch {
	case i.size == 0:
		return false, nil
	case i.file.closed:
		return false, os.ErrClosed
	case i.file.file == nil:
		i.copyTo(mem)
		return true, nil
	}
	_, err := unix.MmapPtr(int(i.file.file.Fd()), 0, unsafe.Pointer(unsafe.SliceData(mem)), uintptr(i.size),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	return false, err
}

// hold returns a view of the file that all memories share, or a copy of the
// image where there is no file.
func (f *imageFile) hold(i *Image) ([]byte, error) {
	f.mu.RLock()
	switch {
	case f.closed:
		f.mu.RUnlock()
		return nil, os.ErrClosed
	case f.view != nil:
		return f.view, nil
	}
	return i.whole(), nil
}

func (f *imageFile) letGo() { f.mu.RUnlock() }

func (f *imageFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, view := f.file, f.view
	f.file, f.view, f.closed = nil, nil, true
	if file == nil {
		return nil
	}
	return errors.Join(unix.Munmap(view), file.Close())
}
