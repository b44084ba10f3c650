//go:build !linux && !darwin

package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
	"strings"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// representable says whether a path of a guest's means the same to the system:
// on Windows a backslash would divide it and a colon name a stream of a file.
func representable(s string) bool {
	return runtime.GOOS != "windows" || !strings.ContainsAny(s, `\:`)
}

// parent is a directory below a root, which resolves its path anew each time.
type parent struct {
	root *os.Root
	dir  string
}

func (d *directory) parent(dir string) (parent, error) {
	if dir != "" {
		i, err := d.root.Stat(dir)
		if err != nil {
			return parent{}, err
		}
		if !i.IsDir() {
			return parent{}, contract.ErrorCodeNotDirectory
		}
	}
	return parent{d.root, dir}, nil
}

func (p parent) close() {}

// at joins without cleaning: ".." belongs to what a link before it leads to.
func (p parent) at(name string) string {
	if p.dir == "" {
		return name
	}
	return p.dir + "/" + name
}

func (p parent) lstat(name string) (info, error) {
	i, err := p.root.Lstat(p.at(name))
	if err != nil {
		return info{}, err
	}
	return fileInfo(i), nil
}

// fileStat is what is known about an open file.
func fileStat(f *os.File) (info, error) {
	i, err := f.Stat()
	if err != nil {
		return info{}, err
	}
	return fileInfo(i), nil
}

func fileInfo(i fs.FileInfo) info {
	modified := i.ModTime()
	t := datetime(modified.Unix(), int64(modified.Nanosecond()))
	return info{kind: modeKind(i.Mode()), links: 1, size: uint64(max(0, i.Size())), accessed: t, modified: t, changed: t}
}

// open opens a name, which has to be a regular file: [errRaced] if it is
// something else by now.
func (p parent) open(name string, flags contract.DescriptorFlags, create bool) (*os.File, info, error) {
	if flags&syncFlags != 0 {
		return nil, info{}, contract.ErrorCodeUnsupported
	}
	mode := os.O_RDONLY
	switch {
	case flags.Has(contract.DescriptorFlagsRead | contract.DescriptorFlagsWrite):
		mode = os.O_RDWR
	case flags.Has(contract.DescriptorFlagsWrite):
		mode = os.O_WRONLY
	}
	if create {
		mode |= os.O_CREATE | os.O_EXCL
	}
	f, err := p.root.OpenFile(p.at(name), mode, 0o666)
	switch {
	case !create && errors.Is(err, fs.ErrNotExist), create && errors.Is(err, fs.ErrExist):
		return nil, info{}, errRaced
	case err != nil:
		return nil, info{}, err
	}
	i, err := fileStat(f)
	if err == nil && i.kind != contract.DescriptorTypeRegularFile {
		err = errRaced
	}
	if err != nil {
		f.Close()
		return nil, info{}, err
	}
	return f, i, nil
}

// list opens the directory once more, for reading its names.
func (d *directory) list() (*os.File, error) { return d.root.Open(".") }

func (p parent) readlink(name string) (string, error) {
	target, err := p.root.Readlink(p.at(name))
	return strings.ReplaceAll(target, string(os.PathSeparator), "/"), err
}

func (p parent) mkdir(name string) error { return p.root.Mkdir(p.at(name), 0o777) }

func (p parent) unlink(name string) error { return p.root.Remove(p.at(name)) }

func (p parent) rmdir(name string) error {
	i, err := p.lstat(name)
	switch {
	case err != nil:
		return err
	case i.kind != contract.DescriptorTypeDirectory:
		return contract.ErrorCodeNotDirectory
	case path.Clean(p.at(name)) == ".":
		return contract.ErrorCodeInvalid
	}
	return p.root.Remove(p.at(name))
}

func (p parent) symlink(target, name string) error {
	return p.root.Symlink(strings.ReplaceAll(target, "/", string(os.PathSeparator)), p.at(name))
}

func (p parent) link(name string, to parent, newName string) error {
	if p.root != to.root {
		return contract.ErrorCodeCrossDevice
	}
	return p.root.Link(p.at(name), to.at(newName))
}

func (p parent) rename(name string, to parent, newName string) error {
	if p.root != to.root {
		return contract.ErrorCodeCrossDevice
	}
	return p.root.Rename(p.at(name), to.at(newName))
}

// chtimes sets the times of a name.
func (p parent) chtimes(name string, t fileTimes) error {
	return p.root.Chtimes(p.at(name), t.accessed, t.modified)
}
