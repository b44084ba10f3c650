package filesystem

import (
	"context"
	"errors"
	goio "io"
	"math"
	"os"
	"sync/atomic"

	"github.com/lathhost/lath/host/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// openFile is an open file, which a descriptor and any number of streams
// share: the last one closes it.
type openFile struct {
	f      *os.File
	mount  *mount
	ledger ledger
	id     fileID
	refs   atomic.Int64
}

func (o *openFile) share() *openFile {
	o.refs.Add(1)
	return o
}

func (o *openFile) close() {
	if o.refs.Add(-1) > 0 {
		return
	}
	if q := o.mount.quota; q != nil {
		unlock := q.lock()
		i, err := fileStat(o.f)
		if err != nil {
			i = info{id: o.id, links: 1}
		}
		q.closing(i)
		unlock()
	}
	o.f.Close()
	o.ledger.give(fileCost)
}

// file is a descriptor of a file.
type file struct {
	noDirectory
	*openFile
	flags contract.DescriptorFlags
}

var _ contract.Descriptor = (*file)(nil)

// Drop implements the contract.
func (f *file) Drop() { f.close() }

// GetFlags implements the contract.
func (f *file) GetFlags(context.Context) (contract.DescriptorFlags, error) { return f.flags, nil }

// GetType implements the contract.
func (f *file) GetType(context.Context) (contract.DescriptorType, error) {
	return contract.DescriptorTypeRegularFile, nil
}

// Sync implements the contract.
func (f *file) Sync(context.Context) error { return code(f.f.Sync()) }

// SyncData implements the contract.
func (f *file) SyncData(context.Context) error { return code(datasync(f.f)) }

// Stat implements the contract.
func (f *file) Stat(context.Context) (contract.DescriptorStat, error) {
	i, err := fileStat(f.f)
	return i.stat(), code(err)
}

// MetadataHash implements the contract.
func (f *file) MetadataHash(context.Context) (contract.MetadataHashValue, error) {
	i, err := fileStat(f.f)
	return i.hash(), code(err)
}

// SetTimes implements the contract.
func (f *file) SetTimes(_ context.Context, accessed, modified contract.NewTimestamp) error {
	return f.mount.setTimes(f.f, accessed, modified)
}

// IsSameObject implements the contract.
func (f *file) IsSameObject(_ context.Context, other contract.Descriptor) (bool, error) {
	return sameObject(f.f, other)
}

// Advise implements the contract. Systems other than Linux are told nothing.
func (f *file) Advise(_ context.Context, offset, length contract.Filesize, advice contract.Advice) error {
	if offset > math.MaxInt64 || length > math.MaxInt64 {
		return contract.ErrorCodeInvalid
	}
	return code(advise(f.f, int64(offset), int64(length), advice))
}

// SetSize implements the contract.
func (f *file) SetSize(_ context.Context, size contract.Filesize) error {
	if err := f.mayWrite(); err != nil {
		return err
	}
	if size > math.MaxInt64 {
		return contract.ErrorCodeFileTooLarge
	}
	return code(f.resize(int64(size)))
}

// maxRead is the most bytes that one read returns.
const maxRead = 1 << 20

// Read implements the contract. The end is told with the first read that finds
// nothing, also of a read of length 0.
func (f *file) Read(_ context.Context, length, offset contract.Filesize) (contract.TupleBytesBool, error) {
	var none contract.TupleBytesBool
	if err := f.mayRead(offset); err != nil {
		return none, err
	}
	n := min(length, maxRead, math.MaxInt64-offset)
	const ask = 4 << 10 // from here on it is worth asking how much there is
	if n > ask {
		i, err := fileStat(f.f)
		if err != nil {
			return none, code(err)
		}
		n = min(n, max(ask, max(i.size, offset)-offset)) // what has no size, such as /proc, may hold something
	}
	b := make([]byte, n)
	k, err := f.f.ReadAt(b, int64(offset))
	if err != nil && !errors.Is(err, goio.EOF) {
		return none, code(err)
	}
	return contract.TupleBytesBool{F0: b[:k], F1: k == 0}, nil
}

// Write implements the contract: all of buffer, or an error.
func (f *file) Write(_ context.Context, buffer []byte, offset contract.Filesize) (contract.Filesize, error) {
	if err := f.mayWriteAt(offset); err != nil {
		return 0, err
	}
	n, err := f.writeAt(buffer, int64(offset))
	if n > 0 {
		return uint64(n), nil // the next write will tell why no more
	}
	return 0, code(err)
}

// ReadViaStream implements the contract.
func (f *file) ReadViaStream(_ context.Context, offset contract.Filesize) (wasiio.InputStream, error) {
	if err := f.mayRead(offset); err != nil {
		return nil, err
	}
	return io.DirectInputStream(&reader{f.share(), int64(offset)}), nil
}

// WriteViaStream implements the contract.
func (f *file) WriteViaStream(_ context.Context, offset contract.Filesize) (wasiio.OutputStream, error) {
	if err := f.mayWriteAt(offset); err != nil {
		return nil, err
	}
	return io.DirectOutputStream(&writer{f.share(), int64(offset)}), nil
}

// AppendViaStream implements the contract.
func (f *file) AppendViaStream(context.Context) (wasiio.OutputStream, error) {
	if err := f.mayWrite(); err != nil {
		return nil, err
	}
	return io.DirectOutputStream(appender{f.share()}), nil
}

func (f *file) mayRead(offset contract.Filesize) error {
	switch {
	case !f.flags.Has(contract.DescriptorFlagsRead):
		return contract.ErrorCodeBadDescriptor
	case offset > math.MaxInt64:
		return contract.ErrorCodeInvalid
	}
	return nil
}

func (f *file) mayWrite() error {
	if err := f.mount.mayWrite(); err != nil {
		return err
	}
	if !f.flags.Has(contract.DescriptorFlagsWrite) {
		return contract.ErrorCodeBadDescriptor
	}
	return nil
}

func (f *file) mayWriteAt(offset contract.Filesize) error {
	if err := f.mayWrite(); err != nil {
		return err
	}
	if offset > math.MaxInt64 {
		return contract.ErrorCodeInvalid
	}
	return nil
}
