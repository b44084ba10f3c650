package fs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// ClearContainer implements contract.Store.
func (s *Store) ClearContainer(ctx context.Context, container string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, err := s.container(ctx, container)
	if err != nil {
		return err
	}
	list, err := s.entries(dir)
	if err != nil {
		return failed(err)
	}
	for _, e := range list {
		if err := s.remove(path.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// remove takes an object away, if it is there; mu is held.
func (s *Store) remove(file string) error {
	info, err := s.info(file)
	if info == nil {
		return err
	}
	if err := s.root.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed(err)
	}
	s.held.Free(1, info.Size())
	return nil
}

// DeleteContainer implements contract.Store.
func (s *Store) DeleteContainer(ctx context.Context, container string) error {
	work, err := s.takeAway(ctx, container)
	if err != nil || work == "" {
		return err
	}
	if err := s.root.RemoveAll(work); err != nil {
		return failed(err) // the next start removes it
	}
	return nil
}

// takeAway moves a container to where it is removed, in one step; an empty name is
// that there is none.
func (s *Store) takeAway(ctx context.Context, container string) (work string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, err := s.folder(ctx, container)
	if err != nil {
		return "", err
	}
	if info, err := s.root.Lstat(dir); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		return "", nil
	}
	objects, size, err := s.count(dir)
	if err != nil {
		return "", failed(err)
	}
	work = workFile()
	if err := s.root.Rename(dir, work); err != nil {
		return "", failed(err)
	}
	s.held.Free(objects, size)
	return work, s.held.Containers(-1)
}

// DeleteObject implements contract.Store.
func (s *Store) DeleteObject(ctx context.Context, id contract.ObjectID) error {
	return s.DeleteObjects(ctx, id.Container, []string{id.Object})
}

// DeleteObjects implements contract.Store.
func (s *Store) DeleteObjects(ctx context.Context, container string, objects []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.container(ctx, container); err != nil {
		return err
	}
	for _, name := range objects {
		file, err := s.file(ctx, contract.ObjectID{Container: container, Object: name})
		if _, long := errors.AsType[contract.Error](err); long {
			continue // a name that no object can have
		} else if err != nil {
			return err
		}
		if err := s.remove(file); err != nil {
			return err
		}
	}
	return nil
}

// CopyObject implements contract.Store.
func (s *Store) CopyObject(ctx context.Context, src, dest contract.ObjectID) error {
	f, _, err := s.open(ctx, src)
	if err != nil {
		return err
	}
	defer f.Close()
	if src == dest {
		return nil
	}
	return s.WriteContainerData(ctx, dest, f)
}

// MoveObject implements contract.Store.
func (s *Store) MoveObject(ctx context.Context, src, dest contract.ObjectID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := s.file(ctx, src)
	if err != nil {
		return err
	}
	if info, err := s.info(from); info == nil {
		if err == nil {
			err = blobstore.NoObject(src)
		}
		return err
	}
	to, err := s.file(ctx, dest)
	if err != nil || from == to {
		return err
	}
	old, err := s.info(to)
	if err != nil {
		return err
	}
	if err := s.root.Rename(from, to); err != nil {
		return failed(err)
	}
	if old != nil {
		s.held.Free(1, old.Size())
	}
	return nil
}

// WriteContainerData implements contract.Store.
func (s *Store) WriteContainerData(ctx context.Context, id contract.ObjectID, data io.Reader) (err error) {
	if _, err := s.file(ctx, id); err != nil {
		return err
	}
	u := blobstore.NewUpload(ctx, data, &s.cfg.Limits, s.held)
	work := workFile()
	defer func() {
		if err != nil {
			u.Free()
			_ = s.root.Remove(work) // or the next start does
		}
	}()
	if err := s.write(work, u); err != nil {
		return err
	}
	return s.commit(ctx, id, work)
}

// write writes an upload to a new file, on disk.
func (s *Store) write(work string, u *blobstore.Upload) error {
	f, err := s.root.OpenFile(work, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return failed(err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, u, make([]byte, 64<<10))
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	switch {
	case u.Err != nil:
		return u.Err
	case err != nil:
		return failed(err)
	}
	return nil
}

// commit moves a whole object to its place.
func (s *Store) commit(ctx context.Context, id contract.ObjectID, work string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, err := s.file(ctx, id) // the container may have gone meanwhile
	if err != nil {
		return err
	}
	old, err := s.info(file)
	if err != nil {
		return err
	}
	if old == nil {
		if err := s.held.Objects(1); err != nil {
			return err
		}
	}
	if err := s.root.Rename(work, file); err != nil {
		if old == nil {
			s.held.Free(1, 0)
		}
		return failed(err)
	}
	if old != nil {
		s.held.Free(0, old.Size())
	}
	return nil
}
