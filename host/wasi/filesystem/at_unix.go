//go:build linux || darwin

package filesystem

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// representable says whether a path of a guest's means the same to the system.
func representable(string) bool { return true }

// parent is an open directory whose names are used by single system calls,
// each with one path element and following no link.
type parent struct {
	dir  *os.File
	owns bool
}

// parent opens the directory that dir leads to; "" is d itself. The "." after
// it makes anything but a directory an error, without opening it.
func (d *directory) parent(dir string) (parent, error) {
	if dir == "" {
		return parent{dir: d.self}, nil
	}
	f, err := d.root.OpenFile(dir+"/.", os.O_RDONLY|unix.O_DIRECTORY, 0)
	return parent{f, true}, err
}

func (p parent) close() {
	if p.owns {
		p.dir.Close()
	}
}

func (p parent) fd() int { return int(p.dir.Fd()) }

// again calls a system call until no signal interrupts it.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (p parent) lstat(name string) (info, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstatat(p.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return statInfo(&st), err
}

// fileStat is what is known about an open file.
func fileStat(f *os.File) (info, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstat(int(f.Fd()), &st) })
	return statInfo(&st), err
}

func statInfo(st *unix.Stat_t) info {
	i := info{
		links: uint64(st.Nlink), size: uint64(max(0, st.Size)),
		id:       fileID{uint64(st.Dev), st.Ino},
		accessed: datetime(st.Atim.Unix()), modified: datetime(st.Mtim.Unix()), changed: datetime(st.Ctim.Unix()),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		i.kind = contract.DescriptorTypeRegularFile
	case unix.S_IFDIR:
		i.kind = contract.DescriptorTypeDirectory
	case unix.S_IFLNK:
		i.kind = contract.DescriptorTypeSymbolicLink
	case unix.S_IFBLK:
		i.kind = contract.DescriptorTypeBlockDevice
	case unix.S_IFCHR:
		i.kind = contract.DescriptorTypeCharacterDevice
	case unix.S_IFIFO:
		i.kind = contract.DescriptorTypeFifo
	case unix.S_IFSOCK:
		i.kind = contract.DescriptorTypeSocket
	}
	return i
}

// openFlags are what the system is asked for. O_NONBLOCK keeps an open of what
// a moment ago was a file from waiting for the other end of a pipe.
func openFlags(flags contract.DescriptorFlags) int {
	mode := unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	switch {
	case flags.Has(contract.DescriptorFlagsRead | contract.DescriptorFlagsWrite):
		mode |= unix.O_RDWR
	case flags.Has(contract.DescriptorFlagsWrite):
		mode |= unix.O_WRONLY
	default:
		mode |= unix.O_RDONLY
	}
	switch {
	case flags&(contract.DescriptorFlagsFileIntegritySync|contract.DescriptorFlagsRequestedWriteSync) != 0:
		mode |= unix.O_SYNC
	case flags.Has(contract.DescriptorFlagsDataIntegritySync):
		mode |= unix.O_DSYNC
	}
	return mode
}

// open opens a name, which has to be a regular file: [errRaced] if it is
// something else by now.
func (p parent) open(name string, flags contract.DescriptorFlags, create bool) (*os.File, info, error) {
	mode := openFlags(flags)
	if create {
		mode |= unix.O_CREAT | unix.O_EXCL
	}
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(p.fd(), name, mode, 0o666)
		return err
	})
	switch {
	case errors.Is(err, unix.ELOOP), !create && errors.Is(err, unix.ENOENT), create && errors.Is(err, unix.EEXIST):
		return nil, info{}, errRaced
	case err != nil:
		return nil, info{}, err
	}
	var st unix.Stat_t
	if err = again(func() error { return unix.Fstat(fd, &st) }); err == nil {
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			err = errRaced
		} else {
			err = unix.SetNonblock(fd, false)
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, info{}, err
	}
	return os.NewFile(uintptr(fd), name), statInfo(&st), nil
}

// list opens the directory once more, for reading its names.
func (d *directory) list() (*os.File, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(int(d.self.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "."), nil
}

func (p parent) readlink(name string) (string, error) {
	b := make([]byte, maxPath+1)
	var n int
	err := again(func() (err error) {
		n, err = unix.Readlinkat(p.fd(), name, b)
		return err
	})
	if err == nil && n > maxPath {
		err = contract.ErrorCodeNameTooLong
	}
	return string(b[:max(0, n)]), err
}

func (p parent) mkdir(name string) error {
	return again(func() error { return unix.Mkdirat(p.fd(), name, 0o777) })
}

func (p parent) unlink(name string) error {
	return again(func() error { return unix.Unlinkat(p.fd(), name, 0) })
}

func (p parent) rmdir(name string) error {
	return again(func() error { return unix.Unlinkat(p.fd(), name, unix.AT_REMOVEDIR) })
}

func (p parent) symlink(target, name string) error {
	return again(func() error { return unix.Symlinkat(target, p.fd(), name) })
}

func (p parent) link(name string, to parent, newName string) error {
	return again(func() error { return unix.Linkat(p.fd(), name, to.fd(), newName, 0) })
}

func (p parent) rename(name string, to parent, newName string) error {
	return again(func() error { return unix.Renameat(p.fd(), name, to.fd(), newName) })
}

// chtimes sets the times of a name, also if it is a link.
func (p parent) chtimes(name string, t fileTimes) error {
	spec, err := t.spec()
	if err != nil {
		return err
	}
	return again(func() error { return unix.UtimesNanoAt(p.fd(), name, spec, unix.AT_SYMLINK_NOFOLLOW) })
}

func (t fileTimes) spec() ([]unix.Timespec, error) {
	at, err := unix.TimeToTimespec(t.accessed)
	if err != nil {
		return nil, contract.ErrorCodeOverflow
	}
	mt, err := unix.TimeToTimespec(t.modified)
	if err != nil {
		return nil, contract.ErrorCodeOverflow
	}
	return []unix.Timespec{at, mt}, nil
}

// futimes sets the times of an open file to the microsecond.
func futimes(f *os.File, spec []unix.Timespec) error {
	micros := []unix.Timeval{unix.NsecToTimeval(spec[0].Nano()), unix.NsecToTimeval(spec[1].Nano())}
	return again(func() error { return unix.Futimes(int(f.Fd()), micros) })
}
