package wasi_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/filesystem"
)

// TestFiles has a C program use files through wasi-libc and preview 1's
// adapter, each time in a directory that holds one file, "a.txt".
func TestFiles(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/files.wasm")
	for _, c := range []struct {
		name string
		args []string
		dir  filesystem.Dir
		want []string
	}{
		{name: "everything", dir: filesystem.Dir{Guest: "/data", Write: true}, want: []string{"stdout: all well"}},
		{name: "everything, with a quota", dir: filesystem.Dir{Guest: "/data", Write: true, Quota: 1 << 20}, want: []string{"stdout: all well"}},
		{name: "below a root", dir: filesystem.Dir{Guest: "/", Write: true}, args: []string{"write"}, want: []string{"stdout: open: No such file or directory"}},
		{name: "not granted", args: []string{"write"}, want: []string{"stdout: open: Capabilities insufficient"}},
		{name: "only for reading", dir: filesystem.Dir{Guest: "/data"}, args: []string{"write"}, want: []string{
			"host: wasi:filesystem: writing below /data is not granted: --dir HOST::/data:ro is only for reading, without :ro it is for writing too",
			"stdout: open: Operation not permitted",
		}},
		{name: "quota", dir: filesystem.Dir{Guest: "/data", Write: true, Quota: 50_000}, args: []string{"write"}, want: []string{
			"host: wasi:filesystem: the quota of /data is used up: it was granted as --dir HOST::/data:quota=50000",
			"stdout: write: Quota exceeded",
		}},
		{name: "quota that holds", dir: filesystem.Dir{Guest: "/data", Write: true, Quota: 100_000}, args: []string{"write"}, want: []string{"stdout: write: all"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got record
			cfg := wasi.Config{Args: append([]string{"prog"}, c.args...), Line: got.line}
			if c.dir.Guest != "" {
				c.dir.Host = filepath.Join(t.TempDir(), "root")
				require.NoError(t, os.Mkdir(c.dir.Host, 0o755))
				require.NoError(t, os.WriteFile(c.dir.Host+"/a.txt", nil, 0o600))
				cfg.Dirs = []filesystem.Dir{c.dir}
			}
			out, err := g.call(t.Context(), t, cfg, run)
			require.NoError(t, err, "%q", got.all())
			require.Equal(t, c.want, got.all())
			require.Equal(t, "ok", out)
		})
	}
}

// TestDirectoryThatIsGone: what was granted is not there when a guest starts.
func TestDirectoryThatIsGone(t *testing.T) {
	t.Parallel()
	cfg := wasi.Config{Args: []string{"prog"}}
	cfg.Dirs = []filesystem.Dir{{Host: filepath.Join(t.TempDir(), "gone"), Guest: "/data"}}
	_, err := load(t, "testdata/files.wasm").call(t.Context(), t, cfg, run)
	require.ErrorContains(t, err, "gone, granted as /data: no such file or directory")
}
