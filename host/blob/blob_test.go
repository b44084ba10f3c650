package blob_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/blob"
	"github.com/lathhost/lath/lattice"
)

func digest(content string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(content))) }

func put(t testing.TB, d *blob.Dir, content string) {
	t.Helper()
	got, err := d.Create(func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	require.NoError(t, err)
	require.Equal(t, digest(content), got)
}

func names(t testing.TB, d *blob.Dir) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(d.Path)
	require.NoError(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	d := &blob.Dir{Path: filepath.Join(t.TempDir(), "a", "b"), MaxSize: 100}
	require.False(t, d.Check(digest("x")))
	cause := errors.New("no more")
	_, err := d.Create(func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return cause
	})
	require.ErrorIs(t, err, cause)
	require.Empty(t, names(t, d))

	put(t, d, "x")
	require.True(t, d.Check(digest("x")))
	info, err := os.Stat(d.File(digest("x")))
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.EqualValues(t, 0o600, info.Mode().Perm())
	}
	require.NoError(t, os.WriteFile(d.File(digest("x")), []byte("y"), 0o600))
	require.False(t, d.Check(digest("x")))
	require.Empty(t, names(t, d), "what does not fit its name is gone")
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	d := &blob.Dir{Path: t.TempDir(), MaxSize: 100}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() { put(t, d, strings.Repeat("x", i%2+1)) })
	}
	wg.Wait()
	require.Len(t, names(t, d), 2)
	require.True(t, d.Check(digest("x")))
	require.True(t, d.Check(digest("xx")))
}

func TestOnlyDigestsNameFiles(t *testing.T) {
	t.Parallel()
	d := &blob.Dir{Path: t.TempDir()}
	good := digest("x")
	for _, bad := range []string{"", "x", good[7:], "sha512:" + good[7:], good + "0", "sha256:../" + good[10:], strings.ToUpper(good), "sha256:" + strings.Repeat("g", 64)} {
		require.Empty(t, d.File(bad), bad)
		require.False(t, d.Check(bad))
		_, err := d.Open(bad)
		require.ErrorIs(t, err, lattice.ErrInvalid)
	}
	_, err := d.Open(good)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Symlink("/etc/passwd", d.File(good)))
		_, err = d.Open(good)
		require.ErrorIs(t, err, lattice.ErrNotFound, "a link is no content")
	}
}

func TestEvict(t *testing.T) {
	t.Parallel()
	d := &blob.Dir{Path: t.TempDir(), MaxSize: 2}
	age := func(path string, by time.Duration) {
		at := time.Now().Add(-by)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	for i, content := range []string{"a", "b", "c"} {
		put(t, d, content)
		age(d.File(digest(content)), time.Duration(10-i)*time.Minute)
	}
	crashed, busy := filepath.Join(d.Path, ".tmp-old"), filepath.Join(d.Path, ".tmp-new")
	require.NoError(t, os.WriteFile(crashed, nil, 0o600))
	require.NoError(t, os.WriteFile(busy, nil, 0o600))
	age(crashed, 2*time.Hour)
	d.Used(digest("b"))
	require.NoError(t, d.Evict(digest("a")))
	require.True(t, d.Check(digest("a")), "it was to be kept")
	require.True(t, d.Check(digest("b")), "it was used")
	require.False(t, d.Check(digest("c")))
	require.NoFileExists(t, crashed)
	require.FileExists(t, busy)
}

func TestOwn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	require.NoError(t, blob.Own(dir))
	if runtime.GOOS == "windows" {
		return
	}
	require.NoError(t, os.Chmod(dir, 0o770)) //nolint:gosec // that is the point
	require.ErrorIs(t, blob.Own(dir), lattice.ErrDenied)
}
