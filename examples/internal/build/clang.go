package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// compile builds C sources of dir, with the shared guest.c, into a core module
// without libc. CLANG names the compiler, clang-19 by default.
// With debug the module tells functions, files and lines.
func compile(ctx context.Context, root, dir string, sources []string, debug bool, out string) error {
	clang := os.Getenv("CLANG")
	if clang == "" {
		clang = "clang-19"
	}
	shared := filepath.Join(root, "internal", "guest")
	symbols := []string{"-Wl,--strip-all"}
	if debug {
		// Names of files without the folders of whoever builds.
		symbols = []string{"-g", "-fdebug-compilation-dir=.", "-ffile-prefix-map=" + shared + "/=", "-ffile-prefix-map=" + dir + "/="}
	}
	args := append(symbols,
		"--target=wasm32-unknown-unknown", "-std=c17", "-O2", "-Wall", "-Wextra", "-Werror",
		"-Wno-unused-parameter", // exports take what the ABI passes, wanted or not
		"-ffreestanding", "-nostdlib", "-mbulk-memory", "-msign-ext", "-I", shared,
		// The stack comes first, so that overflowing it traps and overwrites nothing.
		"-Wl,--no-entry", "-Wl,--stack-first", "-Wl,-z,stack-size=16384",
		"-o", out, filepath.Join(shared, "guest.c"),
	)
	for _, source := range sources {
		args = append(args, filepath.Join(dir, source))
	}
	cmd := exec.CommandContext(ctx, clang, args...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("compile with %s (clang 19 and lld for wasm32 are needed): %w\n%s", clang, err, output)
	}
	return nil
}
