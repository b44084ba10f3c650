package filesystem

import (
	"context"
	"errors"
	"os"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// errRaced says that a name became something else while it was opened.
var errRaced = errors.New("changed meanwhile")

// maxRaces bounds how often an open begins anew because of that.
const maxRaces = 16

// syncFlags are those that concern when something written is stored.
const syncFlags = contract.DescriptorFlagsFileIntegritySync | contract.DescriptorFlagsDataIntegritySync |
	contract.DescriptorFlagsRequestedWriteSync

// opening is a wish to open something.
type opening struct {
	follow, create, exclusive, truncate, directory bool
	flags                                          contract.DescriptorFlags
}

// newOpening reads the flags. What is not opened for writing is opened for
// reading, and creating or truncating counts as a wish to write.
func newOpening(path contract.PathFlags, open contract.OpenFlags, flags contract.DescriptorFlags) (opening, error) {
	o := opening{
		follow: path.Has(contract.PathFlagsSymlinkFollow),
		create: open.Has(contract.OpenFlagsCreate), directory: open.Has(contract.OpenFlagsDirectory),
		truncate: open.Has(contract.OpenFlagsTruncate), flags: flags,
	}
	o.exclusive = o.create && open.Has(contract.OpenFlagsExclusive)
	o.follow = o.follow && !o.exclusive
	if !flags.Has(contract.DescriptorFlagsWrite) {
		o.flags |= contract.DescriptorFlagsRead
	}
	if o.create || o.truncate {
		o.flags |= contract.DescriptorFlagsWrite
	}
	if o.directory && open&^contract.OpenFlagsDirectory != 0 {
		return o, contract.ErrorCodeInvalid
	}
	return o, nil
}

// OpenAt implements the contract.
func (d *directory) OpenAt(ctx context.Context, pathFlags contract.PathFlags, path string, openFlags contract.OpenFlags, flags contract.DescriptorFlags) (contract.Descriptor, error) {
	o, err := newOpening(pathFlags, openFlags, flags)
	if err != nil {
		return nil, err
	}
	if o.flags.Has(contract.DescriptorFlagsWrite) {
		if err := d.mount.mayWrite(); err != nil {
			return nil, err
		}
	}
	for range maxRaces {
		opened, err := d.open(ctx, path, o)
		if err == nil {
			return opened, nil
		}
		if !errors.Is(err, errRaced) {
			return nil, code(err)
		}
	}
	return nil, contract.ErrorCodeBusy
}

// open opens what is at path now. Only what was seen to be a file or directory
// is opened: to open a device may already be to use it.
func (d *directory) open(ctx context.Context, path string, o opening) (contract.Descriptor, error) {
	e, err := d.look(ctx, path, o.follow)
	if err != nil {
		return nil, err
	}
	defer e.close()
	if e.missing {
		return d.create(e, o)
	}
	if o.exclusive {
		return nil, contract.ErrorCodeExist
	}
	switch e.info.kind {
	case contract.DescriptorTypeDirectory:
		if o.flags.Has(contract.DescriptorFlagsWrite) {
			return nil, contract.ErrorCodeIsDirectory
		}
		return d.openDirectory(e.path, o)
	case contract.DescriptorTypeRegularFile:
		if o.directory || e.slash {
			return nil, contract.ErrorCodeNotDirectory
		}
		return d.openFile(e, o, false)
	case contract.DescriptorTypeSymbolicLink:
		if o.directory {
			return nil, contract.ErrorCodeNotDirectory
		}
		return nil, contract.ErrorCodeLoop
	}
	return nil, contract.ErrorCodeNotPermitted
}

func (d *directory) create(e entry, o opening) (contract.Descriptor, error) {
	switch {
	case !o.create:
		return nil, contract.ErrorCodeNoEntry
	case e.slash:
		return nil, contract.ErrorCodeIsDirectory
	}
	f, err := d.openFile(e, o, true)
	if o.exclusive && errors.Is(err, errRaced) {
		err = contract.ErrorCodeExist
	}
	return f, err
}

// openFile opens or makes a file.
func (d *directory) openFile(e entry, o opening, create bool) (contract.Descriptor, error) {
	if !d.ledger.take(fileCost) {
		return nil, contract.ErrorCodeInsufficientMemory
	}
	f, i, err := d.openCounted(e, o, create)
	if err != nil {
		d.ledger.give(fileCost)
		return nil, err
	}
	of := &openFile{f: f, mount: d.mount, ledger: d.ledger, id: i.id}
	of.refs.Store(1)
	opened := &file{openFile: of, flags: o.flags &^ contract.DescriptorFlagsMutateDirectory}
	if o.truncate && !create {
		if err := of.resize(0); err != nil {
			of.close() // gives the descriptor back, too
			return nil, err
		}
	}
	return opened, nil
}

// openCounted opens or makes a file for the quota to know of.
func (d *directory) openCounted(e entry, o opening, create bool) (*os.File, info, error) {
	q := d.mount.quota
	defer q.lock()()
	if create {
		if err := q.charge(nameCost); err != nil {
			return nil, info{}, err
		}
	}
	f, i, err := e.in.open(e.name, o.flags, create)
	switch {
	case err == nil:
		q.opened(i.id)
	case create:
		q.refund(nameCost)
	}
	return f, i, err
}

// openDirectory opens a directory. The "." after the path makes it an error if
// it is something else by now.
func (d *directory) openDirectory(path string, o opening) (contract.Descriptor, error) {
	if !d.ledger.take(dirCost) {
		return nil, contract.ErrorCodeInsufficientMemory
	}
	root, err := d.root.OpenRoot(path + "/.")
	if err != nil {
		d.ledger.give(dirCost)
		return nil, err
	}
	flags := o.flags &^ syncFlags
	if !d.mount.Write {
		flags &^= contract.DescriptorFlagsMutateDirectory
	}
	return newDirectory(d.mount, d.ledger, root, flags)
}
