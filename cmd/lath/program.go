package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
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

// outputEnv stands in for --output.
const outputEnv = "LATH_OUTPUT"

// run is the whole program but for the process: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &cli{args: args, stdin: stdin, stdout: stdout, stderr: stderr}
	root := c.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	strictBuiltins(root)
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
		if strings.HasPrefix(a, "--output") {
			return false
		}
	}
	return os.Getenv(outputEnv) == outputJSON
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
	root.Version = buildVersion()
	root.SetVersionTemplate(versionLine())
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().StringVar(&c.output, "output", outputText, "form of output: text or json")
	fromEnv(root.PersistentFlags(), "output", outputEnv)
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
	root.AddCommand(c.runCmd(), c.upCmd(), c.hostCmd(), c.downCmd(), c.startCmd(), c.scaleCmd(), c.updateCmd(), c.stopCmd(), c.drainCmd(), c.linkCmd(), c.configCmd(), c.secretCmd(), c.providerCmd(), c.labelCmd(), c.callCmd(),
		c.getCmd(), c.keysCmd(), c.latticeCmd(), c.pushCmd(), c.pullCmd(), c.inspectCmd(), c.versionCmd())
	return root
}

// guestEnd is the end of a guest that this program ends with: silent, since the
// guest has said what there was to say.
type guestEnd struct{ status int }

func (e *guestEnd) Error() string { return fmt.Sprintf("exit status %d", e.status) }
