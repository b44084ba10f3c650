package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	bindcli "github.com/lathhost/lath/host/bind/wasi/cli"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/wit"
	wasicli "github.com/lathhost/lath/wit/wasi/cli"
	"github.com/lathhost/lath/wit/wave"
)

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
	if p.rt, err = component.New(ctx, component.Config{CacheDir: cache, Warn: warn, Foreground: true}); err != nil {
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
		Debug: p.flags.debug, Progress: progress,
		Pool: component.PoolConfig{Reuse: component.Fresh}}) // there is one call
	if err != nil {
		err = fmt.Errorf("%s: %w", p.name, err)
		if refused, is := errors.AsType[*core.Error](err); is && refused.Reason == core.LimitExceeded && strings.HasPrefix(refused.Msg, "memory") {
			err = fmt.Errorf("%w\n%s", err, p.flags.limitsSet())
		}
	}
	return err
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
	callable := slices.DeleteFunc(slices.Clone(all), func(fn function) bool { return cannotType(fn.Func) != "" })
	if len(callable) > 0 {
		return function{}, fmt.Errorf("%s is no program: it does not export wasi:cli/run; call one of its functions with --invoke 'FUNCTION(ARGUMENTS)':%s", name, signatures(callable))
	}
	return function{}, fmt.Errorf("%s is no program: it does not export wasi:cli/run; what it exports cannot be called from a command line:%s", name, signatures(all))
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

// run runs the program.
func (p *program) run(ctx context.Context) error {
	exports, err := bindcli.NewRunExports(p.tmpl)
	if err != nil {
		return err
	}
	var failed error
	if err := p.on(ctx, func(ctx context.Context, i *component.Instance) error {
		if failed = exports.On(i).Run(ctx); trap.As(failed) != nil {
			return failed
		}
		return nil
	}); err != nil {
		return p.ended(err)
	}
	if failed != nil {
		return &guestEnd{exitFailed}
	}
	return nil
}

// invoke calls the function that a flag names.
func (p *program) invoke(ctx context.Context) (results []byte, took time.Duration, err error) {
	start := time.Now()
	err = p.on(ctx, func(ctx context.Context, i *component.Instance) (err error) {
		results, err = i.Call(ctx, p.tmpl.Export(p.fn.instance, p.fn.Name), p.params, nil)
		return err
	})
	return results, time.Since(start), err
}

// on makes a call on an instance of its own. What the guest has written is
// written when it returns.
func (p *program) on(ctx context.Context, call func(context.Context, *component.Instance) error) error {
	if p.flags.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.flags.timeout)
		defer cancel()
	}
	ctx, end := wasi.WithRun(ctx)
	defer end()
	i, err := p.tmpl.Take(ctx)
	if err != nil {
		return err
	}
	return errors.Join(call(ctx, i), i.Release())
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
	return errors.New(trap.Format(&shown) + p.hint(t))
}

// hint says what flags have to do with a trap; it begins with a line end.
func (p *program) hint(t *trap.Error) string {
	f := p.flags
	inSource := func(at trap.Frame) bool { return at.File != "" }
	switch {
	case t.Code == trap.Limit:
		return "\n" + f.limitsSet()
	case f.debug && len(t.Stack) > 0 && !slices.ContainsFunc(t.Stack, inSource):
		return "\n" + filepath.Base(p.name) + " tells no source lines: it was built without debug information (-g of most compilers), or stripped"
	}
	return ""
}

// close gives back what the program has. After a signal it does not wait for a
// compile under way, which ends with the process.
func (p *program) close(ctx context.Context) error {
	if ctx.Err() != nil && p.tmpl == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
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
