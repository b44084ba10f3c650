package filesystem

import (
	"context"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/lathhost/lath/host/component"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// directory is an open directory. What a guest may do below it is what the
// grant says, not what flags it was opened with: programs of preview 1 open
// directories without saying that they will write there.
type directory struct {
	noFile
	mount  *mount
	ledger ledger
	root   *os.Root // resolves paths
	self   *os.File // is what names are relative to
	flags  contract.DescriptorFlags
	again  func(context.Context) (component.Resource, error) // opens it; nil but for those of GetDirectories
}

var _ contract.Descriptor = (*directory)(nil)

// newDirectory owns root, and descriptors that the ledger has taken for it.
func newDirectory(m *mount, l ledger, root *os.Root, flags contract.DescriptorFlags) (*directory, error) {
	self, err := root.Open(".")
	if err != nil {
		_ = root.Close()
		l.give(dirCost)
		return nil, err
	}
	return &directory{mount: m, ledger: l, root: root, self: self, flags: flags}, nil
}

// Renewal implements [component.Renewable].
func (d *directory) Renewal() func(context.Context) (component.Resource, error) { return d.again }

// Drop implements the contract.
func (d *directory) Drop() {
	_ = d.root.Close() // nothing was written by it
	d.self.Close()
	d.ledger.give(dirCost)
}

// GetFlags implements the contract.
func (d *directory) GetFlags(context.Context) (contract.DescriptorFlags, error) { return d.flags, nil }

// GetType implements the contract.
func (d *directory) GetType(context.Context) (contract.DescriptorType, error) {
	return contract.DescriptorTypeDirectory, nil
}

// Sync implements the contract.
func (d *directory) Sync(context.Context) error { return code(d.self.Sync()) }

// SyncData implements the contract.
func (d *directory) SyncData(context.Context) error { return code(datasync(d.self)) }

// Stat implements the contract.
func (d *directory) Stat(context.Context) (contract.DescriptorStat, error) {
	i, err := fileStat(d.self)
	return i.stat(), code(err)
}

// MetadataHash implements the contract.
func (d *directory) MetadataHash(context.Context) (contract.MetadataHashValue, error) {
	i, err := fileStat(d.self)
	return i.hash(), code(err)
}

// SetTimes implements the contract.
func (d *directory) SetTimes(_ context.Context, accessed, modified contract.NewTimestamp) error {
	return d.mount.setTimes(d.self, accessed, modified)
}

// IsSameObject implements the contract.
func (d *directory) IsSameObject(_ context.Context, other contract.Descriptor) (bool, error) {
	return sameObject(d.self, other)
}

// StatAt implements the contract.
func (d *directory) StatAt(ctx context.Context, flags contract.PathFlags, path string) (contract.DescriptorStat, error) {
	e, err := d.find(ctx, path, flags)
	if err != nil {
		return contract.DescriptorStat{}, code(err)
	}
	defer e.close()
	return e.info.stat(), nil
}

// MetadataHashAt implements the contract.
func (d *directory) MetadataHashAt(ctx context.Context, flags contract.PathFlags, path string) (contract.MetadataHashValue, error) {
	e, err := d.find(ctx, path, flags)
	if err != nil {
		return contract.MetadataHashValue{}, code(err)
	}
	defer e.close()
	return e.info.hash(), nil
}

// SetTimesAt implements the contract.
func (d *directory) SetTimesAt(ctx context.Context, flags contract.PathFlags, path string, accessed, modified contract.NewTimestamp) error {
	if err := d.mount.mayWrite(); err != nil {
		return err
	}
	e, err := d.find(ctx, path, flags)
	if err != nil {
		return code(err)
	}
	defer e.close()
	t, change, err := newTimes(e.info, accessed, modified)
	if err != nil || !change {
		return err
	}
	return code(e.in.chtimes(e.name, t))
}

// ReadlinkAt implements the contract.
func (d *directory) ReadlinkAt(ctx context.Context, path string) (string, error) {
	e, err := d.find(ctx, path, 0)
	if err != nil {
		return "", code(err)
	}
	defer e.close()
	if e.info.kind != contract.DescriptorTypeSymbolicLink {
		return "", contract.ErrorCodeInvalid
	}
	target, err := e.in.readlink(e.name)
	switch {
	case err != nil:
		return "", code(err)
	case target != "" && target[0] == '/':
		return "", contract.ErrorCodeNotPermitted
	case !utf8.ValidString(target):
		return "", contract.ErrorCodeIllegalByteSequence
	}
	return target, nil
}

// ReadDirectory implements the contract.
func (d *directory) ReadDirectory(ctx context.Context) (contract.DirectoryEntryStream, error) {
	l := &listing{ledger: d.ledger, budget: component.HostBudgetOf(ctx)}
	if l.budget.Take(listingBytes) != nil {
		return nil, contract.ErrorCodeInsufficientMemory
	}
	if !l.ledger.take(fileCost) {
		l.budget.Give(listingBytes)
		return nil, contract.ErrorCodeInsufficientMemory
	}
	var err error
	if l.f, err = d.list(); err != nil {
		l.release()
		return nil, code(err)
	}
	return l, nil
}

// another returns the descriptor that a guest gave beside d.
func another(other contract.Descriptor) (*directory, error) {
	switch o := other.(type) {
	case *directory:
		return o, nil
	case *file:
		return nil, contract.ErrorCodeNotDirectory
	}
	return nil, fmt.Errorf("descriptor is a %T, which this host did not make", other)
}

// sameObject tells whether other is f.
func sameObject(f *os.File, other contract.Descriptor) (bool, error) {
	var g *os.File
	switch o := other.(type) {
	case *directory:
		g = o.self
	case *file:
		g = o.f
	default:
		return false, fmt.Errorf("descriptor is a %T, which this host did not make", other)
	}
	a, err := f.Stat()
	if err != nil {
		return false, nil // a file that cannot be looked at is no other's
	}
	b, err := g.Stat()
	return err == nil && os.SameFile(a, b), nil
}

func (m *mount) setTimes(f *os.File, accessed, modified contract.NewTimestamp) error {
	if err := m.mayWrite(); err != nil {
		return err
	}
	now, err := fileStat(f)
	if err != nil {
		return code(err)
	}
	t, change, err := newTimes(now, accessed, modified)
	if err != nil || !change {
		return err
	}
	return code(chtimes(f, t))
}
