//go:build linux || darwin

package filesystem_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/filesystem"
	"github.com/lathhost/lath/wit/wasi/clocks"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

func TestReadAndWrite(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	ctx := t.Context()
	f := b.open(dir, "file", create|excl, read|write)
	n, err := f.Write(ctx, []byte("0123456789"), 0)
	require.NoError(t, err)
	require.EqualValues(t, 10, n)
	_, err = f.Write(ctx, []byte("ab"), 12)
	require.NoError(t, err)
	require.Equal(t, "0123456789\x00\x00ab", text(t, host+"/file"))
	for _, c := range []struct {
		length, offset uint64
		want           string
		end            bool
	}{
		{4, 0, "0123", false}, {4, 12, "ab", false}, {4, 14, "", true}, {4, 1000, "", true}, {0, 0, "", true},
		{math.MaxUint64, 8, "89\x00\x00ab", false}, {math.MaxUint64, 1 << 40, "", true},
	} {
		got, err := f.Read(ctx, c.length, c.offset)
		require.NoError(t, err)
		require.Equal(t, contract.TupleBytesBool{F0: []byte(c.want), F1: c.end}, got)
	}
	require.NoError(t, f.SetSize(ctx, 3<<20))
	got, err := f.Read(ctx, math.MaxUint64, 0)
	require.NoError(t, err)
	require.Len(t, got.F0, filesystem.MaxRead)
	require.NoError(t, f.SetSize(ctx, 2))
	require.Equal(t, "01", text(t, host+"/file"))
	require.NoError(t, f.Sync(ctx))
	require.NoError(t, f.SyncData(ctx))
	require.NoError(t, dir.Sync(ctx))
	require.NoError(t, dir.SyncData(ctx))
	for a := contract.AdviceNormal; a <= contract.AdviceNoReuse; a++ {
		require.NoError(t, f.Advise(ctx, 0, 100, a))
	}
}

func TestReadDoesNotAllocateWhatIsAsked(t *testing.T) {
	b, host, dir := writable(t)
	put(t, host+"/file", "text")
	f := b.open(dir, "file", 0, read)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		_, err := f.Read(t.Context(), math.MaxUint64, 0)
		require.NoError(t, err)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// TestKindsOfDescriptors asks a file for what directories do and the other way
// around, and each for what it was not opened for.
func TestKindsOfDescriptors(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	put(t, host+"/file", "text")
	ctx := t.Context()
	f, w := b.open(dir, "file", 0, read), b.open(dir, "file", 0, write)
	none := contract.NewTimestamp{}
	for name, call := range map[string]func() error{
		"read-directory":    func() error { _, err := f.ReadDirectory(ctx); return err },
		"create-directory":  func() error { return f.CreateDirectoryAt(ctx, "x") },
		"stat-at":           func() error { _, err := f.StatAt(ctx, 0, "x"); return err },
		"set-times-at":      func() error { return f.SetTimesAt(ctx, 0, "x", none, none) },
		"link-at":           func() error { return f.LinkAt(ctx, 0, "x", dir, "y") },
		"link-at to file":   func() error { return dir.LinkAt(ctx, 0, "file", f, "y") },
		"open-at":           func() error { _, err := f.OpenAt(ctx, 0, "x", 0, 0); return err },
		"readlink-at":       func() error { _, err := f.ReadlinkAt(ctx, "x"); return err },
		"remove-directory":  func() error { return f.RemoveDirectoryAt(ctx, "x") },
		"rename-at":         func() error { return f.RenameAt(ctx, "x", dir, "y") },
		"rename-at to file": func() error { return dir.RenameAt(ctx, "file", f, "y") },
		"symlink-at":        func() error { return f.SymlinkAt(ctx, "x", "y") },
		"unlink-file-at":    func() error { return f.UnlinkFileAt(ctx, "x") },
		"metadata-hash-at":  func() error { _, err := f.MetadataHashAt(ctx, 0, "x"); return err },
	} {
		require.Equal(t, error(contract.ErrorCodeNotDirectory), call(), name)
	}
	for name, call := range map[string]func() error{
		"write-via-stream of a directory": func() error { _, err := dir.WriteViaStream(ctx, 0); return err },
		"append of a directory":           func() error { _, err := dir.AppendViaStream(ctx); return err },
		"advise of a directory":           func() error { return dir.Advise(ctx, 0, 0, contract.AdviceNormal) },
		"set-size of a directory":         func() error { return dir.SetSize(ctx, 0) },
		"read of a directory":             func() error { _, err := dir.Read(ctx, 1, 0); return err },
		"write of a directory":            func() error { _, err := dir.Write(ctx, nil, 0); return err },
		"read for writing":                func() error { _, err := w.Read(ctx, 1, 0); return err },
		"read-via-stream for writing":     func() error { _, err := w.ReadViaStream(ctx, 0); return err },
		"write for reading":               func() error { _, err := f.Write(ctx, []byte("x"), 0); return err },
		"write-via-stream for reading":    func() error { _, err := f.WriteViaStream(ctx, 0); return err },
		"append for reading":              func() error { _, err := f.AppendViaStream(ctx); return err },
		"set-size for reading":            func() error { return f.SetSize(ctx, 0) },
	} {
		require.Equal(t, error(contract.ErrorCodeBadDescriptor), call(), name)
	}
	_, err := dir.ReadViaStream(ctx, 0)
	require.Equal(t, error(contract.ErrorCodeIsDirectory), err)
	require.Equal(t, "text", text(t, host+"/file"))
}

func TestStreams(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	put(t, host+"/file", strings.Repeat("0123456789", 10_000))
	ctx := t.Context()
	f, err := dir.OpenAt(ctx, 0, "file", 0, read|write)
	require.NoError(t, err)
	in, err := f.ReadViaStream(ctx, 5)
	require.NoError(t, err)
	out, err := f.WriteViaStream(ctx, 2)
	require.NoError(t, err)
	end, err := f.AppendViaStream(ctx)
	require.NoError(t, err)
	f.Drop() // streams go on without it
	got, err := in.BlockingRead(ctx, 3)
	require.NoError(t, err)
	require.Equal(t, "567", string(got))
	n, err := in.BlockingSkip(ctx, 40_000)
	require.NoError(t, err)
	require.EqualValues(t, 40_000, n)
	rest := 8 + 40_000
	for {
		got, err := in.Read(ctx, math.MaxUint64)
		if err != nil {
			require.Equal(t, streamClosed, err)
			break
		}
		rest += len(got)
	}
	require.Equal(t, 100_000, rest)
	require.NoError(t, out.BlockingWriteAndFlush(ctx, []byte("ab")))
	require.NoError(t, out.BlockingWriteAndFlush(ctx, []byte("cd")))
	require.NoError(t, end.BlockingWriteAndFlush(ctx, []byte("end")))
	again := b.open(dir, "file", 0, write)
	more, err := again.AppendViaStream(ctx)
	require.NoError(t, err)
	require.NoError(t, more.BlockingWriteAndFlush(ctx, []byte("more")))
	require.NoError(t, end.BlockingWriteZeroesAndFlush(ctx, 1))
	for _, s := range []interface{ Drop() }{in, out, end, more} {
		s.Drop()
	}
	after := text(t, host+"/file")
	require.Equal(t, "01abcd678", after[:9])
	require.Equal(t, "9endmore\x00", after[len(after)-9:])
}

// streamFailure returns what a stream died of.
func streamFailure(err error) (wasiio.Error, bool) {
	e, ok := errors.AsType[wasiio.StreamError](err)
	return e.LastOperationFailed, ok && e.Tag == wasiio.StreamErrorLastOperationFailed
}

var streamClosed = error(wasiio.StreamError{Tag: wasiio.StreamErrorClosed})

func TestNames(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	ctx := t.Context()
	put(t, host+"/file", "text")
	put(t, host+"/full/inner", "")
	require.NoError(t, dir.CreateDirectoryAt(ctx, "made"))
	require.NoError(t, dir.CreateDirectoryAt(ctx, "slash/"))
	require.NoError(t, dir.SymlinkAt(ctx, "../..", "up"))
	require.NoError(t, dir.SymlinkAt(ctx, "made", "tomade"))
	require.NoError(t, dir.LinkAt(ctx, 0, "file", dir, "made/hard"))
	require.NoError(t, dir.LinkAt(ctx, 0, "up", dir, "up2"))
	require.Equal(t, "text", text(t, host+"/made/hard"))
	require.NoError(t, os.Symlink("/etc", host+"/abs"))
	require.NoError(t, os.Symlink("\xff", host+"/bad"))
	target, err := dir.ReadlinkAt(ctx, "up2")
	require.NoError(t, err)
	require.Equal(t, "../..", target)
	for _, c := range []struct {
		want contract.ErrorCode
		name string
		err  error
	}{
		{contract.ErrorCodeExist, "mkdir", dir.CreateDirectoryAt(ctx, "file")},
		{contract.ErrorCodeExist, "mkdir .", dir.CreateDirectoryAt(ctx, ".")},
		{contract.ErrorCodeNotPermitted, "mkdir ..", dir.CreateDirectoryAt(ctx, "..")},
		{contract.ErrorCodeNotPermitted, "mkdir up/", dir.CreateDirectoryAt(ctx, "up/x")},
		{contract.ErrorCodeNotPermitted, "mkdir /", dir.CreateDirectoryAt(ctx, "/x")},
		{contract.ErrorCodeNoEntry, "mkdir nothing", dir.CreateDirectoryAt(ctx, "")},
		{contract.ErrorCodeNoEntry, "mkdir below nothing", dir.CreateDirectoryAt(ctx, "gone/x")},
		{contract.ErrorCodeNotDirectory, "mkdir below file", dir.CreateDirectoryAt(ctx, "file/x")},
		{contract.ErrorCodeNotPermitted, "symlink to /", dir.SymlinkAt(ctx, "/etc", "new")},
		{contract.ErrorCodeNoEntry, "symlink to nothing", dir.SymlinkAt(ctx, "", "new")},
		{contract.ErrorCodeInvalid, "symlink to NUL", dir.SymlinkAt(ctx, "a\x00", "new")},
		{contract.ErrorCodeNoEntry, "symlink slash", dir.SymlinkAt(ctx, "a", "new/")},
		{contract.ErrorCodeExist, "symlink over directory", dir.SymlinkAt(ctx, "a", "made/")},
		{contract.ErrorCodeExist, "symlink over link", dir.SymlinkAt(ctx, "a", "up")},
		{contract.ErrorCodeNotDirectory, "symlink file slash", dir.SymlinkAt(ctx, "a", "file/")},
		{contract.ErrorCodeNameTooLong, "symlink long", dir.SymlinkAt(ctx, strings.Repeat("a", filesystem.MaxPath+1), "new")},
		{contract.ErrorCodeIsDirectory, "unlink directory", dir.UnlinkFileAt(ctx, "made")},
		{contract.ErrorCodeIsDirectory, "unlink directory/", dir.UnlinkFileAt(ctx, "made/")},
		{contract.ErrorCodeIsDirectory, "unlink .", dir.UnlinkFileAt(ctx, ".")},
		{contract.ErrorCodeNotDirectory, "unlink file/", dir.UnlinkFileAt(ctx, "file/")},
		{contract.ErrorCodeNotDirectory, "unlink link/", dir.UnlinkFileAt(ctx, "tomade/")},
		{contract.ErrorCodeNoEntry, "unlink", dir.UnlinkFileAt(ctx, "gone")},
		{contract.ErrorCodeNotPermitted, "unlink up", dir.UnlinkFileAt(ctx, "up/x")},
		{contract.ErrorCodeNotPermitted, "unlink ..", dir.UnlinkFileAt(ctx, "..")},
		{contract.ErrorCodeNotDirectory, "rmdir file", dir.RemoveDirectoryAt(ctx, "file")},
		{contract.ErrorCodeNotDirectory, "rmdir file/", dir.RemoveDirectoryAt(ctx, "file/")},
		{contract.ErrorCodeNotDirectory, "rmdir link", dir.RemoveDirectoryAt(ctx, "tomade")},
		{contract.ErrorCodeNotDirectory, "rmdir link/", dir.RemoveDirectoryAt(ctx, "tomade/")},
		{contract.ErrorCodeNotPermitted, "rmdir up/", dir.RemoveDirectoryAt(ctx, "up/")},
		{contract.ErrorCodeNotPermitted, "rmdir ..", dir.RemoveDirectoryAt(ctx, "..")},
		{contract.ErrorCodeNotEmpty, "rmdir full", dir.RemoveDirectoryAt(ctx, "full")},
		{contract.ErrorCodeInvalid, "rmdir .", dir.RemoveDirectoryAt(ctx, ".")},
		{contract.ErrorCodeNoEntry, "rmdir", dir.RemoveDirectoryAt(ctx, "gone")},
		{contract.ErrorCodeInvalid, "link following", dir.LinkAt(ctx, follow, "up", dir, "new")},
		{contract.ErrorCodeNotPermitted, "link directory", dir.LinkAt(ctx, 0, "made", dir, "new")},
		{contract.ErrorCodeNotPermitted, "link .", dir.LinkAt(ctx, 0, ".", dir, "new")},
		{contract.ErrorCodeNotPermitted, "link from up", dir.LinkAt(ctx, 0, "up/x", dir, "new")},
		{contract.ErrorCodeNotPermitted, "link to up", dir.LinkAt(ctx, 0, "file", dir, "up/x")},
		{contract.ErrorCodeNotPermitted, "link from /", dir.LinkAt(ctx, 0, "/etc/passwd", dir, "new")},
		{contract.ErrorCodeExist, "link over", dir.LinkAt(ctx, 0, "file", dir, "up")},
		{contract.ErrorCodeExist, "link itself", dir.LinkAt(ctx, 0, "file", dir, "file")},
		{contract.ErrorCodeNoEntry, "link slash", dir.LinkAt(ctx, 0, "file", dir, "new/")},
		{contract.ErrorCodeNotDirectory, "link from slash", dir.LinkAt(ctx, 0, "file/", dir, "new")},
		{contract.ErrorCodeNoEntry, "link nothing", dir.LinkAt(ctx, 0, "", dir, "new")},
	} {
		require.Equal(t, error(c.want), c.err, c.name)
	}
	for path, want := range map[string]contract.ErrorCode{
		"file": contract.ErrorCodeInvalid, "made/": contract.ErrorCodeInvalid, "gone": contract.ErrorCodeNoEntry, "abs": contract.ErrorCodeNotPermitted,
		"bad": contract.ErrorCodeIllegalByteSequence, "up/": contract.ErrorCodeNotPermitted,
	} {
		_, err := dir.ReadlinkAt(ctx, path)
		require.Equal(t, error(want), err, path)
	}
	require.NoError(t, dir.UnlinkFileAt(ctx, "tomade"))
	require.NoError(t, dir.UnlinkFileAt(ctx, "made/hard"))
	require.NoError(t, dir.RemoveDirectoryAt(ctx, "made/"))
	require.NoError(t, dir.RemoveDirectoryAt(ctx, "slash"))
	require.Equal(t, []string{"abs", "bad", "file", "full", "up", "up2"}, names(t, host))
	require.Equal(t, "text", text(t, host+"/file"))
	sub := b.open(dir, "full", 0, 0)
	require.NoError(t, sub.CreateDirectoryAt(ctx, "x"), "programs of preview 1 open directories without any flag")
	require.Equal(t, error(contract.ErrorCodeNotPermitted), sub.CreateDirectoryAt(ctx, "../x"))
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestRename(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	ctx := t.Context()
	put(t, host+"/file", "text")
	put(t, host+"/full/inner", "")
	require.NoError(t, os.MkdirAll(host+"/empty", 0o755))
	require.NoError(t, os.Symlink("..", host+"/up"))
	sub := b.open(dir, "empty", isDir, read|mutate)
	mv := func(from, to string) error { return dir.RenameAt(ctx, from, dir, to) }
	for _, c := range []struct {
		want     contract.ErrorCode
		from, to string
	}{
		{contract.ErrorCodeNoEntry, "gone", "new"}, {contract.ErrorCodeNoEntry, "", "new"}, {contract.ErrorCodeNoEntry, "file", ""},
		{contract.ErrorCodeNoEntry, "file", "gone/new"}, {contract.ErrorCodeNoEntry, "gone", "gone"},
		{contract.ErrorCodeNotPermitted, "file", "../new"}, {contract.ErrorCodeNotPermitted, "file", "up/new"},
		{contract.ErrorCodeNotPermitted, "file", "/tmp/new"}, {contract.ErrorCodeNotPermitted, "up/root", "new"},
		{contract.ErrorCodeNotPermitted, "..", "new"},
		{contract.ErrorCodeNotDirectory, "file/", "new"}, {contract.ErrorCodeNotDirectory, "file", "new/"},
		{contract.ErrorCodeNotDirectory, "empty", "file"}, {contract.ErrorCodeIsDirectory, "file", "empty"},
		{contract.ErrorCodeNotEmpty, "empty", "full"}, {contract.ErrorCodeInvalid, "full", "full/sub"},
	} {
		require.Equal(t, error(c.want), mv(c.from, c.to), "%q to %q", c.from, c.to)
	}
	require.Contains(t, []error{contract.ErrorCodeBusy, contract.ErrorCodeInvalid}, mv(".", "new"))
	require.NoError(t, mv("file", "file"))
	require.NoError(t, mv("file", "up"), "over a link")
	require.NoError(t, mv("up", "file"))
	require.NoError(t, dir.RenameAt(ctx, "file", sub, "moved"))
	require.Equal(t, "text", text(t, host+"/empty/moved"))
	require.NoError(t, sub.RenameAt(ctx, "moved", dir, "file"))
	require.NoError(t, mv("full/", "empty/"), "over an empty directory")
	require.Equal(t, []string{"empty", "file"}, names(t, host))
	require.FileExists(t, host+"/empty/inner")
	require.NoError(t, mv("empty", "fresh/"))
	require.DirExists(t, host+"/fresh")
}

func TestStat(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	ctx := t.Context()
	put(t, host+"/file", "text")
	require.NoError(t, os.Link(host+"/file", host+"/hard"))
	require.NoError(t, os.Symlink("file", host+"/link"))
	f := b.open(dir, "file", 0, read)
	whole := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	at := func(sec, ns int) contract.NewTimestamp {
		return contract.NewTimestamp{Tag: contract.NewTimestampTimestamp, Timestamp: clocks.Datetime{Seconds: uint64(whole.Unix()) + uint64(sec), Nanoseconds: uint32(ns)}}
	}
	keep, now := contract.NewTimestamp{}, contract.NewTimestamp{Tag: contract.NewTimestampNow}
	require.NoError(t, f.SetTimes(ctx, at(1, 5000), at(2, 7000)))
	stat, err := f.Stat(ctx)
	require.NoError(t, err)
	require.Equal(t, contract.DescriptorTypeRegularFile, stat.Type)
	require.EqualValues(t, 4, stat.Size)
	require.EqualValues(t, 2, stat.LinkCount)
	require.Equal(t, at(1, 5000).Timestamp, stat.DataAccessTimestamp.Value)
	require.Equal(t, at(2, 7000).Timestamp, stat.DataModificationTimestamp.Value)
	require.InDelta(t, time.Now().Unix(), stat.StatusChangeTimestamp.Value.Seconds, 60)

	for path, want := range map[string]contract.DescriptorStat{"hard": stat, "./link/../file": {}, "file": stat} {
		got, err := dir.StatAt(ctx, 0, path)
		if want.Size == 0 {
			require.Equal(t, error(contract.ErrorCodeNotDirectory), err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, want, got, path)
	}
	link, err := dir.StatAt(ctx, 0, "link")
	require.NoError(t, err)
	require.Equal(t, contract.DescriptorTypeSymbolicLink, link.Type)
	require.EqualValues(t, len("file"), link.Size)
	followed, err := dir.StatAt(ctx, follow, "link")
	require.NoError(t, err)
	require.Equal(t, stat, followed)

	require.NoError(t, dir.SetTimesAt(ctx, 0, "link", keep, at(9, 0)))
	require.NoError(t, dir.SetTimesAt(ctx, follow, "link", keep, now))
	got, err := f.Stat(ctx)
	require.NoError(t, err)
	require.Equal(t, at(1, 5000).Timestamp, got.DataAccessTimestamp.Value)
	require.InDelta(t, time.Now().Unix(), got.DataModificationTimestamp.Value.Seconds, 60)
	link, err = dir.StatAt(ctx, 0, "link")
	require.NoError(t, err)
	require.Equal(t, at(9, 0).Timestamp, link.DataModificationTimestamp.Value)
	require.NoError(t, dir.SetTimes(ctx, keep, at(3, 0)))
	self, err := dir.Stat(ctx)
	require.NoError(t, err)
	require.Equal(t, at(3, 0).Timestamp, self.DataModificationTimestamp.Value)

	require.Equal(t, error(contract.ErrorCodeInvalid), f.SetTimes(ctx, keep, at(0, 1e9)))
	far := contract.NewTimestamp{Tag: contract.NewTimestampTimestamp, Timestamp: clocks.Datetime{Seconds: math.MaxUint64}}
	require.Equal(t, error(contract.ErrorCodeOverflow), f.SetTimes(ctx, keep, far))
	require.NoError(t, f.SetTimes(ctx, keep, keep))
	for path, want := range map[string]contract.ErrorCode{"gone": contract.ErrorCodeNoEntry, "../x": contract.ErrorCodeNotPermitted, "file/": contract.ErrorCodeNotDirectory} {
		_, err := dir.StatAt(ctx, 0, path)
		require.Equal(t, error(want), err, path)
		require.Equal(t, error(want), dir.SetTimesAt(ctx, 0, path, now, now), path)
		_, err = dir.MetadataHashAt(ctx, 0, path)
		require.Equal(t, error(want), err, path)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	b, host, dir := writable(t)
	ctx := t.Context()
	put(t, host+"/file", "text")
	put(t, host+"/other", "text")
	require.NoError(t, os.Link(host+"/file", host+"/hard"))
	require.NoError(t, os.Symlink("file", host+"/link"))
	f, hard, other := b.open(dir, "file", 0, read|write), b.open(dir, "hard", 0, read), b.open(dir, "other", 0, read)
	for _, c := range []struct {
		a, b contract.Descriptor
		same bool
	}{{f, f, true}, {f, hard, true}, {f, other, false}, {dir, dir, true}, {dir, f, false}, {dir, b.open(dir, ".", 0, 0), true}, {f, dir, false}} {
		same, err := c.a.IsSameObject(ctx, c.b)
		require.NoError(t, err)
		require.Equal(t, c.same, same)
		ha, err := c.a.MetadataHash(ctx)
		require.NoError(t, err)
		hb, err := c.b.MetadataHash(ctx)
		require.NoError(t, err)
		require.Equal(t, c.same, ha == hb)
	}
	before, err := f.MetadataHash(ctx)
	require.NoError(t, err)
	_, err = f.Write(ctx, []byte("changed"), 0)
	require.NoError(t, err)
	for path, flags := range map[string]contract.PathFlags{"file": 0, "hard": 0, "link": follow} {
		after, err := dir.MetadataHashAt(ctx, flags, path)
		require.NoError(t, err)
		require.Equal(t, before, after, "the hash is preview 1's inode, which stays")
	}
	link, err := dir.MetadataHashAt(ctx, 0, "link")
	require.NoError(t, err)
	require.NotEqual(t, before, link)
}

func TestListing(t *testing.T) {
	t.Parallel()
	_, host, dir := writable(t)
	ctx := t.Context()
	const n = 10_000
	require.NoError(t, os.Symlink("..", host+"/link"))
	require.NoError(t, os.Mkdir(host+"/dir", 0o755))
	put(t, host+"/file", "")
	for i := range n {
		require.NoError(t, os.Link(host+"/file", fmt.Sprintf("%s/%05d", host, i)))
	}
	put(t, host+"/bad\xff", "")
	got, bad := map[string]contract.DescriptorType{}, 0
	s, err := dir.ReadDirectory(ctx)
	require.NoError(t, err)
	defer s.Drop()
	for {
		e, err := s.ReadDirectoryEntry(ctx)
		if errors.Is(err, contract.ErrorCodeIllegalByteSequence) {
			bad++
			continue
		}
		require.NoError(t, err)
		if !e.OK {
			break
		}
		_, twice := got[e.Value.Name]
		require.False(t, twice, e.Value.Name)
		got[e.Value.Name] = e.Value.Type
	}
	e, err := s.ReadDirectoryEntry(ctx)
	require.NoError(t, err)
	require.False(t, e.OK, "the end stays the end")
	require.Len(t, got, n+3)
	require.Equal(t, 1, bad)
	require.Equal(t, contract.DescriptorTypeDirectory, got["dir"])
	require.Equal(t, contract.DescriptorTypeSymbolicLink, got["link"])
	require.Equal(t, contract.DescriptorTypeRegularFile, got["file"])
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	host := t.TempDir()
	put(t, host+"/file", "text")
	put(t, host+"/sub/inner", "text")
	open := t.TempDir()
	put(t, open+"/mine", "")
	b := newBed(t, filesystem.Dir{Host: host, Guest: "/ro"}, filesystem.Dir{Host: open, Guest: "/rw", Write: true})
	ro, rw, ctx := b.dirs[0], b.dirs[1], t.Context()
	f, sub := b.open(ro, "file", 0, read), b.open(ro, "sub", isDir, read|mutate)
	flags, err := sub.GetFlags(ctx)
	require.NoError(t, err)
	require.Equal(t, read, flags)
	now := contract.NewTimestamp{Tag: contract.NewTimestampNow}
	opened := func(_ contract.Descriptor, err error) error { return err }
	for name, err := range map[string]error{
		"write":    opened(ro.OpenAt(ctx, 0, "file", 0, write)),
		"truncate": opened(ro.OpenAt(ctx, 0, "file", truncate, read)),
		"create":   opened(sub.OpenAt(ctx, 0, "new", create, read)),
		"mkdir":    sub.CreateDirectoryAt(ctx, "new"), "rmdir": ro.RemoveDirectoryAt(ctx, "sub"), "unlink": sub.UnlinkFileAt(ctx, "inner"),
		"symlink": ro.SymlinkAt(ctx, "file", "new"), "link": ro.LinkAt(ctx, 0, "file", ro, "new"),
		"link out": ro.LinkAt(ctx, 0, "file", rw, "new"), "link in": rw.LinkAt(ctx, 0, "mine", ro, "new"),
		"rename": ro.RenameAt(ctx, "file", ro, "new"), "rename out": ro.RenameAt(ctx, "file", rw, "new"), "rename in": rw.RenameAt(ctx, "mine", sub, "new"),
		"set-times": f.SetTimes(ctx, now, now), "set-times-at": ro.SetTimesAt(ctx, 0, "file", now, now), "set-times of sub": sub.SetTimes(ctx, now, now),
		"set-size": f.SetSize(ctx, 0),
	} {
		require.Equal(t, error(contract.ErrorCodeNotPermitted), err, name)
	}
	_, err = f.Write(ctx, []byte("x"), 0)
	require.Equal(t, error(contract.ErrorCodeNotPermitted), err)
	require.Equal(t, []string{"file", "sub"}, names(t, host))
	require.Equal(t, "text", text(t, host+"/file"))
	for _, why := range b.refused {
		require.Equal(t, "wasi:filesystem: writing below /ro is not granted: --dir HOST::/ro:ro is only for reading, without :ro it is for writing too", why)
	}
	require.NotEmpty(t, b.refused)
	require.NoError(t, rw.RenameAt(ctx, "mine", rw, "yours"))
}

// TestNothingLeaks counts this process's descriptors, alone.
func TestNothingLeaks(t *testing.T) {
	count := func() int {
		n := 0
		require.NoError(t, filepath.WalkDir("/dev/fd/.", func(string, fs.DirEntry, error) error { n++; return nil }))
		return n
	}
	host := t.TempDir()
	put(t, host+"/d/file", "text")
	require.NoError(t, os.Symlink("d/file", host+"/link"))
	files := filesystem.New([]filesystem.Dir{{Host: host, Guest: "/", Write: true, Quota: 1 << 20}}, nil)
	round := func() {
		got, err := files.GetDirectories(t.Context())
		require.NoError(t, err)
		dir := got[0].F0
		defer dir.Drop()
		for _, path := range []string{"d/file", "link", "d", "d/", "gone", "../x", "d/file/x", "d/x"} {
			for _, flags := range []contract.OpenFlags{0, create, truncate, isDir, create | excl} {
				if f, err := dir.OpenAt(t.Context(), follow, path, flags, read); err == nil {
					f.Drop()
				}
			}
			_, _ = dir.StatAt(t.Context(), follow, path)
			_, _ = dir.ReadlinkAt(t.Context(), path)
			_ = dir.CreateDirectoryAt(t.Context(), path)
			_ = dir.RenameAt(t.Context(), path, dir, path+"2")
			_ = dir.LinkAt(t.Context(), 0, path, dir, path+"3")
		}
	}
	round()
	before := count()
	for range 20 {
		round()
	}
	require.Equal(t, before, count())
	require.Zero(t, files.Open())
}
