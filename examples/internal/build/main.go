// Command build makes the example components from their C sources:
//
//	go run ./examples/internal/build [name ...]
//
// It needs Go and clang 19 with lld for wasm32, nothing else: "component new"
// is the wasm-tools that the module go.bytecodealliance.org carries as a
// WebAssembly program, run on wazero. The guests in other languages, and those that
// are composed, need tools of their own: see others. The components are committed,
// so only those who change a guest run this (make guests).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// A guest is one component to build, in the folder examples/<dir>.
type guest struct {
	name     string // of the component file, without .wasm
	dir      string
	sources  []string // in dir; the shared guest.c is added
	world    string
	encoding string // of strings, as wasm-tools spells it
	debug    bool   // it tells functions, files and lines
}

var guests = []guest{
	{"cat", "cat", []string{"cat.c", files}, "guest", "utf8", false},
	{"fetch", "fetch", []string{"fetch.c", files}, "guest", "utf8", false},
	{"gallery", "gallery", []string{"gallery.c", "web.c"}, "guest", "utf8", false},
	{"http-counter", "http-counter", []string{"http-counter.c"}, "guest", "utf8", false},
	{"http-hello", "http-hello", []string{"http-hello.c"}, "guest", "utf8", false},
	{"mirror", "mirror", []string{"mirror.c"}, "guest", "utf8", false},
	{"notes", "notes", []string{"notes.c", files}, "guest", "utf8", false},
	{"counter", "counter", []string{"counter.c"}, "guest", "utf8", false},
	{"divide", "divide", []string{"divide.c"}, "guest", "utf8", true},
	{"greeter", "greeter", []string{"greeter.c"}, "guest", "utf8", false},
	{"ping-pong", "ping-pong", []string{"ping-pong.c"}, "guest", "utf8", false},
	{"chain", "chain", []string{"chain.c"}, "guest", "utf8", false},
	{"prefix", "prefix", []string{"prefix.c"}, "guest", "utf8", false},
	{"prices", "shop", []string{"prices.c"}, "price-list", "utf8", false},
	{"baskets", "shop", []string{"baskets.c"}, "basket-maker", "utf8", false},
	{"till", "shop", []string{"till.c"}, "cashier", "utf8", false},
	{"stores", "stores", []string{"stores.c", "choose.c"}, "guest", "utf8", false},
	{"stores-v1", "stores", []string{"stores.c", "choose-v1.c"}, "guest-v1", "utf8", false},
	{"todo", "todo", []string{"todo.c"}, "guest", "utf8", false},
	{"sql-relay", "todo", []string{"sql-relay.c"}, "relay", "utf8", false},
	{"types", "types", typesSources, "guest", "utf8", false},
	{"types-utf16", "types", typesSources, "guest", "utf16", false},
	{"types-latin1", "types", typesSources, "guest", "compact-utf16", false},
	{"holder", "types", []string{"holder.c"}, "holder", "utf8", false},
	{"relay", "types", []string{"relay.c"}, "relay", "utf8", false},
	{"relay-utf16", "types", []string{"relay.c"}, "relay", "utf16", false},
	{"relay-latin1", "types", []string{"relay.c"}, "relay", "compact-utf16", false},
}

// files is what guests share that open files.
const files = "../internal/guest/files.c"

// One core module serves every encoding: it never looks into a string.
var typesSources = []string{"values.c", "resources.c", "failures.c"}

func main() {
	if err := run(context.Background(), "examples", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "build guests:", err)
		os.Exit(1)
	}
}

// run builds the named guests, or all of them, in the examples folder root.
func run(ctx context.Context, root string, names []string) (err error) {
	if err := checkNames(names); err != nil {
		return err
	}
	tools, err := newWasmTools(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tools.close(ctx)) }()
	for _, g := range guests {
		if len(names) > 0 && !slices.Contains(names, g.name) {
			continue
		}
		size, err := g.build(ctx, root, tools)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		fmt.Printf("%-24s %7d bytes\n", filepath.Join(root, g.dir, g.name+".wasm"), size)
	}
	return buildOthers(ctx, root, names, tools)
}

func checkNames(names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(guests, func(g guest) bool { return g.name == name }) &&
			!slices.ContainsFunc(others, func(o other) bool { return o.name == name }) {
			return fmt.Errorf("no guest named %q", name)
		}
	}
	return nil
}

// build compiles one guest to a core module, embeds its world and wraps it as
// a component. It returns the component's size.
func (g guest) build(ctx context.Context, root string, tools *wasmTools) (size int64, err error) {
	tmp, err := os.MkdirTemp("", "lath-guest-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()

	dir := filepath.Join(root, g.dir)
	if err := compile(ctx, root, dir, g.sources, g.debug, filepath.Join(tmp, "core.wasm")); err != nil {
		return 0, err
	}
	return wrap(ctx, tools, tmp, filepath.Join(dir, "wit"), g.world, g.encoding, filepath.Join(dir, g.name+".wasm"))
}

// wrap makes a component of the core module core.wasm in the folder tmp, for a
// world, and returns its size.
func wrap(ctx context.Context, tools *wasmTools, tmp, wit, world, encoding, out string) (size int64, err error) {
	mounts := map[string]string{"/tmp": tmp, "/wit": wit}
	embed := []string{
		"component", "embed", "/wit", "--world", world, "--encoding", encoding,
		"/tmp/core.wasm", "-o", "/tmp/embedded.wasm",
	}
	if err := tools.run(ctx, mounts, embed...); err != nil {
		return 0, err
	}
	if err := tools.run(ctx, mounts, "component", "new", "/tmp/embedded.wasm", "-o", "/tmp/component.wasm"); err != nil {
		return 0, err
	}
	data, err := os.ReadFile(filepath.Join(tmp, "component.wasm"))
	if err != nil {
		return 0, err
	}
	return int64(len(data)), os.WriteFile(out, data, 0o644)
}
