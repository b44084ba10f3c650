package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// other is a guest that needs more than Go and clang: program, which must be in
// the PATH. Without it the component that is committed stays.
type other struct {
	name, dir string
	program   string
	hint      string // where to get it
	build     func(ctx context.Context, b *builder) error
}

var others = []other{
	{"hello-go", "hello-go", "tinygo", "https://tinygo.org/getting-started", goGuest},
	{"greetings-js", "greetings-js", "npm", "https://nodejs.org", jsGuest},
	{"shop", "shop", "wac", "cargo install wac-cli@0.12.0", shop},
}

// builder builds one of them.
type builder struct {
	other
	root, tmp string // the folder of the examples, and one for what is not kept
	tools     *wasmTools
}

// path is a place in the example's folder.
func (b *builder) path(parts ...string) string {
	return filepath.Join(append([]string{b.root, b.dir}, parts...)...)
}

// out is where the component goes.
func (b *builder) out() string { return b.path(b.name + ".wasm") }

// buildOthers builds the named ones, or all of which the program is there.
func buildOthers(ctx context.Context, root string, names []string, tools *wasmTools) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	for _, o := range others {
		named := slices.Contains(names, o.name)
		if len(names) > 0 && !named {
			continue
		}
		if _, err := exec.LookPath(o.program); err != nil {
			if named {
				return fmt.Errorf("%s: %w: get %s from %s", o.name, err, o.program, o.hint)
			}
			fmt.Printf("%-24s not built: there is no %s (%s)\n", filepath.Join(o.dir, o.name+".wasm"), o.program, o.hint)
			continue
		}
		if err := o.make(ctx, root, tools); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

func (o other) make(ctx context.Context, root string, tools *wasmTools) (err error) {
	tmp, err := os.MkdirTemp("", "lath-guest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	b := &builder{other: o, root: root, tmp: tmp, tools: tools}
	if err := o.build(ctx, b); err != nil {
		return err
	}
	info, err := os.Stat(b.out())
	if err != nil {
		return err
	}
	fmt.Printf("%-24s %7d bytes\n", filepath.Join("examples", o.dir, o.name+".wasm"), info.Size())
	return nil
}

// command runs a program in a folder.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// goGuest builds the Go module in the folder guest.
func goGuest(ctx context.Context, b *builder) error {
	dir := b.path("guest")
	if err := command(ctx, dir, "go", "generate", "."); err != nil {
		return err
	}
	if err := command(ctx, dir, b.program, "build", "-target=wasm-unknown", "-no-debug", "-o", filepath.Join(b.tmp, "core.wasm"), "."); err != nil {
		return err
	}
	_, err := wrap(ctx, b.tools, b.tmp, b.path("wit"), "guest", "utf8", b.out())
	return err
}

// jsPackages are what JavaScript guests are built with. Of preview2-shim 0.26.1, jco
// 1.35.0 finds no file.
const jsPackages = `{"private": true, "dependencies": {"@bytecodealliance/jco": "1.35.0", "componentize-qjs": "0.4.5"},
"overrides": {"@bytecodealliance/preview2-shim": "0.26.0"}}`

// jsGuest builds a module of the example's name. QuickJS makes components that are
// small enough for a repository; without --backend they are of 12 MB, and know
// fetch and wasi:http.
func jsGuest(ctx context.Context, b *builder) error {
	if err := os.WriteFile(filepath.Join(b.tmp, "package.json"), []byte(jsPackages), 0o644); err != nil {
		return err
	}
	if err := command(ctx, b.tmp, b.program, "install", "--no-audit", "--no-fund"); err != nil {
		return err
	}
	return command(ctx, b.path(), filepath.Join(b.tmp, "node_modules", ".bin", "jco"), "componentize", "greetings.js", "--wit", "wit", "--world-name", "guest",
		"--backend", "qjs", "--backend-qjs-disable-async", "--out", b.out())
}

// shop composes the three components of the shop, which are built before.
func shop(ctx context.Context, b *builder) error {
	below := filepath.Join(b.tmp, "below.wasm")
	if err := command(ctx, b.path(), b.program, "plug", "baskets.wasm", "--plug", "prices.wasm", "--output", below); err != nil {
		return err
	}
	return command(ctx, b.path(), b.program, "plug", "till.wasm", "--plug", below, "--output", b.out())
}
