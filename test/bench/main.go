package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"time"
)

// options are the command line.
type options struct {
	rounds int
	// failovers is how often hosts are ended in each way.
	failovers int
	slice     time.Duration
	json      string
	keep      string
	rows      *regexp.Regexp
	peers     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	isChild, err := runChild(ctx)
	if !isChild {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// usageError is a wrong command line, which package flag has told about.
type usageError struct{ error }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 15, "rounds, each of which measures every row once")
	flags.DurationVar(&o.slice, "time", 25*time.Millisecond, "time for one row, or its floor, in one round")
	flags.IntVar(&o.failovers, "failovers", 10, "how often a host is killed, and how often stopped, under load")
	flags.StringVar(&o.json, "json", "", "write the table with every sample to this `file`")
	flags.StringVar(&o.keep, "results", "", "write RESULTS.md and its plot to this `folder`")
	flags.BoolVar(&o.peers, "peers", true, "compare with other runtimes, too, which takes a minute to build once")
	flags.Func("row", "measure only rows whose name matches this `regexp`, and what they are compared to", func(s string) (err error) {
		o.rows, err = regexp.Compile(s)
		return err
	})
	err := flags.Parse(args)
	if err == nil && (o.rounds < 1 || o.failovers < 1 || o.slice <= 0 || flags.NArg() > 0) {
		err = errors.New("want at least one round and failover, some time, and no arguments")
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
	b, err := newBed(ctx, o.peers)
	if err != nil {
		return errors.Join(err, b.close())
	}
	defer func() { err = errors.Join(err, b.close()) }()
	all, err := b.rows(ctx)
	if err != nil {
		return err
	}
	rows := choose(all, o.rows)
	m := measurement{rounds: o.rounds, slice: o.slice}
	if err := m.run(ctx, rows); err != nil {
		return err
	}
	bars, crowded, err := b.sandbox(ctx, o)
	if err != nil {
		return err
	}
	if len(rows)+len(bars) == 0 && crowded == nil {
		return fmt.Errorf("no row matches %q", o.rows)
	}
	report := newReport(m, rows, bars)
	report.Command, report.Skipped, report.Crowd = strings.Join(args, " "), b.skips, crowded
	if b.peers != nil {
		report.Machine.Libraries = append(report.Machine.Libraries, b.peers.libraries()...)
	}
	if _, err := io.WriteString(stdout, report.text()); err != nil {
		return err
	}
	if o.keep != "" {
		if err := report.keep(o.keep); err != nil {
			return err
		}
	}
	if o.json == "" {
		return nil
	}
	out, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(out, '\n'), 0o644)
}
