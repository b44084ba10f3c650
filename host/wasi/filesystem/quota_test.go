//go:build linux || darwin

package filesystem_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/filesystem"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

const nameCost = filesystem.NameCost

// limited is a bed on one directory with room for 10,000 bytes.
func limited(t *testing.T) (*bed, string, contract.Descriptor) {
	t.Helper()
	host := t.TempDir()
	put(t, host+"/before", strings.Repeat("b", 50_000))
	b := newBed(t, filesystem.Dir{Host: host, Guest: "/data", Write: true, Quota: 10_000})
	return b, host, b.dirs[0]
}

func (b *bed) used(want int64) {
	b.Helper()
	require.Equal(b, want, b.files.Used(0))
}

func (b *bed) write(f contract.Descriptor, n int, offset uint64) error {
	k, err := f.Write(b.Context(), make([]byte, n), offset)
	if err == nil {
		require.EqualValues(b, n, k)
	}
	return err
}

func TestQuotaCountsGrowth(t *testing.T) {
	t.Parallel()
	b, host, dir := limited(t)
	ctx := t.Context()
	full := error(contract.ErrorCodeQuota)
	f := b.open(dir, "f", create, read|write)
	b.used(nameCost)
	require.NoError(t, b.write(f, 1000, 0))
	require.NoError(t, b.write(f, 1000, 0))
	require.NoError(t, b.write(f, 500, 800))
	b.used(nameCost + 1300)
	require.NoError(t, f.SetSize(ctx, 5000))
	b.used(nameCost + 5000)
	require.NoError(t, b.write(f, 1000, 2000), "a hole was counted")
	b.used(nameCost + 5000)
	require.NoError(t, f.SetSize(ctx, 100))
	b.used(nameCost + 100)
	require.Equal(t, full, f.SetSize(ctx, 100_000))
	require.Equal(t, full, b.write(f, 10_000, 0))
	require.Equal(t, full, b.write(f, 1, 1<<40))
	b.used(nameCost + 100)
	require.EqualValues(t, 100, len(text(t, host+"/f")), "what is refused is not written in part")

	out, err := f.AppendViaStream(ctx)
	require.NoError(t, err)
	defer out.Drop()
	require.NoError(t, out.BlockingWriteAndFlush(ctx, make([]byte, 4000)))
	require.NoError(t, out.BlockingWriteAndFlush(ctx, make([]byte, 4000)))
	b.used(nameCost + 8100)
	b.failsByQuota(out.BlockingWriteAndFlush(ctx, make([]byte, 4000)))
	at, err := f.WriteViaStream(ctx, 8000)
	require.NoError(t, err)
	defer at.Drop()
	require.NoError(t, at.BlockingWriteAndFlush(ctx, make([]byte, 200)))
	b.used(nameCost + 8200)
	b.failsByQuota(at.BlockingWriteAndFlush(ctx, make([]byte, 4000)))
	require.Equal(t, "wasi:filesystem: the quota of /data is used up: it was granted as --dir HOST::/data:quota=10000", b.refused[0])

	b.open(dir, "f", truncate, write)
	b.used(nameCost)
	before := b.open(dir, "before", 0, write)
	require.NoError(t, b.write(before, 50_000, 0), "it does not grow")
	require.Equal(t, full, b.write(before, 10_000, 50_000))
}

// failsByQuota checks the error of a stream as a guest does.
func (b *bed) failsByQuota(err error) {
	b.Helper()
	e, ok := streamFailure(err)
	require.True(b, ok, "%v", err)
	defer e.Drop()
	got, err := b.files.FilesystemErrorCode(b.Context(), e)
	require.NoError(b, err)
	require.True(b, got.OK)
	require.Equal(b, contract.ErrorCodeQuota, got.Value)
}

func TestQuotaCountsNames(t *testing.T) {
	t.Parallel()
	b, _, dir := limited(t)
	ctx := t.Context()
	require.NoError(t, dir.CreateDirectoryAt(ctx, "d"))
	require.NoError(t, dir.SymlinkAt(ctx, "0123456789", "link"))
	require.NoError(t, dir.LinkAt(ctx, 0, "before", dir, "hard"))
	b.used(3*nameCost + 10)
	require.Equal(t, error(contract.ErrorCodeExist), dir.CreateDirectoryAt(ctx, "d"))
	require.Equal(t, error(contract.ErrorCodeExist), dir.SymlinkAt(ctx, "x", "link"))
	b.failsToOpen(contract.ErrorCodeNotPermitted, dir, "../x", 0, create, write)
	b.used(3*nameCost + 10)
	require.NoError(t, dir.RenameAt(ctx, "link", dir, "moved"))
	require.NoError(t, dir.RenameAt(ctx, "hard", dir, "before"), "two names of one file stay")
	b.used(3*nameCost + 10)
	require.NoError(t, dir.RenameAt(ctx, "moved", dir, "hard"))
	b.used(2*nameCost + 10)
	require.NoError(t, dir.UnlinkFileAt(ctx, "hard"))
	require.NoError(t, dir.RemoveDirectoryAt(ctx, "d"))
	b.used(0)
	for i := range 100 {
		err := dir.CreateDirectoryAt(ctx, strings.Repeat("x", i+1))
		if i*nameCost+nameCost > 10_000 {
			require.Equal(t, error(contract.ErrorCodeQuota), err)
		} else {
			require.NoError(t, err)
		}
	}
	b.failsToOpen(contract.ErrorCodeQuota, dir, "file", 0, create, write)
}

func TestQuotaGivesBack(t *testing.T) {
	t.Parallel()
	b, host, dir := limited(t)
	ctx := t.Context()
	fill := func(name string, n int) contract.Descriptor {
		f, err := dir.OpenAt(ctx, 0, name, create, write)
		require.NoError(t, err)
		require.NoError(t, b.write(f, n, 0))
		return f
	}
	fill("a", 1000).Drop()
	fill("b", 2000).Drop()
	require.NoError(t, dir.UnlinkFileAt(ctx, "a"))
	b.used(nameCost + 2000)
	fill("c", 500).Drop()
	require.NoError(t, dir.RenameAt(ctx, "c", dir, "b"))
	b.used(nameCost + 500)
	require.NoError(t, dir.LinkAt(ctx, 0, "b", dir, "b2"))
	require.NoError(t, dir.UnlinkFileAt(ctx, "b"))
	b.used(nameCost + 500)
	require.NoError(t, dir.UnlinkFileAt(ctx, "b2"))
	b.used(0)

	// An open file takes its room until the last one closes it, also by a
	// stream and in another instance.
	f := fill("open", 3000)
	other := b.instance()[0]
	again, err := other.OpenAt(ctx, 0, "open", 0, read)
	require.NoError(t, err)
	other.Drop()
	s, err := again.ReadViaStream(ctx, 0)
	require.NoError(t, err)
	require.NoError(t, dir.UnlinkFileAt(ctx, "open"))
	b.used(3000)
	require.NoError(t, b.write(f, 1000, 3000))
	f.Drop()
	b.used(4000)
	again.Drop()
	b.used(4000)
	s.Drop()
	b.used(0)

	// What was there before makes no more room.
	require.NoError(t, dir.UnlinkFileAt(ctx, "before"))
	b.used(0)
	g := b.open(dir, "g", create, write)
	require.Equal(t, error(contract.ErrorCodeQuota), b.write(g, 10_000, 0))
	require.Empty(t, text(t, host+"/g"))
}

func TestQuotaIsOfAllInstances(t *testing.T) {
	t.Parallel()
	b, host, first := limited(t)
	for _, name := range []string{"fa", "fb", "fc", "fd"} {
		b.open(first, name, create, write)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			dirs, err := b.files.GetDirectories(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			dir := dirs[0].F0
			defer dir.Drop()
			f, err := dir.OpenAt(t.Context(), 0, "f"+string(rune('a'+i%4)), 0, write)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Drop()
			out, err := f.AppendViaStream(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			defer out.Drop()
			for range 1000 {
				if out.BlockingWriteAndFlush(t.Context(), make([]byte, 30)) != nil {
					return
				}
			}
			t.Error("30,000 bytes went into 10,000")
		})
	}
	wg.Wait()
	var size int64
	for _, name := range []string{"/fa", "/fb", "/fc", "/fd"} {
		i, err := os.Stat(host + name)
		require.NoError(t, err)
		size += i.Size()
	}
	b.used(size + 4*nameCost)
	require.LessOrEqual(t, size+4*nameCost, int64(10_000))
	require.Greater(t, size+4*nameCost, int64(9_900))
}

func TestNamesStayInTheirQuota(t *testing.T) {
	t.Parallel()
	open, small := t.TempDir(), t.TempDir()
	put(t, open+"/file", "text")
	b := newBed(t, filesystem.Dir{Host: open, Guest: "/open", Write: true}, filesystem.Dir{Host: small, Guest: "/small", Write: true, Quota: 1000},
		filesystem.Dir{Host: open, Guest: "/again", Write: true})
	ctx := t.Context()
	require.Equal(t, error(contract.ErrorCodeCrossDevice), b.dirs[0].RenameAt(ctx, "file", b.dirs[1], "file"))
	require.Equal(t, error(contract.ErrorCodeCrossDevice), b.dirs[0].LinkAt(ctx, 0, "file", b.dirs[1], "file"))
	require.NoError(t, b.dirs[0].RenameAt(ctx, "file", b.dirs[2], "moved"))
}
