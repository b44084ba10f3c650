package guests_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/filesystem"
)

// TestWasmTools has a program of 3.7 MB read components and write one.
func TestWasmTools(t *testing.T) {
	c := guest(t, "wasm-tools")
	dir := t.TempDir()
	types, err := os.ReadFile("../../examples/types/types.wasm")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "types.wasm"), types, 0o600))
	cfg := wasi.Config{Args: []string{"component", "wit", "/data/types.wasm"}}
	cfg.Dirs = []filesystem.Dir{{Host: dir, Guest: "/data", Write: true}}

	o := start(t, c, cfg)
	require.Zero(t, o.status, o.stderr)
	for _, line := range []string{"export example:types/values;", "echo-shape: func(v: shape) -> shape;", "resource cell {"} {
		require.Contains(t, o.stdout, line)
	}

	cfg.Args = append(cfg.Args, "--wasm", "-o", "/data/wit.wasm")
	require.Zero(t, start(t, c, cfg).status)
	cfg.Args = []string{"component", "wit", "/data/wit.wasm"}
	require.Contains(t, start(t, c, cfg).stdout, "echo-shape: func(v: shape) -> shape;", "it reads what it wrote")

	cfg.Args = []string{"component", "wit", "/data/nothing.wasm"}
	o = start(t, c, cfg)
	require.Equal(t, 1, o.status)
	require.Contains(t, o.stderr, "No such file or directory")
}

// TestCats runs programs of wazero's own tests, of four toolchains.
func TestCats(t *testing.T) {
	text := strings.Repeat("what a cat copies\n", 1000)
	dir := folder(t, map[string]string{"test.txt": text})
	for _, name := range []string{"cat-cargo-wasi", "cat-tinygo", "cat-zig", "cat-zig-cc"} {
		t.Run(name, func(t *testing.T) {
			cfg := wasi.Config{Args: []string{"test.txt"}}
			cfg.Dirs = []filesystem.Dir{{Host: dir, Guest: "/"}}
			require.Equal(t, outcome{stdout: text}, start(t, guest(t, name), cfg))
		})
	}
}
