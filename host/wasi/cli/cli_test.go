package cli_test

import (
	"bytes"
	"context"
	"fmt"
	goio "io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
	out := cli.NewOutput(cli.Sinks{Line: func(stream, line string) { got = append(got, stream+": "+line) }})

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

func TestTheLastLinesOfStderrAreKept(t *testing.T) {
	t.Parallel()
	logged := 0
	out := cli.NewOutput(cli.Sinks{Line: func(string, string) { logged++ }})
	require.Nil(t, cli.LastLines(t.Context()))
	ctx, end := cli.WithRun(t.Context())
	defer end()
	require.Nil(t, cli.LastLines(ctx))
	for i := range 50 {
		write(ctx, t, out, fmt.Sprintf("line %d\n", i)).Drop()
	}
	s, err := out.GetStdout(ctx)
	require.NoError(t, err)
	require.NoError(t, s.BlockingWriteAndFlush(ctx, []byte("something else\n")))
	s.Drop()
	write(ctx, t, out, "no end").Drop()
	got := cli.LastLines(ctx)
	require.Len(t, got, 20)
	require.Equal(t, "line 31", got[0])
	require.Equal(t, []string{"line 49", "no end"}, got[18:])
	require.Equal(t, 52, logged)

	for range 6 {
		write(ctx, t, out, strings.Repeat("\u00e9", 1000)+"\n").Drop()
	}
	got = cli.LastLines(ctx)
	require.Len(t, got, 3)
	require.Equal(t, strings.Repeat("\u00e9", 512)+"...", got[0])

	other, endOther := cli.WithRun(ctx)
	defer endOther()
	write(other, t, out, "mine\n").Drop()
	require.Equal(t, []string{"mine"}, cli.LastLines(other), "a call in a call has its own")
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

func TestTerminals(t *testing.T) {
	t.Parallel()
	for _, want := range []cli.Terminals{{}, {Stdin: true}, {Stdout: true}, {Stderr: true}} {
		in, err := want.GetTerminalStdin(t.Context())
		require.NoError(t, err)
		require.Equal(t, want.Stdin, in.OK)
		out, err := want.GetTerminalStdout(t.Context())
		require.NoError(t, err)
		require.Equal(t, want.Stdout, out.OK)
		errOut, err := want.GetTerminalStderr(t.Context())
		require.NoError(t, err)
		require.Equal(t, want.Stderr, errOut.OK)
		if in.OK {
			in.Value.Drop()
		}
	}
}

// slow is a writer that takes its time over every write.
type slow struct {
	bytes.Buffer
	closed bool
}

func (s *slow) Write(b []byte) (int, error) {
	time.Sleep(time.Second)
	return s.Buffer.Write(b)
}

func (s *slow) Close() error { s.closed = true; return nil }

func TestRawOutputPassesThroughWhole(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var raw slow
		var got []string
		out := cli.NewOutput(cli.Sinks{Stdout: &raw, Line: func(stream, line string) { got = append(got, stream+": "+line) }})
		ctx, end := cli.WithRun(t.Context())
		for _, part := range []string{"\x1b[31m", "\xff\x00", "no end"} {
			s, err := out.GetStdout(ctx)
			require.NoError(t, err)
			_, err = s.CheckWrite(ctx)
			require.NoError(t, err)
			require.NoError(t, s.Write(ctx, []byte(part)))
			s.Drop() // unflushed
		}
		write(ctx, t, out, "words\n").Drop()
		end()
		require.Equal(t, "\x1b[31m\xff\x00no end", raw.String())
		require.Equal(t, []string{"stderr: words"}, got, "the other stream stays lines")
		require.False(t, raw.closed)
	})
}

func TestStuckOutputHoldsACancelledRunOnlyForAMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := goio.Pipe()
		out := cli.NewOutput(cli.Sinks{Stdout: w})
		base, cancel := context.WithCancel(t.Context())
		ctx, end := cli.WithRun(base)
		s, err := out.GetStdout(ctx)
		require.NoError(t, err)
		defer s.Drop()
		time.AfterFunc(time.Hour, cancel)
		start := time.Now()
		require.ErrorIs(t, s.BlockingWriteAndFlush(ctx, []byte("x")), &trap.Error{Code: trap.Cancelled})
		end()
		require.Equal(t, time.Hour+time.Second, time.Since(start))
		require.NoError(t, r.Close()) // the goroutine ends
	})
}
