// Command build makes the components that test/guests runs:
//
//	go run ./test/guests/build -out DIR [name ...]
//
// It is run in the module's root. What is in DIR already is kept, unless its
// name is given. Toolchains are installed in DIR/tools when first needed, by
// npm, pip, cargo and the Go toolchain; clang, rustc with its target
// wasm32-wasip2, node, python and cargo must be there. A guest whose tool is
// missing is told as SKIPPED and makes the status no failure: what a tool
// refuses does.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "build guests:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	out := flags.String("out", filepath.Join("test", "guests", "out"), "`folder` of the components and of the toolchains")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for _, name := range flags.Args() {
		if !slices.ContainsFunc(guests, func(g guest) bool { return g.name == name }) {
			return fmt.Errorf("no guest named %q", name)
		}
	}
	dir, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	b := &builder{dir: dir, missing: map[string]error{}}
	if err := os.MkdirAll(b.path("tools"), 0o755); err != nil {
		return err
	}
	var errs []error
	for _, g := range guests {
		if err := b.make(ctx, g, slices.Contains(flags.Args(), g.name), stdout); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", g.name, err))
		}
	}
	return errors.Join(errs...)
}

// builder builds guests in a folder.
type builder struct {
	dir     string
	missing map[string]error // tools that could not be had, by name
}

// make builds a guest if it is not there, or if forced to.
func (b *builder) make(ctx context.Context, g guest, force bool, stdout io.Writer) error {
	out := b.path(g.name + ".wasm")
	if _, err := os.Stat(out); err == nil && !force {
		fmt.Fprintf(stdout, "%-20s is there\n", g.name)
		return nil
	}
	for _, need := range g.needs {
		if err := b.need(ctx, need); err != nil {
			fmt.Fprintf(stdout, "%-20s SKIPPED: no %s: %v\n", g.name, need.name, err)
			return nil
		}
	}
	start := time.Now()
	// A guest that was half written must not count as built.
	tmp := b.path("tools", g.name+".wasm")
	if err := g.build(ctx, b, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, out); err != nil {
		return err
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%-20s %9d bytes in %.1f s\n", g.name, info.Size(), time.Since(start).Seconds())
	return nil
}

// need installs a tool once.
func (b *builder) need(ctx context.Context, t *tool) error {
	err, tried := b.missing[t.name]
	if !tried {
		err = t.install(ctx, b)
		b.missing[t.name] = err
	}
	return err
}

// path is a path in the folder.
func (b *builder) path(elem ...string) string {
	return filepath.Join(append([]string{b.dir}, elem...)...)
}
