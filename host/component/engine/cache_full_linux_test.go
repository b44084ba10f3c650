package engine_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
)

// fullEnv makes a test process one that can write no file of more than 200
// bytes: to it, the disk becomes full in the middle of an entry.
const fullEnv = "LATH_TEST_FULL"

func TestCacheOnFullDisk(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(fullEnv); dir != "" {
		useFullDisk(t, dir)
		return
	}
	dir := t.TempDir()
	keepOne(t, dir, "table")
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestCacheOnFullDisk$")
	cmd.Env = append(os.Environ(), fullEnv+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func useFullDisk(t *testing.T, dir string) {
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 200, Max: 200}))
	e, warnings := newEngine(t, engine.Config{CacheDir: dir})
	for _, name := range []string{"globals", "memory", "table"} {
		code, err := e.Compile(t.Context(), mustSource(t, name, core.Plan{}))
		require.NoError(t, err)
		code.Close()
		engine.WaitForCompiles(e)
	}
	require.Equal(t, engine.Stats{Compiled: 2, Loaded: 1}, e.Stats())
	require.Equal(t, int32(1), warnings.Load(), "it is told once")
	require.Len(t, entries(t, dir), 1)
	left, err := filepath.Glob(filepath.Join(dir, "*", "*.tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
}
