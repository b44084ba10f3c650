package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

// cli is what all verbs share: the streams and the form of output.
type cli struct {
	args   []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	output string
	parsed bool // output is what the command line says
}

// The values of --output.
const (
	outputText = "text"
	outputJSON = "json"
)

// run is the whole program but for the process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{args: args, stdin: stdin, stdout: stdout, stderr: stderr}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if ended, is := errors.AsType[*guestEnd](err); is {
		return ended.status
	}
	var usage *usageError
	isUsage := errors.As(err, &usage)
	switch {
	case c.wantsJSON():
		_ = writeJSON(stderr, struct {
			Error string `json:"error"`
		}{err.Error()})
	case isUsage:
		fmt.Fprintf(stderr, "error: %v\nsee: %s --help\n", err, cmd.CommandPath())
	default:
		fmt.Fprintf(stderr, "error: %v\n", err)
	}
	if isUsage {
		return exitUsage
	}
	return exitFailed
}

// wantsJSON also holds for errors that come before flags are read.
func (c *cli) wantsJSON() bool {
	if c.parsed || c.output != "" && c.output != outputText {
		return c.output == outputJSON
	}
	for i, a := range c.args {
		if a == "--output=json" || a == "--output" && i+1 < len(c.args) && c.args[i+1] == outputJSON {
			return true
		}
	}
	return false
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lath",
		Short: "Run WebAssembly components on any machine, joined into one lattice",
		Long: `Lath runs sandboxed WebAssembly components and joins the machines they run on
into one lattice over NATS.

Exit codes: 0 done, 1 failed, 2 wrong use; of run, those of the program.`,
		Example: `  lath run --dir . tool.wasm --verbose data.txt
  lath up --detach
  lath start component ghcr.io/you/counter:0.1.0
  lath start provider keyvalue lath+builtin://keyvalue-memory
  lath link put counter keyvalue --interface wasi:keyvalue/store,atomics
  lath call counter 'example:counter/counter.increment("visits")'
  lath down`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	asGroup(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.PersistentFlags().StringVar(&c.output, "output", outputText, "form of output: text or json")
	fromEnv(root.PersistentFlags(), "output", "LATH_OUTPUT")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		c.parsed = true
		if err := readEnv(cmd.Flags()); err != nil {
			return &usageError{err}
		}
		if c.output != outputText && c.output != outputJSON {
			return usagef("--output %q: want text or json", c.output)
		}
		return nil
	}
	root.AddCommand(c.runCmd(), c.upCmd(), c.hostCmd(), c.downCmd(), c.startCmd(), c.stopCmd(), c.linkCmd(), c.callCmd(),
		c.getCmd(), c.pushCmd(), c.pullCmd(), c.inspectCmd(), c.versionCmd())
	return root
}

// asGroup makes a command one that only holds others: alone it shows help,
// with anything else it says what it does not know.
func asGroup(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(near, " or "))
		}
		return &usageError{err}
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// nargs wants between least and most arguments, and says which.
func nargs(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%d argument(s) given, more are needed: %s", len(args), cmd.UseLine())
		case len(args) > most:
			return usagef("unexpected argument %q: %s", args[most], cmd.UseLine())
		}
		return nil
	}
}

// guestEnd is the end of a guest that this program ends with: silent, since the
// guest has said what there was to say.
type guestEnd struct{ status int }

func (e *guestEnd) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// usageError is wrong use: the command line cannot mean anything.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }
