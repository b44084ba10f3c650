package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
)

// options are the command line.
type options struct {
	suite, jco, cache string
	only              *regexp.Regexp
	verbose           bool
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
		fmt.Fprintln(os.Stderr, "wasi:", err)
		os.Exit(1)
	}
}

// usageError is a wrong command line, which package flag has told about.
type usageError struct{ error }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("wasi", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.suite, "suite", "", "`folder` of wasi-testsuite, with built programs")
	flags.StringVar(&o.jco, "jco", os.Getenv("JCO"), "`folder` in which npm has installed @bytecodealliance/jco; default $JCO")
	flags.StringVar(&o.cache, "cache", "", "`folder` that keeps compiled code between runs")
	flags.StringVar(&only, "run", "", "play only tests whose name matches a `regexp`")
	flags.BoolVar(&o.verbose, "v", false, "print what failing programs wrote")
	err := flags.Parse(args)
	if err == nil && (o.suite == "" || flags.NArg() > 0) {
		err = errors.New("want -suite and no arguments")
		fmt.Fprintln(stderr, err)
	}
	if err == nil {
		if o.only, err = regexp.Compile(only); err != nil {
			fmt.Fprintln(stderr, err)
		}
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
	known, err := parseExpectations(expectationText)
	if err != nil {
		return fmt.Errorf("expectations.txt: %w", err)
	}
	tests, err := find(o.suite, o.only)
	if err != nil {
		return fmt.Errorf("%s: %w", o.suite, err)
	}
	tmp, err := os.MkdirTemp("", "wasi-suite-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if tests, err = adapt(ctx, o.jco, tests, tmp, stderr); err != nil {
		return err
	}
	p := &player{known: known, cache: o.cache, tmp: tmp, verbose: o.verbose, out: stdout}
	return p.play(ctx, tests)
}
