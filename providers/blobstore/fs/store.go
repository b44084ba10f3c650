package fs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Config are the limits of a [Store]. Fields that are zero or negative mean the
// defaults.
type Config struct {
	blobstore.Limits
	blobstore.Capacity
	// Root names the folder that has the containers, in the provider's own one; empty:
	// one without a name. No folder has another one's files, whatever they are called.
	Root string
}

// ParseConfig reads a provider's configuration: v1's root, and the names of
// [blobstore.Limits] and [blobstore.Capacity]. v1's root is any folder of the
// host, by default one for each component; here it is one in the provider's own.
func ParseConfig(from provider.Settings) (Config, error) {
	var cfg Config
	s := cfg.Limits.Settings()
	cfg.Capacity.AddSettings(s)
	s["root"] = func(value string) error {
		if !filepath.IsLocal(value) {
			return errors.New("want a folder in the provider's own, such as photos: no configuration opens other folders of a host")
		}
		cfg.Root = value
		return nil
	}
	return cfg, s.Read("blob store", from)
}

// Files beside those of containers and objects.
const (
	// workDir has what is being written or removed. A new store empties it.
	workDir = ".work"
	// rootsDir has the folders that have names.
	rootsDir = ".roots"
	// marker is in each container that the store made; its age is the container's.
	marker = ".container"
)

// Store keeps blobs in files. It is safe for concurrent use, but only one store may
// use a folder at a time. What others put there is seen, but not counted.
type Store struct {
	cfg  Config
	root *os.Root
	held *blobstore.Held

	mu sync.Mutex // changes take turns; reads do not
}

var _ contract.Store = (*Store)(nil)

// Open returns a store on a folder, which it makes, and counts what is there. Close
// it.
func Open(dir string, cfg Config) (*Store, error) {
	cfg.Limits.SetDefaults()
	cfg.Capacity.SetDefaults()
	root, err := openRoot(dir, cfg.Root)
	if err != nil {
		return nil, failed(err)
	}
	s := &Store{cfg: cfg, root: root, held: blobstore.NewHeld(cfg.Capacity)}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(failed(err), root.Close())
	}
	return s, nil
}

// openRoot opens a folder in dir, out of which no link leads.
func openRoot(dir, name string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil || name == "" {
		return root, err
	}
	defer root.Close() //nolint:errcheck // nothing was written through it
	folder, err := fileName(filepath.ToSlash(filepath.Clean(name)))
	if err != nil {
		return nil, err
	}
	folder = path.Join(rootsDir, folder)
	if err := root.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	return root.OpenRoot(folder)
}

func (s *Store) prepare() error {
	if err := s.root.RemoveAll(workDir); err != nil {
		return err
	}
	if err := s.root.Mkdir(workDir, 0o700); err != nil {
		return err
	}
	containers, err := s.entries(".")
	if err != nil {
		return err
	}
	for _, c := range containers {
		if !c.IsDir() {
			continue
		}
		objects, size, err := s.count(c.Name())
		if err != nil {
			return err
		}
		s.held.Found(1, objects, size)
	}
	return nil
}

// Close ends the store.
func (s *Store) Close() error { return s.root.Close() }

// failed names what does not work, and nothing of the host's folders.
func failed(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%s: %w", p.Op, p.Err)
	} else if l, ok := errors.AsType[*os.LinkError](err); ok {
		err = fmt.Errorf("%s: %w", l.Op, l.Err)
	}
	return fmt.Errorf("blob store: %w", err)
}

// entries are what a folder has of ours: the files of objects, and the folders of
// containers.
func (s *Store) entries(dir string) ([]fs.DirEntry, error) {
	f, err := s.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	list := all[:0]
	for _, e := range all {
		if _, ok := nameOf(e.Name()); ok && (e.IsDir() || e.Type().IsRegular()) {
			list = append(list, e)
		}
	}
	return list, nil
}

// count counts a folder's objects and their bytes.
func (s *Store) count(dir string) (objects, size int64, err error) {
	list, err := s.entries(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range list {
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return 0, 0, err
		case info.Mode().IsRegular():
			objects, size = objects+1, size+info.Size()
		}
	}
	return objects, size, nil
}

// folder returns the folder of a container, whether or not it is there.
func (s *Store) folder(ctx context.Context, container string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("blob store: %w", err)
	}
	if err := s.cfg.CheckNames(container); err != nil {
		return "", err
	}
	return fileName(container)
}

// container returns the folder of a container that is there.
func (s *Store) container(ctx context.Context, container string) (string, error) {
	dir, err := s.folder(ctx, container)
	if err != nil {
		return "", err
	}
	info, err := s.root.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir():
		return "", blobstore.NoContainer(container)
	case err != nil:
		return "", failed(err)
	}
	return dir, nil
}

// file returns the file of an object in a container that is there.
func (s *Store) file(ctx context.Context, id contract.ObjectID) (string, error) {
	dir, err := s.container(ctx, id.Container)
	if err != nil {
		return "", err
	}
	if err := s.cfg.CheckNames(id.Object); err != nil {
		return "", err
	}
	name, err := fileName(id.Object)
	return path.Join(dir, name), err
}

// info returns what is known of the file of an object; nil: it is not there.
func (s *Store) info(file string) (fs.FileInfo, error) {
	info, err := s.root.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular():
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, failed(err)
	}
	return info, nil
}

func seconds(t time.Time) uint64 { return uint64(max(0, t.Unix())) }

// workFile is the name of a file or folder that nobody else uses.
func workFile() string { return path.Join(workDir, strings.ToLower(rand.Text())) }

// CreateContainer implements contract.Store.
func (s *Store) CreateContainer(ctx context.Context, container string) error {
	dir, err := s.folder(ctx, container)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if info, err := s.root.Lstat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := s.held.Containers(1); err != nil {
		return err
	}
	if err := s.makeContainer(dir); err != nil {
		return errors.Join(failed(err), s.held.Containers(-1))
	}
	return nil
}

func (s *Store) makeContainer(dir string) error {
	work := workFile()
	if err := s.root.Mkdir(work, 0o700); err != nil {
		return err
	}
	if err := s.root.WriteFile(path.Join(work, marker), nil, 0o600); err != nil {
		return err
	}
	return s.root.Rename(work, dir)
}

// ContainerExists implements contract.Store.
func (s *Store) ContainerExists(ctx context.Context, container string) (bool, error) {
	dir, err := s.folder(ctx, container)
	if err != nil {
		return false, err
	}
	info, err := s.root.Lstat(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, failed(err)
	}
	return err == nil && info.IsDir(), nil
}

// GetContainerInfo implements contract.Store.
func (s *Store) GetContainerInfo(ctx context.Context, container string) (contract.ContainerMetadata, error) {
	dir, err := s.container(ctx, container)
	if err != nil {
		return contract.ContainerMetadata{}, err
	}
	info, err := s.root.Lstat(path.Join(dir, marker))
	if errors.Is(err, fs.ErrNotExist) { // somebody else made it
		info, err = s.root.Lstat(dir)
	}
	if err != nil {
		return contract.ContainerMetadata{}, failed(err)
	}
	return contract.ContainerMetadata{CreatedAt: seconds(info.ModTime())}, nil
}

// ListContainerObjects implements contract.Store.
func (s *Store) ListContainerObjects(ctx context.Context, container string, limit, offset wit.Option[uint64]) (contract.Names, error) {
	dir, err := s.container(ctx, container)
	if err != nil {
		return nil, err
	}
	list, err := s.entries(dir)
	if err != nil {
		return nil, failed(err)
	}
	var names []string
	for _, e := range list {
		if name, _ := nameOf(e.Name()); e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return blobstore.Listing(names, limit, offset), nil
}

// HasObject implements contract.Store.
func (s *Store) HasObject(ctx context.Context, id contract.ObjectID) (bool, error) {
	file, err := s.file(ctx, id)
	if err != nil {
		return false, err
	}
	info, err := s.info(file)
	return info != nil, err
}

// GetObjectInfo implements contract.Store.
func (s *Store) GetObjectInfo(ctx context.Context, id contract.ObjectID) (contract.ObjectMetadata, error) {
	file, err := s.file(ctx, id)
	if err != nil {
		return contract.ObjectMetadata{}, err
	}
	info, err := s.info(file)
	if info == nil {
		if err == nil {
			err = blobstore.NoObject(id)
		}
		return contract.ObjectMetadata{}, err
	}
	return contract.ObjectMetadata{CreatedAt: seconds(info.ModTime()), Size: uint64(info.Size())}, nil
}

// open opens an object.
func (s *Store) open(ctx context.Context, id contract.ObjectID) (*os.File, int64, error) {
	file, err := s.file(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	if info, err := s.info(file); info == nil { // opening a pipe would wait
		if err == nil {
			err = blobstore.NoObject(id)
		}
		return nil, 0, err
	}
	f, err := s.root.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, blobstore.NoObject(id)
	} else if err != nil {
		return nil, 0, failed(err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(failed(err), f.Close())
	}
	return f, info.Size(), nil
}

// GetContainerData implements contract.Store.
func (s *Store) GetContainerData(ctx context.Context, id contract.ObjectID, start, end uint64) (io.ReadCloser, error) {
	f, size, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	offset, length, err := blobstore.Range(start, end, size)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return blobstore.ReadCloser(ctx, io.NewSectionReader(f, offset, length), f.Close), nil
}
