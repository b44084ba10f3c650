// Package cli carries out wasi:cli: what programs are given to start with, how
// they end, and their standard streams, of which the output goes line by line
// to a function of the host's, or as it is to a writer.
//
// It knows no log. Source: WASI 0.2, package wasi:cli.
package cli

import (
	"context"
	"maps"
	"slices"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/cli"
)

// Environment carries out wasi:cli/environment. It is immutable.
type Environment struct {
	args []string
	env  [][2]string
	cwd  wit.Option[string]
}

var _ contract.Environment = (*Environment)(nil)

// NewEnvironment makes an environment: args with the program's name first, env
// by name, and the directory to start in, of which an empty one is none.
func NewEnvironment(args []string, env map[string]string, cwd string) *Environment {
	e := &Environment{args: slices.Clone(args), cwd: wit.Option[string]{Value: cwd, OK: cwd != ""}}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		e.env = append(e.env, [2]string{k, env[k]})
	}
	return e
}

// GetEnvironment implements the contract, in the order of the names.
func (e *Environment) GetEnvironment(context.Context) ([][2]string, error) { return e.env, nil }

// GetArguments implements the contract.
func (e *Environment) GetArguments(context.Context) ([]string, error) { return e.args, nil }

// InitialCwd implements the contract.
func (e *Environment) InitialCwd(context.Context) (wit.Option[string], error) { return e.cwd, nil }

// Exit carries out wasi:cli/exit by a trap of code [trap.Exit], also when the
// program ended well: nothing after it may run.
type Exit struct{}

var _ contract.Exit = Exit{}

// Exit implements the contract: status 0 or 1.
func (e Exit) Exit(ctx context.Context, status wit.Result[struct{}, struct{}]) error {
	if status.IsErr {
		return e.ExitWithCode(ctx, 1)
	}
	return e.ExitWithCode(ctx, 0)
}

// ExitWithCode implements the contract.
func (Exit) ExitWithCode(_ context.Context, statusCode uint8) error {
	t := trap.New(trap.Exit, "status %d", statusCode)
	t.ExitStatus = int(statusCode)
	return t
}

// Terminals carries out the wasi:cli/terminal-* interfaces: it says which of
// the standard streams are terminals. The zero value: none.
type Terminals struct{ Stdin, Stdout, Stderr bool }

var (
	_ contract.TerminalStdin  = Terminals{}
	_ contract.TerminalStdout = Terminals{}
	_ contract.TerminalStderr = Terminals{}
)

// terminal is the resource of either side: a mark without functions.
type terminal struct{}

// Drop implements the contracts.
func (terminal) Drop() {}

// Renewal implements [component.Renewable].
func (t terminal) Renewal() func(context.Context) (component.Resource, error) {
	return func(context.Context) (component.Resource, error) { return t, nil }
}

// GetTerminalStdin implements the contract.
func (t Terminals) GetTerminalStdin(context.Context) (wit.Option[contract.TerminalInput], error) {
	if !t.Stdin {
		return wit.None[contract.TerminalInput](), nil
	}
	return wit.Some[contract.TerminalInput](terminal{}), nil
}

// GetTerminalStdout implements the contract.
func (t Terminals) GetTerminalStdout(context.Context) (wit.Option[contract.TerminalOutput], error) {
	return terminalOutput(t.Stdout), nil
}

// GetTerminalStderr implements the contract.
func (t Terminals) GetTerminalStderr(context.Context) (wit.Option[contract.TerminalOutput], error) {
	return terminalOutput(t.Stderr), nil
}

func terminalOutput(is bool) wit.Option[contract.TerminalOutput] {
	if !is {
		return wit.None[contract.TerminalOutput]()
	}
	return wit.Some[contract.TerminalOutput](terminal{})
}
