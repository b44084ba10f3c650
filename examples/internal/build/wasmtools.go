package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// toolsModule carries wasm-tools, built with its "component" commands only. The
// package around it is internal, hence the reading from the module's folder.
const (
	toolsModule = "go.bytecodealliance.org"
	toolsFile   = "internal/wasmtools/wasm-tools.wasm.gz"
)

// wasmTools is wasm-tools, compiled once for many runs.
type wasmTools struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
}

func newWasmTools(ctx context.Context) (*wasmTools, error) {
	binary, err := readWasmTools(ctx)
	if err != nil {
		return nil, fmt.Errorf("read wasm-tools: %w", err)
	}
	r := wazero.NewRuntime(ctx)
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		return nil, err
	}
	module, err := r.CompileModule(ctx, binary)
	if err != nil {
		return nil, fmt.Errorf("compile wasm-tools: %w", err)
	}
	return &wasmTools{runtime: r, module: module}, nil
}

func readWasmTools(ctx context.Context) ([]byte, error) {
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", toolsModule).Output()
	if err != nil {
		return nil, fmt.Errorf("find module %s: %w", toolsModule, err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), toolsFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// run runs one wasm-tools command. mounts maps paths that the command uses to
// folders of this machine.
func (t *wasmTools) run(ctx context.Context, mounts map[string]string, args ...string) error {
	fs := wazero.NewFSConfig()
	for guest, host := range mounts {
		fs = fs.WithDirMount(host, guest)
	}
	var output bytes.Buffer
	config := wazero.NewModuleConfig().
		WithName("").
		WithArgs(append([]string{"wasm-tools"}, args...)...).
		WithFSConfig(fs).
		WithRandSource(rand.Reader).
		WithStdout(&output).
		WithStderr(&output)
	if _, err := t.runtime.InstantiateModule(ctx, t.module, config); err != nil {
		return fmt.Errorf("wasm-tools %s: %w\n%s", strings.Join(args, " "), err, output.Bytes())
	}
	return nil
}

func (t *wasmTools) close(ctx context.Context) error { return t.runtime.Close(ctx) }
