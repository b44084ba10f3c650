package fs

import (
	"context"
	"path/filepath"
	"sync"
	"time"

	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Folders opens stores below one folder, by their roots, and has no two of them see
// the same files. It is safe for concurrent use.
type Folders struct {
	dir string

	mu    sync.Mutex
	roots map[string]chan struct{} // of open stores; closed when the store is
}

// NewFolders returns one without stores, whose folder need not be there yet.
func NewFolders(dir string) *Folders {
	return &Folders{dir: dir, roots: map[string]chan struct{}{}}
}

// closing bounds how long Open waits for a store that has the same files: one whose
// settings changed is closed a moment after there are new ones.
const closing = 2 * time.Second

// Open opens a store. Closing it lets another have its files.
func (f *Folders) Open(ctx context.Context, cfg Config) (*FolderStore, error) {
	root := filepath.Clean(cfg.Root)
	wait := time.NewTimer(closing)
	defer wait.Stop()
	for {
		closed := f.take(root)
		if closed == nil {
			break
		}
		select {
		case <-closed:
		case <-ctx.Done():
			return nil, failed(ctx.Err())
		case <-wait.C:
			return nil, blobstore.Errorf("the folder of root %.100q has files that a link with other settings has: give them roots of their own", cfg.Root)
		}
	}
	s, err := Open(f.dir, cfg)
	if err != nil {
		f.leave(root)
		return nil, err
	}
	return &FolderStore{Store: s, leave: sync.OnceFunc(func() { f.leave(root) })}, nil
}

// take takes a root, or returns what tells of the end of a store that is in the way.
func (f *Folders) take(root string) (closed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if closed := f.roots[root]; closed != nil {
		return closed
	}
	f.roots[root] = make(chan struct{})
	return nil
}

func (f *Folders) leave(root string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.roots[root])
	delete(f.roots, root)
}

// FolderStore is a store that [Folders] opened.
type FolderStore struct {
	*Store
	leave func()
}

var _ contract.Store = (*FolderStore)(nil)

// Close ends the store.
func (s *FolderStore) Close() error {
	defer s.leave()
	return s.Store.Close()
}
