package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/wit/wave"
)

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

The exit code is the program's: 0 where it ends well, its own code where it gives
one by wasi:cli/exit, and else 1: WASI 0.2 lets most toolchains say no more than
that it failed. It is 1 for a trap or a limit, with the reason on standard error, 2
for wrong use, and 128 and the signal's number after one: 130 after an interrupt.`,
		Example: `  lath run hello.wasm
  lath run --dir ./data::/data:ro --env LANG sort.wasm -r /data/names.txt
  lath run --allow-http api.example.org --timeout 30s ghcr.io/you/fetch:0.1.0
  lath run --invoke 'example:types/values.echo-u32(42)' types.wasm`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || args[0] == "" {
				return usagef("no component is named: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.invoke == "" && cmd.Flags().Changed("invoke") {
				return usagef("--invoke: it is empty: want FUNCTION(ARGUMENTS)")
			}
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
	a, err := c.pull(ctx, &f.source, name)
	if err != nil {
		return err
	}
	p := &program{cli: c, flags: f, grant: g, name: name, args: args, errors: &sharedWriter{w: c.stderr}}
	defer func() {
		err = errors.Join(err, p.close(ctx))
		if _, own := errors.AsType[*guestEnd](err); err != nil && !own && ctx.Err() != nil {
			err = interrupted(ctx) // whatever it kept from being done
		}
	}()
	if err := p.load(ctx, a.Bytes, call); err != nil {
		return err
	}
	if call == nil {
		return p.run(ctx)
	}
	data, took, err := p.invoke(ctx)
	if err != nil {
		return p.ended(err)
	}
	out, err := answer(p.fn, data, took)
	if err != nil {
		return err
	}
	return c.show(out)
}

// ownEnv is a variable of this process.
func ownEnv(name string) (string, error) {
	v, ok := os.LookupEnv(name)
	if !ok {
		return "", fmt.Errorf("the environment has no variable %s: give it a value, %s=VALUE", name, name)
	}
	return v, nil
}
