//go:build linux || darwin

package filesystem_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/wasi/filesystem"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// outside is a directory beside the granted one, with what nobody may reach.
type outside struct {
	*bed
	dir  contract.Descriptor
	host string // the granted directory
	out  string // the other
}

func newOutside(t *testing.T) outside {
	t.Helper()
	b, host, dir := writable(t)
	out := filepath.Join(filepath.Dir(host), "outside")
	put(t, out+"/secret", "secret")
	put(t, out+"/sub/deep", "secret")
	return outside{b, dir, host, out}
}

// untouched checks that nothing changed outside.
func (o outside) untouched() {
	o.Helper()
	require.Equal(o, []string{"secret", "sub"}, names(o.T, o.out))
	require.Equal(o, []string{"deep"}, names(o.T, o.out+"/sub"))
	require.Equal(o, "secret", text(o.T, o.out+"/secret"))
	require.Equal(o, "secret", text(o.T, o.out+"/sub/deep"))
	require.Equal(o, []string{"outside", "root"}, names(o.T, filepath.Dir(o.host)))
}

// attack tries everything on a path. It returns whether anything at all went
// well, and fails if what was read is from outside.
func (o outside) attack(path string) {
	o.Helper()
	ctx := o.Context()
	for _, flags := range []contract.PathFlags{0, follow} {
		for _, open := range []contract.OpenFlags{0, create, create | excl, truncate, isDir} {
			for _, how := range []contract.DescriptorFlags{read, write, read | write} {
				f, err := o.dir.OpenAt(ctx, flags, path, open, how)
				if err != nil {
					continue
				}
				if got, err := f.Read(ctx, 100, 0); err == nil {
					require.NotContains(o, string(got.F0), "secret", path)
				}
				_, _ = f.Write(ctx, []byte("spoilt"), 0)
				_ = f.CreateDirectoryAt(ctx, "spoilt")
				_ = f.UnlinkFileAt(ctx, "secret")
				f.Drop()
			}
		}
		if stat, err := o.dir.StatAt(ctx, flags, path); err == nil {
			require.False(o, stat.Type == contract.DescriptorTypeRegularFile && stat.Size == uint64(len("secret")), path)
		}
		now := contract.NewTimestamp{Tag: contract.NewTimestampNow}
		_ = o.dir.SetTimesAt(ctx, flags, path, now, now)
		_ = o.dir.LinkAt(ctx, flags, path, o.dir, "stolen")
		_ = o.dir.LinkAt(ctx, flags, "bait", o.dir, path)
	}
	_ = o.dir.CreateDirectoryAt(ctx, path)
	_ = o.dir.SymlinkAt(ctx, "bait", path)
	_ = o.dir.RenameAt(ctx, path, o.dir, "stolen")
	_ = o.dir.RenameAt(ctx, "bait", o.dir, path)
	_ = o.dir.UnlinkFileAt(ctx, path)
	_ = o.dir.RemoveDirectoryAt(ctx, path)
	if b, err := os.ReadFile(o.host + "/stolen"); err == nil {
		require.NotEqual(o, "secret", string(b), path)
	}
	put(o.T, o.host+"/bait", "bait")
}

func TestNoPathLeadsOut(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	put(t, o.host+"/bait", "bait")
	put(t, o.host+"/d/e/f", "")
	for name, target := range map[string]string{
		"up": "..", "out": "../outside", "abs": o.out, "absroot": "/", "deepup": "d/e/../../..", "d/up": "../..", "d/e/out": "../../../outside",
		"chain": "chain1", "chain1": "d/chain2", "d/chain2": "e/../../chain3", "chain3": "../outside/./", "slash": "../outside/", "proc": "/proc/self/cwd",
	} {
		require.NoError(t, os.Symlink(target, o.host+"/"+name))
	}
	for _, path := range []string{
		"..", "../", "../.", "../outside", "../outside/secret", "./../outside/secret", "d/../../outside/secret", "d/e/../../../outside/secret",
		"up", "up/", "up/outside/secret", "up/../outside", "out", "out/", "out/secret", "out/new", "out/sub", "out/sub/", "abs", "abs/secret", "abs/.", "absroot/etc/passwd",
		"deepup/outside/secret", "d/up/outside/secret", "d/e/out/secret", "d/e/out", "chain", "chain/", "chain/secret", "chain/new", "slash", "slash/secret", "proc", "proc/x",
		o.out + "/secret", "//" + o.out, "d/./e/.././../../outside/sub/deep", "d/e/f/../../../../outside/secret", "gone/../../outside/secret",
	} {
		o.attack(path)
		o.untouched()
	}
}

// TestRaceForALinkThatLeadsOut opens, makes and removes names while somebody
// swaps a directory and a file for links that lead out.
func TestRaceForALinkThatLeadsOut(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	ctx := t.Context()
	put(t, o.host+"/inside/secret", "mine")
	put(t, o.host+"/mine", "mine")
	require.NoError(t, os.Symlink("../outside", o.host+"/evil"))
	require.NoError(t, os.Symlink("../outside/secret", o.host+"/evilfile"))
	require.NoError(t, unix.Mkfifo(o.host+"/pipe", 0o600))
	for _, name := range []string{"d", "f", "p"} {
		require.NoError(t, os.Symlink(".", o.host+"/"+name))
	}
	var stop atomic.Bool
	swapped := make(chan struct{})
	go func() {
		defer close(swapped)
		for !stop.Load() {
			// A rename swaps at once: each name is always there.
			for name, olds := range map[string][2]string{"d": {"inside", "../outside"}, "f": {"mine", "../outside/secret"}} {
				for _, target := range olds {
					_ = os.Symlink(target, o.host+"/tmp")
					_ = os.Rename(o.host+"/tmp", o.host+"/"+name)
				}
			}
			// And names that are a file or directory one moment, a pipe or
			// link the next.
			_ = os.Remove(o.host + "/p")
			_ = os.Link(o.host+"/pipe", o.host+"/p")
			_ = os.Remove(o.host + "/p")
			_ = os.WriteFile(o.host+"/p", []byte("mine"), 0o600)
			_ = os.Remove(o.host + "/p")
			_ = os.Symlink("../outside", o.host+"/p")
			_ = os.Remove(o.host + "/p")
			_ = os.Mkdir(o.host+"/p", 0o700)
		}
	}()
	defer func() { stop.Store(true); <-swapped }()
	seen := 0
	late := time.After(time.Minute)
	for n := 0; n < 400 || seen == 0; n++ {
		select {
		case <-late:
			require.Fail(t, "the race never showed a file")
		default:
		}
		for _, path := range []string{"d/secret", "f", "p", "p/secret"} {
			for _, flags := range []contract.PathFlags{0, follow} {
				f, err := o.dir.OpenAt(ctx, flags, path, 0, read|write)
				if err != nil {
					continue
				}
				got, err := f.Read(ctx, 100, 0)
				require.NoError(t, err)
				require.NotEqual(t, "secret", string(got.F0), path)
				seen++
				f.Drop()
			}
			if d, err := o.dir.OpenAt(ctx, follow, path, isDir, read); err == nil {
				_, err := d.StatAt(ctx, 0, "sub")
				require.Equal(t, error(contract.ErrorCodeNoEntry), err)
				d.Drop()
			}
		}
		_ = o.dir.CreateDirectoryAt(ctx, "d/made")
		_ = o.dir.RemoveDirectoryAt(ctx, "d/made")
		_ = o.dir.UnlinkFileAt(ctx, "p/secret")
		_ = o.dir.RenameAt(ctx, "mine", o.dir, "d/mine")
		_ = o.dir.RenameAt(ctx, "d/mine", o.dir, "mine")
		_ = o.dir.LinkAt(ctx, 0, "mine", o.dir, "p/hard")
		if seen%8 == 0 {
			runtime.Gosched()
		}
	}
	o.untouched()
}

// TestDirectoryThatMovesOut moves an open directory out of the grant: its
// descriptor stays good, for what is in it alone.
func TestDirectoryThatMovesOut(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	put(t, o.host+"/d/file", "mine")
	d := o.open(o.dir, "d", isDir, read|mutate)
	require.NoError(t, os.Rename(o.host+"/d", o.out+"/d"))
	got := o.open(d, "file", 0, read)
	b, err := got.Read(t.Context(), 10, 0)
	require.NoError(t, err)
	require.Equal(t, "mine", string(b.F0))
	for _, path := range []string{"../secret", "..", "../../root", "../d/file"} {
		o.failsToOpen(contract.ErrorCodeNotPermitted, d, path, follow, 0, read)
	}
	require.NoError(t, os.RemoveAll(o.out+"/d"))
	o.failsToOpen(contract.ErrorCodeNoEntry, d, "new", 0, create, write)
	require.Equal(t, error(contract.ErrorCodeNoEntry), d.CreateDirectoryAt(t.Context(), "new"))
	o.untouched()
}

// TestGrantInsideGrant: a directory that may be written to, inside one that
// may not.
func TestGrantInsideGrant(t *testing.T) {
	t.Parallel()
	host := t.TempDir()
	put(t, host+"/rw/file", "text")
	b := newBed(t, filesystem.Dir{Host: host, Guest: "/ro"}, filesystem.Dir{Host: host + "/rw", Guest: "/rw", Write: true})
	b.failsToOpen(contract.ErrorCodeNotPermitted, b.dirs[0], "rw/file", 0, 0, write)
	b.open(b.dirs[1], "file", 0, write)
	b.failsToOpen(contract.ErrorCodeNotPermitted, b.dirs[1], "../rw/file", 0, 0, read)
}

// FuzzOperations plays operations on a few names and links, some of which lead
// out, and checks that nothing outside changes or is read.
func FuzzOperations(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Add([]byte{4, 20, 3, 0, 3, 8, 5, 8, 2, 1, 8, 0, 6, 8, 9})
	f.Add([]byte{4, 5, 2, 4, 6, 5, 0, 18, 7, 1, 6, 18, 3, 6, 18, 18, 2, 17, 6})
	paths := []string{
		"a", "b", "d", "d/a", "d/b", "d/d", "a/b", "..", "../outside/secret", "../outside", "d/../../outside/secret", "a/..", "b/../..", "d/..", "/etc", ".",
		"a/../outside/secret", "b/secret", "b/sub/deep", "d/", "../root/a", "d/../..", "b/..", "a/secret",
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		o := newOutside(t)
		next := func() byte {
			if len(script) == 0 {
				return 0
			}
			b := script[0]
			script = script[1:]
			return b
		}
		path := func() string { return paths[int(next())%len(paths)] }
		at := o.dir
		for range 64 {
			if len(script) == 0 {
				break
			}
			o.play(next()%11, &at, path, next)
		}
		o.untouched()
		require.NoError(t, filepath.WalkDir(o.host, func(name string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			require.NotEqual(t, "secret", text(t, name), name)
			return nil
		}))
	})
}

// play plays one operation; at is the directory descriptor that it is on.
func (o outside) play(op byte, at *contract.Descriptor, path func() string, next func() byte) {
	ctx, d := o.Context(), *at
	switch op {
	case 0:
		f, err := d.OpenAt(ctx, contract.PathFlags(next()&1), path(), contract.OpenFlags(next()&15), contract.DescriptorFlags(next()&35))
		if err != nil {
			return
		}
		if got, err := f.Read(ctx, 100, 0); err == nil {
			require.NotContains(o, string(got.F0), "secret")
		}
		_, _ = f.Write(ctx, []byte("spoilt"), uint64(next()))
		_ = f.SetSize(ctx, uint64(next()))
		f.Drop()
	case 1:
		_ = d.CreateDirectoryAt(ctx, path())
	case 2:
		_ = d.SymlinkAt(ctx, path(), path())
	case 3:
		_ = d.RenameAt(ctx, path(), o.dir, path())
	case 4:
		_ = d.LinkAt(ctx, 0, path(), o.dir, path())
	case 5:
		_ = d.UnlinkFileAt(ctx, path())
	case 6:
		_ = d.RemoveDirectoryAt(ctx, path())
	case 7:
		now := contract.NewTimestamp{Tag: contract.NewTimestampNow}
		_ = d.SetTimesAt(ctx, contract.PathFlags(next()&1), path(), now, now)
	case 8:
		target, err := d.ReadlinkAt(ctx, path())
		require.True(o, err != nil || target[0] != '/')
	case 9:
		sub, err := d.OpenAt(ctx, contract.PathFlags(next()&1), path(), isDir, read)
		if err != nil {
			_, ok := errors.AsType[contract.ErrorCode](err)
			require.True(o, ok, "%v", err)
			return
		}
		o.Cleanup(sub.Drop)
		*at = sub
	case 10:
		*at = o.dir
	}
}
