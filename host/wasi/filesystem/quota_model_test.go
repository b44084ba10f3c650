//go:build linux || darwin

package filesystem_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/filesystem"
	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// TestQuotaIsWhatIsThere does whatever comes to mind in a directory that was
// empty, and compares what the quota counts with what is there: after every
// step, also those that failed.
func TestQuotaIsWhatIsThere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		host := t.TempDir()
		b := newBed(t, filesystem.Dir{Host: host, Guest: "/data", Write: true, Quota: 30_000})
		p := &player{bed: b, dir: b.dirs[0], rand: rand.New(rand.NewPCG(seed, 1))}
		for step := range 400 {
			what := p.step()
			require.Equal(t, p.there(t, host), b.files.Used(0), "seed %d, step %d: %s", seed, step, what)
		}
		for _, f := range p.open {
			f.Drop()
		}
		p.open = nil
		require.Equal(t, p.there(t, host), b.files.Used(0), "seed %d: after the last file was closed", seed)
	}
}

// player is a guest that does things at random.
type player struct {
	*bed
	dir  contract.Descriptor
	rand *rand.Rand
	open []contract.Descriptor
}

func (p *player) path() string {
	return []string{"a", "b", "c", "d", "d/a", "d/b", "e", "e/a"}[p.rand.IntN(8)]
}

func (p *player) file() contract.Descriptor {
	if len(p.open) == 0 {
		return nil
	}
	return p.open[p.rand.IntN(len(p.open))]
}

// step does one thing, which may fail.
func (p *player) step() string {
	ctx := p.Context()
	switch f := p.file(); p.rand.IntN(14) {
	case 0, 1:
		flags := []contract.OpenFlags{0, create, create | excl, truncate, create | truncate}[p.rand.IntN(5)]
		if f, err := p.dir.OpenAt(ctx, contract.PathFlags(p.rand.IntN(2)), p.path(), flags, read|write); err == nil {
			p.open = append(p.open, f)
		}
		return "open"
	case 2:
		if f != nil {
			_, _ = f.Write(ctx, make([]byte, p.rand.IntN(4)*p.rand.IntN(2000)), uint64(p.rand.IntN(8000)))
		}
		return "write"
	case 3:
		if f != nil {
			_ = f.SetSize(ctx, uint64(p.rand.IntN(12_000)))
		}
		return "set-size"
	case 4:
		if f != nil {
			if s, err := f.AppendViaStream(ctx); err == nil {
				_ = s.BlockingWriteAndFlush(ctx, make([]byte, p.rand.IntN(4000)))
				s.Drop()
			}
		}
		return "append"
	case 5:
		_ = p.dir.CreateDirectoryAt(ctx, p.path())
		return "create-directory"
	case 6:
		_ = p.dir.SymlinkAt(ctx, p.path(), p.path())
		return "symlink"
	case 7:
		_ = p.dir.LinkAt(ctx, 0, p.path(), p.dir, p.path())
		return "link"
	case 8, 9:
		_ = p.dir.RenameAt(ctx, p.path(), p.dir, p.path())
		return "rename"
	case 10:
		_ = p.dir.UnlinkFileAt(ctx, p.path())
		return "unlink"
	case 11:
		_ = p.dir.RemoveDirectoryAt(ctx, p.path())
		return "remove-directory"
	default:
		if len(p.open) > 3 {
			i := p.rand.IntN(len(p.open))
			p.open[i].Drop()
			p.open = append(p.open[:i], p.open[i+1:]...)
		}
		return "close"
	}
}

// there is what a quota should count.
func (p *player) there(t *testing.T, host string) (n int64) {
	t.Helper()
	seen := map[uint64]bool{}
	require.NoError(t, filepath.WalkDir(host, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == host {
			return err
		}
		i, err := os.Lstat(path)
		if err != nil {
			return err
		}
		n += nameCost
		ino := i.Sys().(*syscall.Stat_t).Ino
		if !e.IsDir() && !seen[ino] {
			seen[ino] = true
			n += i.Size()
		}
		return nil
	}))
	lost := map[contract.MetadataHashValue]bool{}
	for _, f := range p.open {
		s, err := f.Stat(p.Context())
		require.NoError(t, err)
		h, err := f.MetadataHash(p.Context())
		require.NoError(t, err)
		if s.Type == contract.DescriptorTypeRegularFile && s.LinkCount == 0 && !lost[h] {
			lost[h] = true
			n += int64(s.Size)
		}
	}
	return n
}
