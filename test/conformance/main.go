package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"

	"github.com/lathhost/lath/host/component"
)

// options are the command line.
type options struct {
	suite, jco string
	verbose    bool
	async      bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// usageError is a wrong command line, which package flag has told about.
type usageError struct{ error }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.suite, "suite", "", "`folder` of .wast files, or of what -jco made of them before")
	flags.StringVar(&o.jco, "jco", os.Getenv("JCO"), "`folder` in which npm has installed @bytecodealliance/jco; default $JCO. Empty: the suite is converted")
	flags.BoolVar(&o.async, "async", false, "play folders named async too")
	flags.BoolVar(&o.verbose, "v", false, "print a line for each form that failed or was skipped")
	err := flags.Parse(args)
	if err == nil && (o.suite == "" || flags.NArg() > 0) {
		err = errors.New("want -suite and no arguments")
		fmt.Fprintln(stderr, err)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return o, usageError{err}
	}
	return o, err
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir := o.suite
	if o.jco != "" {
		if dir, err = os.MkdirTemp("", "conformance-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := convert(ctx, o.jco, o.suite, dir, stderr); err != nil {
			return err
		}
	}
	return play(ctx, os.DirFS(dir), o, stdout)
}

// convert runs convert.mjs, which is beside this file in the module.
func convert(ctx context.Context, jco, suite, out string, stderr io.Writer) error {
	cmd := exec.CommandContext(ctx, "node", "--input-type=module", "-", jco, suite, out)
	cmd.Stdin, cmd.Stderr = converter(), stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("convert %s: %w", suite, err)
	}
	return nil
}

// play plays a converted suite and prints the outcome.
func play(ctx context.Context, suite fs.FS, o options, stdout io.Writer) error {
	scripts, err := load(suite, o.async)
	if err != nil {
		return err
	}
	skips, err := parseSkips(skipText)
	if err != nil {
		return err
	}
	total := counts{}
	for _, s := range scripts {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c, err := playScript(ctx, suite, s, skips, o.verbose, stdout)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Source, err)
		}
		fmt.Fprintf(stdout, "%-60s %s\n", s.Source, c.sum())
		total.add(c)
	}
	total.table(stdout)
	fmt.Fprintln(stdout, total.sum())
	if n := total.sum().failed; n > 0 {
		return fmt.Errorf("%d forms failed", n)
	}
	return nil
}

// playScript plays one script on a runtime of its own, so that what is left of
// it shows.
func playScript(ctx context.Context, suite fs.FS, s script, skips map[string]string, verbose bool, stdout io.Writer) (counts, error) {
	c := counts{}
	rt, err := component.New(ctx, component.Config{})
	if err != nil {
		return c, err
	}
	p, err := newPlayer(rt, suite)
	if err != nil {
		return c, err
	}
	for _, f := range s.Forms {
		err := p.play(f)
		place := fmt.Sprintf("%s:%d", s.Source, f.Line)
		reason, listed := skips[place]
		switch {
		case err == nil && listed:
			err = errors.New("passes, but is listed in skips.txt")
			fallthrough
		case err != nil && !listed:
			c.count(f.Kind, failed)
			fmt.Fprintf(stdout, "  FAIL %s %s: %v\n", place, f.Kind, err)
		case err != nil:
			c.count(f.Kind, skipped)
			if verbose {
				fmt.Fprintf(stdout, "  skip %s %s: %s (%v)\n", place, f.Kind, reason, err)
			}
		default:
			c.count(f.Kind, passed)
		}
	}
	if err := p.close(ctx); err != nil {
		return c, err
	}
	if n := rt.MemoryInUse(); n > 0 {
		return c, fmt.Errorf("%d bytes of linear memory are left", n)
	}
	return c, rt.Close(ctx)
}
