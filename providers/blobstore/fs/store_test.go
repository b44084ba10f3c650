package fs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/blobstore/blobstoretest"
	"github.com/lathhost/lath/providers/blobstore/fs"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, dir string, cfg fs.Config) *fs.Store {
	t.Helper()
	s, err := fs.Open(dir, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	stores := func(cfg fs.Config) func(testing.TB) contract.Store {
		return func(t testing.TB) contract.Store { return open(t, t.TempDir(), cfg) }
	}
	blobstoretest.RunRoutes(t, blobstoretest.Limits{ObjectBytes: 100_000, NameBytes: 100, Bytes: 150_000, Objects: 7, Containers: 4}, stores(fs.Config{}),
		stores(fs.Config{Limits: blobstore.Limits{MaxObjectBytes: 100_000, MaxNameBytes: 100},
			Capacity: blobstore.Capacity{MaxBytes: 150_000, MaxObjects: 7, MaxContainers: 4}, Root: "a/b"}))
}

// TestReopen: what was stored is there again, and counted; what was being written
// is not.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	s, err := fs.Open(dir, fs.Config{})
	require.NoError(t, err)
	require.NoError(t, s.CreateContainer(ctx, "box"))
	id := contract.ObjectID{Container: "box", Object: "a b"}
	require.NoError(t, s.WriteContainerData(ctx, id, strings.NewReader("hello")))
	info, err := s.GetContainerInfo(ctx, "box")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.FileExists(t, filepath.Join(dir, "box", "a%20b"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".work", "left"), []byte("half"), 0o600))

	s = open(t, dir, fs.Config{Capacity: blobstore.Capacity{MaxBytes: 6, MaxObjects: 1, MaxContainers: 1}})
	require.NoFileExists(t, filepath.Join(dir, ".work", "left"))
	r, err := s.GetContainerData(ctx, id, 0, 100)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, errors.Join(err, r.Close()))
	require.Equal(t, "hello", string(b))
	again, err := s.GetContainerInfo(ctx, "box")
	require.NoError(t, err)
	require.Equal(t, info, again)
	require.ErrorContains(t, s.CreateContainer(ctx, "more"), "limit of 1 containers")
	require.ErrorContains(t, s.WriteContainerData(ctx, contract.ObjectID{Container: "box", Object: "more"}, strings.NewReader("")), "limit of 1 objects")
	require.ErrorContains(t, s.WriteContainerData(ctx, id, strings.NewReader("22")), "limit of 6 bytes")
	require.NoError(t, s.WriteContainerData(ctx, id, strings.NewReader("2")))
}

// TestLinks: no link leads out of the folder, and what is no file is no object.
func TestLinks(t *testing.T) {
	t.Parallel()
	out, dir, ctx := t.TempDir(), t.TempDir(), t.Context()
	secret := filepath.Join(out, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	s := open(t, dir, fs.Config{})
	require.NoError(t, s.CreateContainer(ctx, "box"))
	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "box", "link")))
	require.NoError(t, os.Symlink(out, filepath.Join(dir, "outside")))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "box", "folder"), 0o700))
	for _, id := range []contract.ObjectID{{Container: "box", Object: "link"}, {Container: "outside", Object: "secret"}, {Container: "box", Object: "folder"}} {
		_, err := s.GetContainerData(ctx, id, 0, 100)
		require.Error(t, err, "%v", id)
		require.NotContains(t, err.Error(), dir)
	}
	names, err := s.ListContainerObjects(ctx, "box", wit.None[uint64](), wit.None[uint64]())
	require.NoError(t, err)
	_, err = names.Next(1)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, s.WriteContainerData(ctx, contract.ObjectID{Container: "box", Object: "link"}, bytes.NewReader([]byte("mine"))))
	b, err := os.ReadFile(secret)
	require.NoError(t, err)
	require.Equal(t, "secret", string(b), "the link was replaced, not followed")
}

// TestFolders: stores that would see each other's files are not open at the same time.
func TestFolders(t *testing.T) {
	t.Parallel()
	folders, ctx := fs.NewFolders(t.TempDir()), t.Context()
	a, err := folders.Open(ctx, fs.Config{Root: "a"})
	require.NoError(t, err)
	b, err := folders.Open(ctx, fs.Config{Root: "ab"})
	require.NoError(t, err)
	require.NoError(t, a.CreateContainer(ctx, "box"))
	is, err := b.ContainerExists(ctx, "box")
	require.NoError(t, err)
	require.False(t, is)
	over, cancel := context.WithCancel(ctx)
	cancel()
	for _, root := range []string{"a", "./a", "ab/"} {
		_, err := folders.Open(over, fs.Config{Root: root})
		require.ErrorIs(t, err, context.Canceled, root)
	}
	for _, root := range []string{"", "a/b", ".roots", ".roots/a"} { // are others
		s, err := folders.Open(ctx, fs.Config{Root: root})
		require.NoError(t, err)
		require.NoError(t, s.CreateContainer(ctx, "a"))
		require.NoError(t, s.DeleteContainer(ctx, ".roots"))
		require.NoError(t, s.DeleteContainer(ctx, "a"))
		require.NoError(t, s.Close())
	}
	is, err = a.ContainerExists(ctx, "box")
	require.NoError(t, err)
	require.True(t, is)
	opened := make(chan error, 1)
	go func() {
		s, err := folders.Open(ctx, fs.Config{Root: "a"})
		opened <- err
		if err == nil {
			opened <- s.Close()
		}
	}()
	require.NoError(t, a.Close(), "for which it waits")
	require.NoError(t, <-opened)
	require.NoError(t, <-opened)
	_, err = folders.Open(ctx, fs.Config{Root: "ab"})
	require.ErrorContains(t, err, "roots of their own")
	require.NoError(t, b.Close())
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	cfg, err := fs.ParseConfig(provider.Settings{Config: map[string]string{"ROOT": "photos", "max_objects": "3"}})
	require.NoError(t, err)
	require.Equal(t, fs.Config{Root: "photos", Capacity: blobstore.Capacity{MaxObjects: 3}}, cfg)
	for _, root := range []string{"/tmp/x", "../x", ""} {
		_, err = fs.ParseConfig(provider.Settings{Config: map[string]string{"root": root}})
		require.ErrorContains(t, err, "provider's own")
	}
}
