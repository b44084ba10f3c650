package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// words splits a line as a shell does, as far as examples go: quotes, and a
// comment at the end.
func words(line string) []string {
	line, _, _ = strings.Cut(line, " #")
	var all []string
	var word strings.Builder
	quote, within := rune(0), false
	for _, r := range line + " " {
		switch {
		case quote == 0 && (r == '\'' || r == '"'):
			quote, within = r, true
		case r == quote:
			quote = 0
		case quote == 0 && r == ' ':
			if within {
				all = append(all, word.String())
			}
			word.Reset()
			within = false
		default:
			word.WriteRune(r)
			within = true
		}
	}
	return all
}

// commands are a command and all below it.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, commands(sub)...)
	}
	return all
}

func TestExamplesOfHelpAreCommands(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"lath", "call", "a", `f("x y")`, ""}, words(`lath call a 'f("x y")' ""   # says`))
	for _, of := range commands((&cli{}).root()) {
		for line := range strings.Lines(of.Example) {
			command, _, _ := strings.Cut(line, " | ") // to another program
			command, _, _ = strings.Cut(command, " > ")
			args := words(strings.TrimSpace(command))
			require.Equal(t, "lath", args[0], line)
			cmd, rest, err := (&cli{}).root().Find(args[1:])
			require.NoError(t, err, line)
			require.True(t, of.Runnable() && (cmd.Name() == of.Name() || of.HasSubCommands()), "%s is an example of %s", line, of.CommandPath())
			require.NoError(t, cmd.ParseFlags(rest), line)
			require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), line)
		}
	}
}
