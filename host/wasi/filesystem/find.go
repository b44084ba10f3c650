package filesystem

import (
	"context"
	"errors"
	"io/fs"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// entry is what a path led to: a name in an open directory, and what was found
// there when it was looked at. Somebody else may change that at any time, so
// whatever is done with the name must stand it.
type entry struct {
	in      parent
	name    string
	path    string // without a link in its last place, if links were followed
	slash   bool
	missing bool
	info    info
}

func (e entry) close() { e.in.close() }

func (e entry) isDir() bool {
	return !e.missing && e.info.kind == contract.DescriptorTypeDirectory
}

// look finds what a path leads to. A link in its last place is followed if
// follow says so, or if the path ends in a slash. A missing last element is no
// error. The end of ctx is looked at between links. The caller closes the entry.
func (d *directory) look(ctx context.Context, path string, follow bool) (entry, error) {
	for range maxLinks + 1 {
		if ctx.Err() != nil { // each turn may walk thousands of directories
			return entry{}, contract.ErrorCodeInterrupted
		}
		p, err := parsePath(path)
		if err != nil {
			return entry{}, err
		}
		e, err := d.lookOnce(p)
		e.path = path
		if err != nil || e.missing || e.info.kind != contract.DescriptorTypeSymbolicLink || !follow && !p.slash {
			return e, err
		}
		target, err := e.in.readlink(e.name)
		e.close()
		if err != nil {
			return entry{}, err
		}
		if path, err = p.follow(target); err != nil {
			return entry{}, err
		}
	}
	return entry{}, contract.ErrorCodeLoop
}

func (d *directory) lookOnce(p splitPath) (e entry, err error) {
	in, err := d.parent(p.dir)
	if err != nil {
		return e, err
	}
	e = entry{in: in, name: p.name, slash: p.slash}
	e.info, err = in.lstat(p.name)
	if e.missing = errors.Is(err, fs.ErrNotExist); err != nil && !e.missing {
		in.close()
		return entry{}, err
	}
	return e, nil
}

// find is look for what has to be there.
func (d *directory) find(ctx context.Context, path string, follow contract.PathFlags) (entry, error) {
	e, err := d.look(ctx, path, follow.Has(contract.PathFlagsSymlinkFollow))
	switch {
	case err != nil:
		return e, err
	case e.missing:
		err = contract.ErrorCodeNoEntry
	case e.slash && !e.isDir():
		err = contract.ErrorCodeNotDirectory
	}
	if err != nil {
		e.close()
	}
	return e, err
}

// place finds a name that is to be made, removed or moved itself: no link is
// followed, and one that has a slash after it is no name for a directory.
func (d *directory) place(ctx context.Context, path string) (entry, error) {
	p, err := parsePath(path)
	if err != nil {
		return entry{}, err
	}
	e, err := d.lookOnce(p)
	if err != nil || !e.slash || e.missing || e.isDir() {
		return e, err
	}
	e.close()
	// A link that leads out of the directory is told as such.
	if e, err = d.look(ctx, path, true); err != nil {
		return e, err
	}
	e.close()
	return entry{}, contract.ErrorCodeNotDirectory
}
