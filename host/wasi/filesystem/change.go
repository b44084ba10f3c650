package filesystem

import (
	"context"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// CreateDirectoryAt implements the contract.
func (d *directory) CreateDirectoryAt(ctx context.Context, path string) error {
	return d.change(ctx, path, func(e entry) error {
		return d.addName(0, func() error { return e.in.mkdir(e.name) })
	})
}

// SymlinkAt implements the contract. The target may lead anywhere but to an
// absolute path; following it is another matter.
func (d *directory) SymlinkAt(ctx context.Context, target, path string) error {
	switch {
	case target == "":
		return contract.ErrorCodeNoEntry
	case len(target) > maxPath:
		return contract.ErrorCodeNameTooLong
	}
	if _, err := parsePath(target); err != nil {
		return err
	}
	return d.change(ctx, path, func(e entry) error {
		if e.slash && e.missing {
			return contract.ErrorCodeNoEntry
		}
		return d.addName(int64(len(target)), func() error { return e.in.symlink(target, e.name) })
	})
}

// change calls do with a name that is to be made, removed or moved.
func (d *directory) change(ctx context.Context, path string, do func(entry) error) error {
	if err := d.mount.mayWrite(); err != nil {
		return err
	}
	e, err := d.place(ctx, path)
	if err != nil {
		return code(err)
	}
	defer e.close()
	return code(do(e))
}

// addName makes a name that the quota has room for, with n more bytes.
func (d *directory) addName(n int64, add func() error) error {
	q := d.mount.quota
	defer q.lock()()
	if err := q.charge(nameCost + n); err != nil {
		return err
	}
	err := add()
	if err != nil {
		q.refund(nameCost + n)
	}
	return err
}

// RemoveDirectoryAt implements the contract.
func (d *directory) RemoveDirectoryAt(ctx context.Context, path string) error {
	return d.change(ctx, path, func(e entry) error {
		defer d.mount.quota.lock()()
		err := e.in.rmdir(e.name)
		if err == nil {
			d.mount.quota.refund(nameCost)
		}
		return err
	})
}

// UnlinkFileAt implements the contract.
func (d *directory) UnlinkFileAt(ctx context.Context, path string) error {
	return d.change(ctx, path, func(e entry) error {
		q := d.mount.quota
		defer q.lock()()
		i, err := e.in.lstat(e.name)
		if err != nil {
			return err
		}
		if i.kind == contract.DescriptorTypeDirectory {
			return contract.ErrorCodeIsDirectory
		}
		if err := e.in.unlink(e.name); err != nil {
			return err
		}
		q.removed(i)
		return nil
	})
}

// LinkAt implements the contract. A link is never followed: WASI leaves that
// to the host, and no system does it in a way that a guest could rely on.
func (d *directory) LinkAt(ctx context.Context, flags contract.PathFlags, oldPath string, newDescriptor contract.Descriptor, newPath string) error {
	to, err := d.target(newDescriptor)
	if err != nil {
		return err
	}
	if flags.Has(contract.PathFlagsSymlinkFollow) {
		return contract.ErrorCodeInvalid
	}
	old, err := d.find(ctx, oldPath, 0)
	if err != nil {
		return code(err)
	}
	defer old.close()
	return to.change(ctx, newPath, func(e entry) error {
		switch {
		case old.isDir():
			return contract.ErrorCodeNotPermitted
		case e.slash && e.missing:
			return contract.ErrorCodeNoEntry
		}
		return to.addName(0, func() error { return old.in.link(old.name, e.in, e.name) })
	})
}

// target is the directory that a name of d is to have or get another name in.
func (d *directory) target(other contract.Descriptor) (*directory, error) {
	to, err := another(other)
	if err != nil {
		return nil, err
	}
	if err := d.mount.mayWrite(); err != nil {
		return nil, err
	}
	if err := to.mount.mayWrite(); err != nil {
		return nil, err
	}
	if !d.mount.together(to.mount) {
		return nil, contract.ErrorCodeCrossDevice
	}
	return to, nil
}

// RenameAt implements the contract.
func (d *directory) RenameAt(ctx context.Context, oldPath string, newDescriptor contract.Descriptor, newPath string) error {
	to, err := d.target(newDescriptor)
	if err != nil {
		return err
	}
	return d.change(ctx, oldPath, func(old entry) error {
		if old.missing {
			return contract.ErrorCodeNoEntry
		}
		return to.change(ctx, newPath, func(e entry) error {
			if e.slash && !old.isDir() {
				return contract.ErrorCodeNotDirectory
			}
			return d.mount.quota.rename(old, e)
		})
	})
}

// rename moves a name, over another one if there is one.
func (q *quota) rename(old, to entry) error {
	if q == nil {
		return old.in.rename(old.name, to.in, to.name)
	}
	defer q.lock()()
	moved, err := old.in.lstat(old.name)
	if err != nil {
		return err
	}
	over, overErr := to.in.lstat(to.name)
	if err := old.in.rename(old.name, to.in, to.name); err != nil {
		return err
	}
	// Two names of one file both stay (POSIX).
	if overErr == nil && (over.id != moved.id || over.id == (fileID{})) {
		q.removed(over)
	}
	return nil
}
