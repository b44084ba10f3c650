package oci

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/host/blob"
	"github.com/lathhost/lath/lattice"
)

func TestCacheIsForItsUserAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("file modes say nothing on Windows")
	}
	reg := newRegistry(t, nil)
	ref, _ := reg.push(t, "a:1", wasm("mode"))
	dir := filepath.Join(t.TempDir(), "new", "cache")
	_, err := newClient(t, Config{Insecure: []string{reg.addr}, CacheDir: dir}).Pull(t.Context(), ref, nil)
	require.NoError(t, err)
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, path)
		if info.Mode().IsRegular() {
			files++
		}
		return nil
	}))
	require.Equal(t, 3, files, "manifest, component, tag, and nothing half written")

	open := t.TempDir()
	require.NoError(t, os.Chmod(open, 0o777))
	got, err := newClient(t, Config{Insecure: []string{reg.addr}, CacheDir: open}).Pull(t.Context(), ref, nil)
	require.NoError(t, err, "the artifact is good")
	require.ErrorIs(t, got.CacheError, lattice.ErrDenied)
	require.ErrorContains(t, got.CacheError, "chmod 700")
}

func TestCacheThatCannotBeWrittenFailsNoPull(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	ref, _ := reg.push(t, "a:1", wasm("nowhere"))
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	got, err := newClient(t, Config{Insecure: []string{reg.addr}, CacheDir: filepath.Join(file, "cache")}).Pull(t.Context(), ref, nil)
	require.NoError(t, err)
	require.Error(t, got.CacheError)
	require.Equal(t, wasm("nowhere"), got.Bytes)
}

// TestCacheIsCheckedWhenRead: a file changed on disk is fetched again, and
// refused where it cannot be.
func TestCacheIsCheckedWhenRead(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"flipped": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path, flip(b), 0o600)
		},
		"truncated": func(path string) error { return os.Truncate(path, 3) },
		"endless":   func(path string) error { return os.Truncate(path, DefaultMaxSize+1) },
		"a folder": func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Mkdir(path, 0o700)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := newRegistry(t, nil)
			ref, manifest := reg.push(t, "a:1", wasm("checked"))
			c := reg.client(t)
			_, err := c.Pull(t.Context(), ref, nil)
			require.NoError(t, err)

			require.NoError(t, damage(c.cache.blobs().File(digest.FromBytes(wasm("checked")).String())))
			got, err := c.Pull(t.Context(), reg.addr+"/a@"+manifest, nil)
			require.NoError(t, err)
			require.Equal(t, wasm("checked"), got.Bytes)
			require.Equal(t, OriginRegistry, got.Origin)

			if name == "a folder" { // which a rename does not replace
				require.Error(t, got.CacheError)
				return
			}
			require.NoError(t, damage(c.cache.blobs().File(manifest)))
			reg.Close()
			_, err = c.Pull(t.Context(), reg.addr+"/a@"+manifest, nil)
			require.ErrorIs(t, err, ErrUnreachable)
		})
	}
}

func TestCacheTagNamesOneReferenceOnly(t *testing.T) {
	t.Parallel()
	c := &cache{dir: t.TempDir()}
	require.Empty(t, c.tagged("host/a:1"))
	require.NoError(t, blob.WriteFile(c.tagPath("host/a:1"), []byte(someDigest+" host/b:1")))
	require.Empty(t, c.tagged("host/a:1"))
	require.NoError(t, blob.WriteFile(c.tagPath("host/a:1"), []byte(someDigest+" host/a:1")))
	require.Equal(t, someDigest, c.tagged("host/a:1"))
}

func TestCacheEvictsWhatWasUsedLongestAgo(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	c := reg.client(t)
	refs := make([]string, 3)
	pull := func(i int) *Artifact {
		got, err := c.Pull(t.Context(), refs[i], nil)
		require.NoError(t, err)
		require.NoError(t, got.CacheError)
		return got
	}
	age := func(a *Artifact, d time.Duration) {
		at := time.Now().Add(-d)
		require.NoError(t, os.Chtimes(c.cache.blobs().File(a.Digest), at, at))
		require.NoError(t, os.Chtimes(c.cache.blobs().File(a.LayerDigest), at, at))
	}
	for i := range refs {
		refs[i], _ = reg.push(t, "x"+string(rune('0'+i))+":1", wasm("x"+string(rune('0'+i))))
	}
	first, second := pull(0), pull(1)
	manifest, ok := c.cache.blob(first.Digest, maxManifest)
	require.True(t, ok)
	c.cache.maxSize = 2 * int64(len(manifest)+len(first.Bytes)) // room for two artifacts
	age(first, 2*time.Minute)
	age(second, 3*time.Minute)
	stale := filepath.Join(c.cache.blobs().Path, ".tmp-crash")
	require.NoError(t, os.WriteFile(stale, []byte("x"), 0o600))
	hours := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(stale, hours, hours))
	third := pull(2)
	for _, kept := range []*Artifact{first, third} {
		require.FileExists(t, c.cache.blobs().File(kept.LayerDigest))
		require.FileExists(t, c.cache.blobs().File(kept.Digest))
	}
	require.NoFileExists(t, c.cache.blobs().File(second.LayerDigest))
	require.NoFileExists(t, stale)
}

func TestCacheIsSharedByManyClients(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	ref, _ := reg.push(t, "a:1", wasm("shared"))
	dir := t.TempDir()
	var group errgroup.Group
	for range 8 {
		c := newClient(t, Config{Insecure: []string{reg.addr}, CacheDir: dir})
		group.Go(func() error {
			for range 5 {
				got, err := c.Pull(t.Context(), ref, nil)
				if err != nil {
					return err
				}
				if got.CacheError != nil {
					return got.CacheError
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}
