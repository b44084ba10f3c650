package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
)

// cacheEnv makes a test process a user of the cache in that directory.
const cacheEnv = "LATH_TEST_CACHE"

// TestCacheUser is what TestCacheOfManyProcesses starts.
func TestCacheUser(t *testing.T) {
	dir := os.Getenv(cacheEnv)
	if dir == "" {
		t.Skip("started by TestCacheOfManyProcesses")
	}
	for round := range 15 {
		useCache(t, dir)
		if round == 0 {
			fmt.Fprintln(os.Stdout, "a round is done")
		}
	}
}

// useCache compiles ten modules with a cache that has room for a few of them.
func useCache(t *testing.T, dir string) engine.Stats {
	e, warnings := newEngine(t, engine.Config{CacheDir: dir, CacheBytes: 20_000})
	for i := range 10 {
		src := mustSource(t, "table", core.Plan{MaxTable: uint32(10 + i)})
		code, err := e.Compile(t.Context(), src)
		require.NoError(t, err)
		m, err := e.Instantiate(engine.NewContext(context.Background()), code, nil, nil)
		require.NoError(t, err)
		stack, err := call(t.Context(), m, "size")
		require.NoError(t, err)
		require.Equal(t, uint64(1), stack[0])
		require.NoError(t, m.Close(t.Context()))
		code.Close()
	}
	engine.WaitForCompiles(e)
	require.Zero(t, warnings.Load())
	return e.Stats()
}

// TestCacheOfManyProcesses: processes write, use and remove the same files at
// the same time, and one of them is killed.
func TestCacheOfManyProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe, err := os.Executable()
	require.NoError(t, err)
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range 3 {
		cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestCacheUser$", "-test.v")
		cmd.Env = append(os.Environ(), cacheEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		cmd.Stderr = cmd.Stdout
		require.NoError(t, cmd.Start())
		wg.Go(func() {
			lines := bufio.NewScanner(out)
			var all []byte
			for lines.Scan() {
				all = append(append(all, lines.Bytes()...), '\n')
				if i == 0 && lines.Text() == "a round is done" {
					_ = cmd.Process.Kill()
				}
			}
			_, _ = io.Copy(io.Discard, out)
			if err := cmd.Wait(); i > 0 && err != nil {
				t.Errorf("process %d: %v\n%s", i, err, all)
			}
		})
	}
	wg.Wait()
	stats := useCache(t, dir)
	require.Equal(t, uint64(10), stats.Compiled+stats.Loaded)
	var size int64
	for _, f := range entries(t, dir) {
		info, err := os.Stat(f)
		require.NoError(t, err)
		size += info.Size()
	}
	require.Positive(t, size)
	require.LessOrEqual(t, size, int64(20_000+20_000/32+5_000), "the limit, and what may come before the next sweep")
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.tmp"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(left), 1, "the one that was killed may have been writing")
}
