package main

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var testdata = filepath.Join("test", "guests", "testdata")

// guest is one component to build.
type guest struct {
	name  string
	needs []*tool
	build func(ctx context.Context, b *builder, out string) error
}

// guests are in an order in which later ones may use earlier ones.
var guests = []guest{
	{"js-relay", []*tool{jco}, js("relay.js", "relay")},
	{"js-resources", []*tool{jco}, js("resources.js", "resources")},
	{"js-http", []*tool{jco}, js("http.js", "http-js")},
	{"py-relay", []*tool{jco, pip}, py("relay")},
	{"py-resources", []*tool{jco, pip}, py("resources")},
	{"py-command", []*tool{jco, pip}, py("command")},
	{"go-command", []*tool{jco}, goLibrary("command", "command")},
	{"go-http", []*tool{jco}, goLibrary("http", "http")},
	{"c-command", []*tool{jco, clang}, cCommand},
	{"rust-command", []*tool{rust}, rustCommand},
	{"composed", []*tool{jco, pip, wac}, composed},
	{"wasm-tools", []*tool{jco}, wasmTools},
	{"cat-cargo-wasi", []*tool{jco}, wazeroCat("cargo-wasi")},
	{"cat-tinygo", []*tool{jco}, wazeroCat("tinygo")},
	{"cat-zig", []*tool{jco}, wazeroCat("zig")},
	{"cat-zig-cc", []*tool{jco}, wazeroCat("zig-cc")},
}

func js(source, world string) func(context.Context, *builder, string) error {
	return func(ctx context.Context, b *builder, out string) error {
		wit, err := b.wit(world)
		if err != nil {
			return err
		}
		return b.componentize(ctx, filepath.Join(testdata, "js", source), wit, world, out)
	}
}

// py builds a module for the world of its name.
func py(module string) func(context.Context, *builder, string) error {
	return func(ctx context.Context, b *builder, out string) error {
		wit, err := b.wit(module)
		if err != nil {
			return err
		}
		return command(ctx, "", nil, b.componentizePy(), "--wit-path", wit, "--world", module,
			"componentize", "--python-path", filepath.Join(testdata, "py"), module, "--output", out)
	}
}

// goLibrary builds a Go package for a world. It needs no generator: the ABI is
// written out in the package.
func goLibrary(pkg, world string) func(context.Context, *builder, string) error {
	return func(ctx context.Context, b *builder, out string) error {
		wit, err := b.wit(world)
		if err != nil {
			return err
		}
		module, embedded := out+".core", out+".embedded"
		if err := command(ctx, "", []string{"GOOS=wasip1", "GOARCH=wasm"}, "go", "build", "-trimpath", "-ldflags=-s -w",
			"-buildmode=c-shared", "-o", module, "./"+filepath.ToSlash(filepath.Join(testdata, "go", pkg))); err != nil {
			return err
		}
		jco := b.path("tools", "node_modules", ".bin", "jco")
		if err := command(ctx, "", nil, jco, "embed", module, "--wit", wit, "--output", embedded); err != nil {
			return err
		}
		return command(ctx, "", nil, jco, "new", embedded, "--wasi-reactor", "--output", out)
	}
}

func cCommand(ctx context.Context, b *builder, out string) error {
	module := out + ".core"
	if err := command(ctx, "", nil, clangName(), "--target=wasm32-wasi", "-O2", "-Wall", "-Wextra", "-Werror", "-Wl,--strip-all",
		filepath.Join(testdata, "c", "command.c"), "-o", module); err != nil {
		return err
	}
	return b.adapt(ctx, module, out)
}

func rustCommand(ctx context.Context, _ *builder, out string) error {
	return command(ctx, "", nil, "rustc", "--target", "wasm32-wasip2", "--edition", "2024", "-O", "-C", "strip=symbols",
		filepath.Join(testdata, "rust", "command.rs"), "-o", out)
}

// composed puts JavaScript on top of Python on top of C, in one component.
func composed(ctx context.Context, b *builder, out string) error {
	below := b.path("tools", "composed-below.wasm")
	if err := b.plug(ctx, b.path("py-relay.wasm"), filepath.Join("examples", "types", "types.wasm"), below); err != nil {
		return err
	}
	return b.plug(ctx, b.path("js-relay.wasm"), below, out)
}

// wasmTools is the preview 1 build of wasm-tools that a Go module carries.
func wasmTools(ctx context.Context, b *builder, out string) error {
	dir, err := moduleDir(ctx, "go.bytecodealliance.org")
	if err != nil {
		return err
	}
	packed, err := os.Open(filepath.Join(dir, "internal", "wasmtools", "wasm-tools.wasm.gz"))
	if err != nil {
		return err
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		return err
	}
	module, err := os.Create(out + ".core")
	if err != nil {
		return err
	}
	_, err = io.Copy(module, r)
	if err := errors.Join(err, module.Close()); err != nil {
		return err
	}
	return b.adapt(ctx, module.Name(), out)
}

// wazeroCat is a program of wazero's own tests.
func wazeroCat(toolchain string) func(context.Context, *builder, string) error {
	return func(ctx context.Context, b *builder, out string) error {
		dir, err := moduleDir(ctx, "github.com/tetratelabs/wazero")
		if err != nil {
			return err
		}
		return b.adapt(ctx, filepath.Join(dir, "imports", "wasi_snapshot_preview1", "example", "testdata", toolchain, "cat.wasm"), out)
	}
}

// moduleDir is the folder of a module that go.mod requires.
func moduleDir(ctx context.Context, module string) (string, error) {
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	return strings.TrimSpace(string(dir)), err
}
