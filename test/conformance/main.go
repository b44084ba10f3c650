package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
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

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir := o.suite
	if o.jco != "" {
		if dir, err = os.MkdirTemp("", "conformance-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if err := convert(ctx, o.jco, o.suite, dir, stderr); err != nil {
			return err
		}
	}
	files := os.DirFS(dir)
	scripts, err := load(files, o.async)
	if err != nil {
		return fmt.Errorf("%s: %w", o.suite, err)
	}
	s, err := newSuite(files, o.verbose, stdout)
	if err != nil {
		return err
	}
	return s.play(ctx, scripts)
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
