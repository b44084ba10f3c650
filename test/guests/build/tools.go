package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// The versions of what is installed. guests of other versions may behave
// otherwise: RESULTS.md is of these.
const (
	jcoVersion  = "1.35.0"
	shimVersion = "0.26.0" // with 0.26.1, jco 1.35.0 finds no file
	// With 0.22, which jco 1.35.0 takes, components never free the lists that they are given.
	componentizeVersion = "0.23.0"
	pyVersion           = "0.25.1"
	wacVersion          = "0.12.0"
)

// tool is a toolchain. install must be quick where it is there.
type tool struct {
	name    string
	install func(ctx context.Context, b *builder) error
}

var (
	jco   = &tool{"jco (npm)", installJCO}
	pip   = &tool{"componentize-py (PyPI)", installPy}
	wac   = &tool{"wac (crates.io)", installWac}
	rust  = &tool{"rustc for wasm32-wasip2", checkRust}
	clang = &tool{"clang for wasm32-wasi", checkClang}
)

func installJCO(ctx context.Context, b *builder) error {
	if _, err := os.Stat(b.path("tools", "node_modules", ".bin", "jco")); err == nil {
		return nil
	}
	text := fmt.Sprintf(`{"private": true, "dependencies": {"@bytecodealliance/jco": %q}, "overrides": {"@bytecodealliance/preview2-shim": %q, `+
		`"@bytecodealliance/componentize-js": %q}}`, jcoVersion, shimVersion, componentizeVersion)
	if err := os.WriteFile(b.path("tools", "package.json"), []byte(text), 0o644); err != nil {
		return err
	}
	return command(ctx, b.path("tools"), nil, "npm", "install", "--no-audit", "--no-fund")
}

func installPy(ctx context.Context, b *builder) error {
	if _, err := os.Stat(b.componentizePy()); err == nil {
		return nil
	}
	if err := command(ctx, "", nil, "python3", "-m", "venv", b.path("tools", "venv")); err != nil {
		return err
	}
	return command(ctx, "", nil, b.path("tools", "venv", "bin", "pip"), "install", "--quiet", "componentize-py=="+pyVersion)
}

func (b *builder) componentizePy() string { return b.path("tools", "venv", "bin", "componentize-py") }

func installWac(ctx context.Context, b *builder) error {
	if _, err := os.Stat(b.path("tools", "bin", "wac")); err == nil {
		return nil
	}
	return command(ctx, "", nil, "cargo", "install", "--quiet", "--locked", "--root", b.path("tools"), "wac-cli@"+wacVersion)
}

func checkRust(ctx context.Context, _ *builder) error {
	dir, err := exec.CommandContext(ctx, "rustc", "--print", "target-libdir", "--target", "wasm32-wasip2").Output()
	if err != nil {
		return err
	}
	if _, err := os.Stat(strings.TrimSpace(string(dir))); err != nil {
		return fmt.Errorf("%w (rustup target add wasm32-wasip2)", err)
	}
	return nil
}

func checkClang(ctx context.Context, b *builder) error {
	probe := b.path("tools", "probe.c")
	if err := os.WriteFile(probe, []byte("#include <stdio.h>\nint main(void) { return puts(\"\"); }\n"), 0o644); err != nil {
		return err
	}
	return command(ctx, "", nil, clangName(), "--target=wasm32-wasi", probe, "-o", b.path("tools", "probe.wasm"))
}

// clangName is CLANG, or clang-19.
func clangName() string {
	if name := os.Getenv("CLANG"); name != "" {
		return name
	}
	return "clang-19"
}

// componentize makes a component of a JavaScript module.
func (b *builder) componentize(ctx context.Context, source, wit, world, out string) error {
	return command(ctx, "", nil, b.path("tools", "node_modules", ".bin", "jco"),
		"componentize", source, "--wit", wit, "--world-name", world, "--out", out)
}

// adapt makes a component of a preview 1 command.
func (b *builder) adapt(ctx context.Context, module, out string) error {
	list := b.path("tools", "adapt.list")
	if err := os.WriteFile(list, []byte(module+"\t"+out+"\n"), 0o644); err != nil {
		return err
	}
	return command(ctx, "", nil, "node", filepath.Join("test", "wasi", "adapt.mjs"), b.path("tools"), list)
}

// plug satisfies a component's imports by what another exports.
func (b *builder) plug(ctx context.Context, socket, plug, out string) error {
	return command(ctx, "", nil, b.path("tools", "bin", "wac"), "plug", socket, "--plug", plug, "--output", out)
}

// wit makes a folder with a world of testdata/wit and all that it names: the
// example's types, and WASI as jco carries it.
func (b *builder) wit(world string) (string, error) {
	dir := b.path("tools", "wit")
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	for to, from := range map[string]string{
		"deps/types": filepath.Join("examples", "types", "wit"),
		"deps":       b.path("tools", "node_modules", "@bytecodealliance", "jco", "lib", "wit", "builtin", "0.2.12"),
	} {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(from)); err != nil {
			return "", err
		}
	}
	if err := copyOlder(filepath.Join(dir, "deps")); err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(testdata, "wit", world+".wit"))
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "world.wit"), text, 0o644)
}

// older is a version of WASI that a world names beside today's.
const older = "0.2.3"

// copyOlder writes WASI's packages again as of an older version: nothing that
// matters here came later.
func copyOlder(deps string) error {
	packages, err := filepath.Glob(filepath.Join(deps, "wasi-*", "package.wit"))
	if err != nil {
		return err
	}
	for _, path := range packages {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir := filepath.Dir(path) + "-" + older
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "package.wit"), versions.ReplaceAll(text, []byte(older)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

var versions = regexp.MustCompile(`0\.2\.[0-9]+`)

// command runs a tool. Its output is told if it fails.
func command(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, output)
	}
	return nil
}
