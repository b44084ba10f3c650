package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/wit"
	wasicli "github.com/lathhost/lath/wit/wasi/cli"
	"github.com/lathhost/lath/wit/wave"
)

// exitInterrupted is the exit code of a guest that a signal ended: what shells
// use.
const exitInterrupted = 130

func (c *cli) runCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run [flags] FILE|REFERENCE [ARGUMENT...]", Short: "Run a component here, as a program",
		Long: `Run a component that exports wasi:cli/run in this process, without a lattice, or
call one function of any component with --invoke. What follows the component goes to
it: flags of lath stand before. A "--" right after the component is left out.

The program has standard input, output and error, and nothing else of this machine
but what flags grant. wasi:keyvalue is in memory and ends with the run; wasi:logging
goes to standard error. A component that imports interfaces of other components runs
in a lattice: see lath up.

The exit code is the program's: 0 where it ends well, 1 where it ends with an error
without a code. It is 1 for a trap or a limit, with the reason on standard error, 2
for wrong use, and 130 after an interrupt.`,
		Example: `  lath run hello.wasm
  lath run --dir ./data::/data:ro --env LANG sort.wasm -r /data/names.txt
  lath run --allow-http api.example.org --timeout 30s ghcr.io/you/fetch:0.1.0
  lath run --invoke 'example:types/values.echo-u32(42)' types.wasm`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no component is named: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			rest := args[1:]
			if len(rest) > 0 && rest[0] == "--" {
				rest = rest[1:]
			}
			return c.runGuest(cmd.Context(), &f, args[0], rest)
		},
	}
	f.add(cmd)
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// runGuest runs a component and ends as it does.
func (c *cli) runGuest(ctx context.Context, f *runFlags, name string, args []string) (err error) {
	g, err := f.check()
	if err != nil {
		return err
	}
	var call *wave.Call
	if f.invoke != "" {
		parsed, err := wave.ParseCall(f.invoke)
		if err != nil {
			return &usageError{fmt.Errorf("--invoke: %w", withCaret(f.invoke, err))}
		}
		call = &parsed
	}
	if isFile(name) && isCoreModule(name) {
		return errCoreModule(name)
	}
	a, err := c.pull(ctx, &f.source, name)
	if err != nil {
		return err
	}
	p := &program{cli: c, flags: f, grant: g, name: name, args: args, errors: &sharedWriter{w: c.stderr}}
	defer func() {
		err = errors.Join(err, p.close(context.WithoutCancel(ctx)))
		if _, own := errors.AsType[*guestEnd](err); err != nil && !own && ctx.Err() != nil {
			err = &guestEnd{exitInterrupted} // whatever it kept from being done
		}
	}()
	if err := p.load(ctx, a.Bytes, call); err != nil {
		return err
	}
	data, took, err := p.call(ctx)
	if err != nil {
		return p.ended(err)
	}
	out, err := answer(p.fn, data, took)
	switch {
	case err != nil:
		return err
	case call != nil:
		return c.show(out)
	case out.WAVE == "err":
		return &guestEnd{exitFailed}
	}
	return nil
}

// isCoreModule says whether a file is WebAssembly that is not wrapped as a
// component. What cannot be read is not.
func isCoreModule(file string) bool {
	const header = "\x00asm\x01\x00\x00\x00"
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	var got [len(header)]byte
	_, err = io.ReadFull(f, got[:])
	return err == nil && string(got[:]) == header
}

func errCoreModule(name string) error {
	out := strings.TrimSuffix(filepath.Base(name), ".wasm") + ".component.wasm"
	return fmt.Errorf(`%s is a core module, not a component
make a component of a WASI preview 1 command with one of:
  npx @bytecodealliance/jco new --wasi-command %s -o %s
  wasm-tools component new --adapt wasi_snapshot_preview1=wasi_snapshot_preview1.command.wasm %s -o %s
where the second needs that file of wasmtime's releases`, name, name, out, name, out)
}

// program is a component that is to run once in this process.
type program struct {
	*cli
	flags *runFlags
	grant runGrant
	name  string
	args  []string
	// errors is standard error, which more than the guest writes to.
	errors *sharedWriter

	fn      function
	params  []byte
	rt      *component.Runtime
	tmpl    *component.Template
	closers []func() error
}

// load compiles and links the component and finds what is to be called; call
// is nil for the function of wasi:cli/run.
func (p *program) load(ctx context.Context, wasm []byte, call *wave.Call) error {
	cache := p.flags.source.cacheDir
	if cache != "" {
		cache = filepath.Join(cache, "compiled") // that of hosts
	}
	var err error
	warn := func(err error) { fmt.Fprintf(p.errors, "warning: %v\n", err) } // while the guest runs, it may be
	if p.rt, err = component.New(ctx, component.Config{CacheDir: cache, Warn: warn}); err != nil {
		return err
	}
	progress, done := p.compiling(p.name)
	defer done()
	comp, err := p.rt.Compile(wasm)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if call != nil {
		p.fn, p.params, err = prepare(comp.World(), *call, p.flags.invoke)
	} else {
		p.fn, err = findRun(comp.World(), p.name)
	}
	if err != nil {
		return err
	}
	hosts, err := p.interfaces(comp.World())
	if err != nil {
		return err
	}
	p.tmpl, err = comp.Link(ctx, component.LinkConfig{Name: p.id(), Host: hosts, Limits: p.grant.limits,
		Debug: p.flags.debug, Progress: progress})
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// findRun finds the function that makes a component a program.
func findRun(w *wit.World, name string) (function, error) {
	all := functions(w)
	for _, fn := range all {
		if wit.Track(fn.instance) == wit.Track(wasicli.RunInterface.Name) && fn.Name == "run" {
			return fn, nil
		}
	}
	if len(all) == 0 {
		return function{}, fmt.Errorf("%s exports no function: there is nothing to run", name)
	}
	for _, fn := range all {
		if strings.HasPrefix(fn.instance, "wasi:cli/run@") {
			return function{}, fmt.Errorf("%s exports %s, which is not supported yet: it wants wasi:cli/run@0.2", name, fn.instance)
		}
	}
	return function{}, fmt.Errorf("%s is no program: it does not export wasi:cli/run; call one of its functions with --invoke 'FUNCTION(ARGUMENTS)':%s", name, signatures(all))
}

// id is the component's name in errors.
func (p *program) id() string {
	name := p.name
	if !isFile(name) {
		if ref, err := oci.ParseReference(name); err == nil {
			return idOf(ref)
		}
	}
	return filepath.Base(name)
}

// call runs the function on an instance of its own. What the guest has written
// is written when it returns.
func (p *program) call(ctx context.Context) (results []byte, took time.Duration, err error) {
	if p.flags.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.flags.timeout)
		defer cancel()
	}
	ctx, end := wasi.WithRun(ctx)
	defer end()
	start := time.Now()
	results, err = p.tmpl.Call(ctx, p.tmpl.Export(p.fn.instance, p.fn.Name), p.params, nil)
	return results, time.Since(start), err
}

// ended says how a guest ended that did not return.
func (p *program) ended(err error) error {
	t := trap.As(err)
	switch {
	case t != nil && t.Code == trap.Exit:
		if t.ExitStatus == 0 {
			return nil
		}
		return &guestEnd{t.ExitStatus}
	case t == nil:
		return err
	case t.Code == trap.Deadline:
		return fmt.Errorf("%s did not end within %s (--timeout): it was stopped", p.name, p.flags.timeout)
	}
	shown := *t
	shown.Stderr = nil // it was seen when it was written
	return errors.New(trap.Format(&shown))
}

func (p *program) close(ctx context.Context) error {
	var errs []error
	if p.tmpl != nil {
		errs = append(errs, p.tmpl.Close(ctx))
	}
	for _, closer := range p.closers {
		errs = append(errs, closer())
	}
	if p.rt != nil {
		errs = append(errs, p.rt.Close(ctx))
	}
	return errors.Join(errs...)
}

// sharedWriter lets more than one goroutine write.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}

// wasi is what WASI shows the guest.
func (p *program) wasi() wasi.Config {
	return wasi.Config{
		Args: append([]string{p.id()}, p.args...), Env: p.grant.env, Cwd: p.flags.cwd,
		Stdin: p.stdin, Stdout: p.stdout, Stderr: p.errors,
		Terminals: terminals(p.cli),
		Line: func(stream, line string) {
			if stream == wasi.Host {
				line = "lath: " + line
			}
			fmt.Fprintln(p.errors, line)
		},
		ConfigValues: func() map[string]string { return p.grant.config },
		Grants:       p.grant.grants,
	}
}

// ownEnv is a variable of this process.
func ownEnv(name string) (string, error) {
	v, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("the environment has no variable %s: give it a value, %s=VALUE", name, name)
	}
	return v, nil
}
