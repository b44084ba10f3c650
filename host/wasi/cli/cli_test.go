package cli_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi/cli"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/io"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEnvironment(t *testing.T) {
	t.Parallel()
	e := cli.NewEnvironment([]string{"prog", "x"}, map[string]string{"b": "2", "a": "1"}, "/home")
	args, err := e.GetArguments(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"prog", "x"}, args)
	env, err := e.GetEnvironment(t.Context())
	require.NoError(t, err)
	require.Equal(t, [][2]string{{"a", "1"}, {"b", "2"}}, env)
	cwd, err := e.InitialCwd(t.Context())
	require.NoError(t, err)
	require.Equal(t, wit.Some("/home"), cwd)
	cwd, err = cli.NewEnvironment(nil, nil, "").InitialCwd(t.Context())
	require.NoError(t, err)
	require.False(t, cwd.OK)
}

func TestExit(t *testing.T) {
	t.Parallel()
	for want, err := range map[int]error{
		0:   cli.Exit{}.Exit(t.Context(), wit.Result[struct{}, struct{}]{}),
		1:   cli.Exit{}.Exit(t.Context(), wit.Result[struct{}, struct{}]{IsErr: true}),
		255: cli.Exit{}.ExitWithCode(t.Context(), 255),
	} {
		require.ErrorIs(t, err, &trap.Error{Code: trap.Exit})
		require.Equal(t, want, trap.As(err).ExitStatus)
	}
}

func write(ctx context.Context, t *testing.T, out *cli.Output, text string) contract.OutputStream {
	t.Helper()
	s, err := out.GetStderr(ctx)
	require.NoError(t, err)
	require.NoError(t, s.BlockingWriteAndFlush(ctx, []byte(text)))
	return s
}

func TestLinesEndWithTheirStreamOrTheirRun(t *testing.T) {
	t.Parallel()
	var got []string
	out := cli.NewOutput(func(stream, line string) { got = append(got, stream+": "+line) })

	write(t.Context(), t, out, "one ").Drop()
	write(t.Context(), t, out, "two\n").Drop()
	require.Equal(t, []string{"stderr: one ", "stderr: two"}, got)

	got = nil
	a, endA := cli.WithRun(t.Context())
	b, endB := cli.WithRun(t.Context())
	write(a, t, out, "a: one ").Drop()
	write(b, t, out, "b: no end").Drop()
	write(a, t, out, "two\n").Drop()
	require.Equal(t, []string{"stderr: a: one two"}, got)
	endA()
	endB()
	endB()
	require.Equal(t, []string{"stderr: a: one two", "stderr: b: no end"}, got)
}

func TestInput(t *testing.T) {
	t.Parallel()
	for text, in := range map[string]*cli.Stdin{"": cli.NewStdin(nil), "abc": cli.NewStdin(strings.NewReader("abc"))} {
		s, err := in.GetStdin(t.Context())
		require.NoError(t, err)
		b, err := s.BlockingRead(t.Context(), 10)
		if text == "" {
			require.Equal(t, contract.StreamError{Tag: contract.StreamErrorClosed}, err)
		}
		require.Equal(t, text, string(b))
		s.Drop()
	}
}

func TestNothingIsATerminal(t *testing.T) {
	t.Parallel()
	in, err := cli.NoTerminal{}.GetTerminalStdin(t.Context())
	require.NoError(t, err)
	require.False(t, in.OK)
	out, err := cli.NoTerminal{}.GetTerminalStdout(t.Context())
	require.NoError(t, err)
	require.False(t, out.OK)
}
