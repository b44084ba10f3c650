package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is wrong use: the command line cannot mean anything.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

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

// strictBuiltins makes the verbs that the library brings as strict as the others:
// a name that they do not know is wrong use.
func strictBuiltins(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				at, rest, err := root.Find(args)
				if err == nil && len(rest) > 0 {
					err = fmt.Errorf("unknown command %q for %q", rest[0], at.CommandPath())
				}
				if err != nil {
					return &usageError{err}
				}
				return nil
			}
		case "completion":
			asGroup(cmd)
			for _, shell := range cmd.Commands() {
				shell.Args = nargs(0, 0)
			}
		}
	}
}

// flagError says of a flag what is wanted, in the words of who types it.
func flagError(cmd *cobra.Command, err error) error {
	if bad, is := errors.AsType[*pflag.InvalidValueError](err); is {
		want := map[string]string{
			"bool": "true or false", "duration": "a time such as 30s or 2m", "int": "a whole number",
			"uint32": "a whole number, not negative", "stringToString": "KEY=VALUE",
		}[bad.GetFlag().Value.Type()]
		if want != "" {
			return usagef("--%s %q: want %s", bad.GetFlag().Name, bad.GetValue(), want)
		}
	}
	if unknown, is := errors.AsType[*pflag.NotExistError](err); is && len(unknown.GetSpecifiedName()) > 1 {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
		return usagef("%w%s", err, didYouMean("--"+unknown.GetSpecifiedName(), names))
	}
	return &usageError{err}
}
