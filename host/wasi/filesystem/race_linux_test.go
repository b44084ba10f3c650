package filesystem_test

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/wasi/filesystem"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// exchange swaps pairs of names, each pair at once, until stop is closed.
func exchange(host string, pairs [][2]string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		for _, p := range pairs {
			_ = unix.Renameat2(unix.AT_FDCWD, host+"/"+p[0], unix.AT_FDCWD, host+"/"+p[1], unix.RENAME_EXCHANGE)
		}
	}
}

// TestSwappedWhileItIsUsed opens names that are a file or directory one moment
// and the next a link that leads out, or a pipe that nobody writes to.
func TestSwappedWhileItIsUsed(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	ctx := t.Context()
	put(t, o.host+"/file", "mine")
	put(t, o.host+"/plain", "mine")
	put(t, o.host+"/dir/secret", "mine")
	require.NoError(t, os.Symlink("../outside/secret", o.host+"/evilfile"))
	require.NoError(t, os.Symlink("../outside", o.host+"/evildir"))
	require.NoError(t, unix.Mkfifo(o.host+"/pipe", 0o600))
	pairs := [][2]string{{"file", "evilfile"}, {"dir", "evildir"}, {"plain", "pipe"}}
	if err := unix.Renameat2(unix.AT_FDCWD, o.host+"/file", unix.AT_FDCWD, o.host+"/plain", unix.RENAME_EXCHANGE); err != nil {
		t.Skipf("the file system cannot swap two names at once: %v", err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); exchange(o.host, pairs, stop) }()
	defer func() { close(stop); <-done; o.untouched() }()

	opened, refused := map[string]int{}, map[string]int{}
	try := func(path string, flags contract.PathFlags, how contract.DescriptorFlags) {
		f, err := o.dir.OpenAt(ctx, flags, path, 0, how)
		if err != nil {
			_, ok := errors.AsType[contract.ErrorCode](err)
			require.True(t, ok, "%v", err)
			refused[path]++
			return
		}
		defer f.Drop()
		opened[path]++
		if how == write {
			_, err := f.Write(ctx, []byte("mine"), 0)
			require.NoError(t, err)
			return
		}
		got, err := f.Read(ctx, 100, 0)
		require.NoError(t, err)
		require.Equal(t, "mine", string(got.F0), path)
	}
	for range 3000 {
		for _, path := range []string{"file", "plain", "dir/secret"} {
			try(path, 0, read)
			try(path, follow, read)
			try(path, 0, write)
		}
		if d, err := o.dir.OpenAt(ctx, 0, "dir", isDir, read); err == nil {
			_, err := d.StatAt(ctx, 0, "sub")
			require.Equal(t, error(contract.ErrorCodeNoEntry), err)
			d.Drop()
		}
		if d, err := o.dir.OpenAt(ctx, follow, "pipe", 0, read); err == nil {
			d.Drop()
		}
		_ = o.dir.UnlinkFileAt(ctx, "dir/deep")
		_ = o.dir.RemoveDirectoryAt(ctx, "dir/sub")
	}
	for path := range opened {
		require.NotZero(t, opened[path], path)
		require.NotZero(t, refused[path], path)
	}
}

// Files of /proc have a size of 0, whatever they hold.
func TestFilesOfUnknownSize(t *testing.T) {
	t.Parallel()
	b := newBed(t, filesystem.Dir{Host: "/proc/sys/kernel", Guest: "/kernel"})
	f := b.open(b.dirs[0], "ostype", 0, read)
	got, err := f.Read(t.Context(), 64<<10, 0)
	require.NoError(t, err)
	require.Equal(t, "Linux\n", string(got.F0))
	require.False(t, got.F1)
}
