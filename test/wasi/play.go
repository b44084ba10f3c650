package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/filesystem"
)

// patience is how long one program may run.
const patience = time.Minute

// tally counts outcomes.
type tally struct{ passed, failed, skipped int }

func (t *tally) add(other tally) {
	t.passed += other.passed
	t.failed += other.failed
	t.skipped += other.skipped
}

func (t tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

// player plays tests one after another and prints what comes of them.
type player struct {
	known      expectations
	cache, tmp string
	verbose    bool
	out        io.Writer
	total      tally
	// surprises are the failures that are not listed.
	surprises int
}

// play plays all tests on one runtime.
func (p *player) play(ctx context.Context, tests []test) error {
	rt, err := component.New(ctx, component.Config{CacheDir: p.cache})
	if err != nil {
		return err
	}
	suites := map[string]*tally{}
	for _, t := range tests {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), rt.Close(context.WithoutCancel(ctx)))
		}
		o, err := p.try(ctx, rt, t)
		if err != nil && p.verbose {
			fmt.Fprintf(p.out, "%s%s", o.stdout.Bytes(), o.stderr.Bytes())
		}
		suite, _, _ := strings.Cut(t.name, "/")
		if suites[suite] == nil {
			suites[suite] = &tally{}
		}
		p.judge(t.name, err, suites[suite])
	}
	for _, suite := range slices.Sorted(maps.Keys(suites)) {
		fmt.Fprintf(p.out, "%-60s %s\n", suite, suites[suite])
		p.total.add(*suites[suite])
	}
	fmt.Fprintln(p.out, p.total)
	if n := rt.MemoryInUse() + rt.MemoryIdle(); n > 0 {
		return fmt.Errorf("%d bytes of linear memory are left", n)
	}
	if err := rt.Close(ctx); err != nil {
		return err
	}
	if p.surprises > 0 {
		return fmt.Errorf("%d failures that are not listed in expectations.txt", p.surprises)
	}
	return nil
}

// judge counts and prints a test's outcome.
func (p *player) judge(name string, err error, t *tally) {
	x, listed := p.known[name]
	switch {
	case err == nil && !listed:
		t.passed++
		fmt.Fprintf(p.out, "%-60s passed\n", name)
	case err == nil:
		err = errors.New("passes, but is listed")
		fallthrough
	case !listed:
		p.surprises++
		t.failed++
		fmt.Fprintf(p.out, "%-60s FAILED: %v\n", name, err)
	case x.skip:
		t.skipped++
		fmt.Fprintf(p.out, "%-60s skipped: %s\n", name, x.reason)
	default:
		t.failed++
		fmt.Fprintf(p.out, "%-60s failed, as listed: %s\n", name, x.reason)
	}
}

// try runs one test. The error says what is not as expected.
func (p *player) try(ctx context.Context, rt *component.Runtime, t test) (o *output, err error) {
	o = &output{}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	wasm, err := os.ReadFile(t.program)
	if err != nil {
		return o, err
	}
	c, err := rt.Compile(wasm)
	if err != nil {
		return o, err
	}
	cfg := wasi.Config{Args: append([]string{filepath.Base(t.program)}, t.spec.Args...), Env: t.spec.Env, Stdout: &o.stdout, Stderr: &o.stderr}
	if t.root != "" {
		root, err := p.copyRoot(t)
		if err != nil {
			return o, err
		}
		cfg.Dirs = []filesystem.Dir{{Host: root, Guest: "/", Write: true}}
	}
	status, err := runCommand(ctx, c, cfg)
	if err == nil {
		err = t.spec.check(status, o)
	}
	return o, err
}

// copyRoot copies the test's directory: a test must not see what others left.
func (p *player) copyRoot(t test) (string, error) {
	root, err := os.MkdirTemp(p.tmp, "root-")
	if err != nil {
		return "", err
	}
	return root, os.CopyFS(root, os.DirFS(t.root))
}

// output is what a program wrote.
type output struct{ stdout, stderr bytes.Buffer }

// check compares what came of a program with what had to.
func (s spec) check(status int, o *output) error {
	var errs []error
	if status != s.ExitCode {
		errs = append(errs, fmt.Errorf("status %d, want %d", status, s.ExitCode))
	}
	if got := o.stdout.String(); s.Stdout != nil && got != *s.Stdout {
		errs = append(errs, fmt.Errorf("standard output is %q, want %q", got, *s.Stdout))
	}
	if got := o.stderr.String(); s.Stderr != nil && got != *s.Stderr {
		errs = append(errs, fmt.Errorf("standard error is %q, want %q", got, *s.Stderr))
	}
	return errors.Join(errs...)
}

// runCommand runs wasi:cli/run and returns its status as a shell would see it.
func runCommand(ctx context.Context, c *component.Component, cfg wasi.Config) (status int, err error) {
	tm, err := c.Link(ctx, component.LinkConfig{Name: cfg.Args[0], Host: wasi.Interfaces(cfg)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, tm.Close(context.WithoutCancel(ctx))) }()
	ctx, end := wasi.WithRun(ctx)
	defer end()
	entry := tm.Export("wasi:cli/run@0.2.0", "run")
	if entry == nil {
		return 0, errors.New("the component does not export wasi:cli/run")
	}
	i, err := tm.Take(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	result, err := i.CallValues(ctx, entry)
	if t := trap.As(err); t != nil && t.Code == trap.Exit {
		return t.ExitStatus, nil
	}
	if err != nil {
		return 0, err
	}
	if result.Bits != 0 {
		return 1, nil
	}
	return 0, nil
}
