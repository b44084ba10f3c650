//go:build linux || darwin

package filesystem_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/wasi/filesystem"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// The flags, short.
const (
	read     = contract.DescriptorFlagsRead
	write    = contract.DescriptorFlagsWrite
	mutate   = contract.DescriptorFlagsMutateDirectory
	follow   = contract.PathFlagsSymlinkFollow
	create   = contract.OpenFlagsCreate
	excl     = contract.OpenFlagsExclusive
	truncate = contract.OpenFlagsTruncate
	isDir    = contract.OpenFlagsDirectory
)

// bed is an instance's view of directories of the host.
type bed struct {
	*testing.T
	files   *filesystem.Files
	dirs    []contract.Descriptor
	mu      sync.Mutex
	refused []string
}

// newBed opens directories as one instance does, and checks at the end that
// nothing is open any more.
func newBed(t *testing.T, dirs ...filesystem.Dir) *bed {
	t.Helper()
	b := &bed{T: t}
	require.NoError(t, filesystem.Check(dirs))
	b.files = filesystem.New(dirs, func(why string) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.refused = append(b.refused, why)
	})
	b.dirs = b.instance()
	t.Cleanup(func() {
		for _, d := range b.dirs {
			d.Drop()
		}
		require.Zero(t, b.files.Open(), "descriptors that nobody dropped")
	})
	return b
}

func (b *bed) instance() (dirs []contract.Descriptor) {
	b.Helper()
	got, err := b.files.GetDirectories(filesystem.WithInstance(b.Context()))
	require.NoError(b, err)
	for _, d := range got {
		dirs = append(dirs, d.F0)
	}
	return dirs
}

// writable is a bed on one directory that may be written to.
func writable(t *testing.T) (b *bed, host string, dir contract.Descriptor) {
	t.Helper()
	host = filepath.Join(t.TempDir(), "root")
	require.NoError(t, os.Mkdir(host, 0o755))
	b = newBed(t, filesystem.Dir{Host: host, Guest: "/data", Write: true})
	return b, host, b.dirs[0]
}

// open opens what has to be there; the test's end drops it.
func (b *bed) open(d contract.Descriptor, path string, open contract.OpenFlags, flags contract.DescriptorFlags) contract.Descriptor {
	b.Helper()
	f, err := d.OpenAt(b.Context(), follow, path, open, flags)
	require.NoError(b, err, path)
	b.Cleanup(f.Drop)
	return f
}

// failsToOpen checks with what code an open fails.
func (b *bed) failsToOpen(want contract.ErrorCode, d contract.Descriptor, path string, flags contract.PathFlags, open contract.OpenFlags, how contract.DescriptorFlags) {
	b.Helper()
	f, err := d.OpenAt(b.Context(), flags, path, open, how)
	if f != nil {
		f.Drop()
	}
	require.Equal(b, error(want), err, path)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestPreopens(t *testing.T) {
	t.Parallel()
	host := t.TempDir()
	b := newBed(t, filesystem.Dir{Host: host, Guest: "/a", Write: true}, filesystem.Dir{Host: host, Guest: "/b"})
	got, err := b.files.GetDirectories(t.Context())
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "/a", got[0].F1)
	require.Equal(t, "/b", got[1].F1)
	for i, want := range []contract.DescriptorFlags{read | mutate, read} {
		flags, err := got[i].F0.GetFlags(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, flags)
		kind, err := got[i].F0.GetType(t.Context())
		require.NoError(t, err)
		require.Equal(t, contract.DescriptorTypeDirectory, kind)
		got[i].F0.Drop()
	}
	none, err := filesystem.New(nil, nil).GetDirectories(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestCheckNamesDirectoryAndCause(t *testing.T) {
	t.Parallel()
	host := t.TempDir()
	put(t, host+"/file", "")
	require.NoError(t, unix.Mkfifo(host+"/pipe", 0o600))
	dirs := []filesystem.Dir{
		{Host: host, Guest: "/good"}, {Host: host + "/gone", Guest: "/gone"}, {Host: host + "/file", Guest: "/file"}, {Host: host + "/pipe", Guest: "/pipe"},
	}
	err := filesystem.Check(dirs)
	require.EqualError(t, err, "directory "+host+"/gone, granted as /gone: no such file or directory\n"+
		"directory "+host+"/file, granted as /file: not a directory\n"+
		"directory "+host+"/pipe, granted as /pipe: not a directory")
	files := filesystem.New(dirs, nil)
	_, err = files.GetDirectories(t.Context())
	require.ErrorContains(t, err, "/gone: no such file or directory")
	require.Zero(t, files.Open(), "what was opened before the failure is closed")
}

func TestOpenFlags(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	put(t, host+"/file", "text")
	put(t, host+"/sub/inner", "")
	require.NoError(t, os.Symlink("file", host+"/link"))
	require.NoError(t, os.Symlink("new", host+"/dangling"))
	for _, c := range []struct {
		name string
		path string
		open contract.OpenFlags
		how  contract.DescriptorFlags
		want contract.DescriptorFlags
	}{
		{"nothing asked is reading", "file", 0, 0, read},
		{"write alone", "file", 0, write, write},
		{"both", "file", 0, read | write, read | write},
		{"creating writes", "made", create, 0, read | write},
		{"creating what is there", "file", create, read, read | write},
		{"truncating writes", "made", truncate, 0, read | write},
		{"exclusive without create", "file", excl, 0, read},
		{"synchronous", "file", 0, read | write | contract.DescriptorFlagsFileIntegritySync, read | write | contract.DescriptorFlagsFileIntegritySync},
		{"directory", "sub", 0, 0, read},
		{"directory with flag", "sub", isDir, read | mutate, read | mutate},
		{"directory with slash", "sub///", 0, read, read},
		{"itself", ".", 0, 0, read},
		{"up and down", "sub/../sub/./..//file", 0, read, read},
		{"link", "link", 0, read, read},
		{"by a link that leads nowhere", "dangling", create, write, write},
	} {
		flags, err := b.open(dir, c.path, c.open, c.how).GetFlags(t.Context())
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, flags, c.name)
	}
	require.FileExists(t, host+"/new")
	require.Equal(t, "text", text(t, host+"/file"))
	b.open(dir, "file", truncate, write)
	require.Empty(t, text(t, host+"/file"))
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	put(t, host+"/file", "text")
	put(t, host+"/sub/inner", "")
	put(t, filepath.Dir(host)+"/outside", "secret")
	for name, target := range map[string]string{
		"link": "file", "dangling": "nowhere", "loop": "loop", "up": "..", "out": "../outside", "abs": "/etc/passwd", "dirlink": "sub",
	} {
		require.NoError(t, os.Symlink(target, host+"/"+name))
	}
	for _, c := range []struct {
		want  contract.ErrorCode
		path  string
		flags contract.PathFlags
		open  contract.OpenFlags
		how   contract.DescriptorFlags
	}{
		{contract.ErrorCodeNoEntry, "", 0, 0, 0},
		{contract.ErrorCodeNoEntry, "gone", 0, 0, 0},
		{contract.ErrorCodeNoEntry, "gone/file", 0, create, write},
		{contract.ErrorCodeNoEntry, "dangling", follow, 0, 0},
		{contract.ErrorCodeNotPermitted, "/", 0, 0, 0},
		{contract.ErrorCodeNotPermitted, host + "/file", 0, 0, 0},
		{contract.ErrorCodeNotPermitted, "..", 0, 0, 0},
		{contract.ErrorCodeNotPermitted, "../outside", 0, 0, 0},
		{contract.ErrorCodeNotPermitted, "sub/../../outside", 0, 0, 0},
		{contract.ErrorCodeNotPermitted, "sub/../../root/file", 0, 0, 0},
		{contract.ErrorCodeNotPermitted, "up", follow, 0, 0},
		{contract.ErrorCodeNotPermitted, "up/outside", 0, 0, 0},
		{contract.ErrorCodeNotPermitted, "up/root/file", 0, 0, 0},
		{contract.ErrorCodeNotPermitted, "out", follow, 0, 0},
		{contract.ErrorCodeNotPermitted, "out", follow, create, write},
		{contract.ErrorCodeNotPermitted, "abs", follow, 0, 0},
		{contract.ErrorCodeLoop, "loop", follow, 0, 0},
		{contract.ErrorCodeLoop, "loop/x", 0, 0, 0},
		{contract.ErrorCodeLoop, "link", 0, 0, 0},
		{contract.ErrorCodeLoop, "dangling", 0, create, write},
		{contract.ErrorCodeNotDirectory, "link", 0, isDir, 0},
		{contract.ErrorCodeNotDirectory, "file", 0, isDir, 0},
		{contract.ErrorCodeNotDirectory, "file/", 0, 0, 0},
		{contract.ErrorCodeNotDirectory, "link/", 0, 0, 0},
		{contract.ErrorCodeNotDirectory, "file/x", 0, 0, 0},
		{contract.ErrorCodeNotDirectory, "file/../file", 0, 0, 0},
		{contract.ErrorCodeIsDirectory, "sub", 0, 0, write},
		{contract.ErrorCodeIsDirectory, "sub", 0, truncate, 0},
		{contract.ErrorCodeIsDirectory, "sub", 0, create, 0},
		{contract.ErrorCodeIsDirectory, "new/", 0, create, write},
		{contract.ErrorCodeExist, "sub", 0, create | excl, write},
		{contract.ErrorCodeExist, "file", 0, create | excl, write},
		{contract.ErrorCodeExist, "dangling", follow, create | excl, write},
		{contract.ErrorCodeInvalid, "sub", 0, isDir | create, write},
		{contract.ErrorCodeInvalid, "file\x00", 0, 0, 0},
		{contract.ErrorCodeInvalid, "fi\x00le", 0, create, write},
		{contract.ErrorCodeNameTooLong, strings.Repeat("n", 256), 0, 0, 0},
		{contract.ErrorCodeNameTooLong, strings.Repeat("a/", filesystem.MaxPath/2) + "b", 0, 0, 0},
	} {
		b.failsToOpen(c.want, dir, c.path, c.flags, c.open, c.how)
	}
	require.NoFileExists(t, host+"/new")
	require.NoFileExists(t, host+"/nowhere")
	require.Equal(t, "secret", text(t, filepath.Dir(host)+"/outside"))
	f := b.open(dir, "file", 0, read)
	b.failsToOpen(contract.ErrorCodeNotDirectory, f, "x", 0, 0, 0)
	// The path of a descriptor ends at it, also inside the grant.
	sub := b.open(dir, "dirlink", 0, read)
	b.failsToOpen(contract.ErrorCodeNotPermitted, sub, "../file", 0, 0, 0)
	b.open(sub, "inner", 0, read)
}

func TestChainsOfLinks(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	put(t, host+"/d/l0", "end")
	require.NoError(t, os.Symlink("d", host+"/dir0"))
	for i := range filesystem.MaxLinks {
		name := "l" + strings.Repeat("x", i)
		old := map[bool]string{true: "l0", false: name}[i == 0]
		require.NoError(t, os.Symlink(old, host+"/d/"+name+"x"))
		require.NoError(t, os.Symlink("dir"+strings.Repeat("x", i)+map[bool]string{true: "0"}[i == 0], host+"/dirx"+strings.Repeat("x", i)))
	}
	last := "d/l" + strings.Repeat("x", filesystem.MaxLinks)
	b.open(dir, last, 0, read)
	require.NoError(t, os.Symlink(filepath.Base(last), host+"/"+last+"x"))
	b.failsToOpen(contract.ErrorCodeLoop, dir, last+"x", follow, 0, 0)
	b.open(dir, "dir"+strings.Repeat("x", filesystem.MaxLinks-1), isDir, read)
	b.open(dir, "dirxxxx/l0", 0, read)
}

func TestSpecialFilesAreNotOpened(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	require.NoError(t, unix.Mkfifo(host+"/pipe", 0o600))
	if err := unix.Mknod(host+"/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); err == nil {
		b.failsToOpen(contract.ErrorCodeNotPermitted, dir, "null", 0, 0, write)
		stat, err := dir.StatAt(t.Context(), 0, "null")
		require.NoError(t, err)
		require.Equal(t, contract.DescriptorTypeCharacterDevice, stat.Type)
		require.NoError(t, dir.UnlinkFileAt(t.Context(), "null"))
	}
	for _, how := range []contract.DescriptorFlags{read, write, read | write} {
		b.failsToOpen(contract.ErrorCodeNotPermitted, dir, "pipe", 0, 0, how)
	}
	b.failsToOpen(contract.ErrorCodeNotDirectory, dir, "pipe/x", 0, 0, read)
	stat, err := dir.StatAt(t.Context(), 0, "pipe")
	require.NoError(t, err)
	require.Equal(t, contract.DescriptorTypeFifo, stat.Type)
}

func TestDescriptorsAreBounded(t *testing.T) {
	t.Parallel()
	b, host, _ := writable(t)
	put(t, host+"/file", "")
	require.NoError(t, os.Mkdir(host+"/sub", 0o755))
	ctx := filesystem.WithInstance(context.Background())
	got, err := b.files.GetDirectories(ctx)
	require.NoError(t, err)
	dir := got[0].F0
	open := []contract.Descriptor{dir}
	for range filesystem.MaxOpen - 3 {
		f, err := dir.OpenAt(ctx, 0, "file", 0, read)
		require.NoError(t, err)
		open = append(open, f)
	}
	b.failsToOpen(contract.ErrorCodeInsufficientMemory, dir, "sub", 0, 0, read)
	names, err := dir.ReadDirectory(ctx)
	require.NoError(t, err)
	b.failsToOpen(contract.ErrorCodeInsufficientMemory, dir, "file", 0, 0, read)
	_, err = dir.ReadDirectory(ctx)
	require.Equal(t, error(contract.ErrorCodeInsufficientMemory), err)
	_, err = b.files.GetDirectories(ctx)
	require.ErrorContains(t, err, "too many open files")
	stream, err := open[1].ReadViaStream(ctx, 0)
	require.NoError(t, err, "a stream takes none")
	b.open(b.dirs[0], "file", 0, read) // another instance's
	for _, d := range open {
		d.Drop()
	}
	names.Drop()
	stream.Drop()
}

func TestOffsetsBeyondFiles(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	put(t, host+"/file", "text")
	f, ctx := b.open(dir, "file", 0, read|write), t.Context()
	for _, off := range []uint64{math.MaxInt64 + 1, math.MaxUint64} {
		_, err := f.Read(ctx, 1, off)
		require.Equal(t, error(contract.ErrorCodeInvalid), err)
		_, err = f.ReadViaStream(ctx, off)
		require.Equal(t, error(contract.ErrorCodeInvalid), err)
		_, err = f.Write(ctx, []byte("x"), off)
		require.Equal(t, error(contract.ErrorCodeInvalid), err)
		_, err = f.WriteViaStream(ctx, off)
		require.Equal(t, error(contract.ErrorCodeInvalid), err)
		require.Equal(t, error(contract.ErrorCodeFileTooLarge), f.SetSize(ctx, off))
		require.Equal(t, error(contract.ErrorCodeInvalid), f.Advise(ctx, off, 0, contract.AdviceNormal))
	}
	_, err := f.Write(ctx, []byte("x"), math.MaxInt64)
	require.Equal(t, error(contract.ErrorCodeFileTooLarge), err)
	got, err := f.Read(ctx, 10, math.MaxInt64)
	require.NoError(t, err)
	require.True(t, got.F1)
	require.Equal(t, "text", text(t, host+"/file"))
}
