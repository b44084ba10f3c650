package filesystem

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// Files carries out wasi:filesystem for all instances of one component. It
// holds no directory open itself: every instance opens its own, which its end
// closes. It is safe for concurrent use.
type Files struct {
	mounts []*mount
	open   *counter
}

var (
	_ contract.Preopens = (*Files)(nil)
	_ contract.Types    = (*Files)(nil)
)

// mount is a directory that was granted.
type mount struct {
	Dir
	quota   *quota
	refused func(why string)
	// appends makes room for one append at a time where the system has no
	// atomic one.
	appends sync.Mutex
}

// New makes the files of a component out of the directories it was granted:
// see [Check]. refused, if it is not nil, is told what was refused for want of
// a grant, in words that name it, and may be told the same often.
func New(dirs []Dir, refused func(why string)) *Files {
	f := &Files{open: &counter{limit: maxOpenAll}}
	if refused == nil {
		refused = func(string) {}
	}
	for _, d := range dirs {
		m := &mount{Dir: d, refused: refused}
		if d.Quota > 0 && d.Write {
			m.quota = &quota{limit: d.Quota, open: map[fileID]int{}, refused: func() {
				refused(fmt.Sprintf("wasi:filesystem: the quota of %s is used up: it was granted as --dir HOST::%s:quota=%d", d.Guest, d.Guest, d.Quota))
			}}
		}
		f.mounts = append(f.mounts, m)
	}
	return f
}

// Check reports directories that no instance could start with: that are not
// there, are none, or may not be opened by this process. The error has all of
// them.
func Check(dirs []Dir) error {
	var errs []error
	for _, d := range dirs {
		root, err := openRoot(d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, root.Close())
	}
	return errors.Join(errs...)
}

// openRoot opens a directory that was granted. The "." after it makes anything
// else an error at once, also a pipe, which would wait for a writer.
func openRoot(d Dir) (*os.Root, error) {
	root, err := os.OpenRoot(d.Host + string(os.PathSeparator) + ".")
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	if err != nil {
		return nil, fmt.Errorf("directory %s, granted as %s: %w", d.Host, d.Guest, err)
	}
	return root, nil
}

// GetDirectories implements the contract. A directory that is gone stops the
// guest.
func (f *Files) GetDirectories(ctx context.Context) ([]contract.TupleDescriptorString, error) {
	if len(f.mounts) == 0 {
		return nil, nil
	}
	dirs := make([]contract.TupleDescriptorString, 0, len(f.mounts))
	for _, m := range f.mounts {
		d, err := f.preopen(ctx, m)
		if err != nil {
			for _, opened := range dirs {
				opened.F0.Drop()
			}
			return nil, err
		}
		dirs = append(dirs, contract.TupleDescriptorString{F0: d, F1: m.Guest})
	}
	return dirs, nil
}

func (f *Files) preopen(ctx context.Context, m *mount) (*directory, error) {
	l := f.ledger(ctx)
	if !l.take(dirCost) {
		return nil, fmt.Errorf("directory %s: too many open files", m.Guest)
	}
	flags := contract.DescriptorFlagsRead
	if m.Write {
		flags |= contract.DescriptorFlagsMutateDirectory
	}
	root, err := openRoot(m.Dir)
	if err != nil {
		l.give(dirCost)
		return nil, err
	}
	d, err := newDirectory(m, l, root, flags)
	if err != nil {
		return nil, err
	}
	d.again = func(ctx context.Context) (component.Resource, error) { return f.preopen(ctx, m) }
	return d, nil
}

// FilesystemErrorCode implements the contract.
func (f *Files) FilesystemErrorCode(_ context.Context, err wasiio.Error) (wit.Option[contract.ErrorCode], error) {
	e, ok := err.(*io.Error)
	if !ok {
		return wit.None[contract.ErrorCode](), nil
	}
	code, ok := contract.ErrorCodeFrom(e)
	if !ok {
		return wit.None[contract.ErrorCode](), nil
	}
	return wit.Some(code), nil
}

// mayWrite answers whoever wants to change something.
func (m *mount) mayWrite() error {
	if m.Write {
		return nil
	}
	m.refused(fmt.Sprintf("wasi:filesystem: writing below %s is not granted: --dir HOST::%s:ro is only for reading, without :ro it is for writing too", m.Guest, m.Guest))
	return contract.ErrorCodeNotPermitted
}

// together says whether a name may move from one directory to another: inside
// one grant, or where no quota would have to be told.
func (m *mount) together(other *mount) bool {
	return m == other || m.quota == nil && other.quota == nil
}
