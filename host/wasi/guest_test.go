package wasi_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/wit/wave"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// record keeps lines as "stream: line".
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) line(stream, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, stream+": "+line)
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// guest is a component, compiled once for a test.
type guest struct{ c *component.Component }

func load(t testing.TB, path string) guest {
	t.Helper()
	rt, err := component.New(context.Background(), component.Config{CacheDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Zero(t, rt.MemoryInUse()+rt.MemoryIdle())
		require.NoError(t, rt.Close(context.Background()))
	})
	wasm, err := os.ReadFile(path)
	require.NoError(t, err)
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	return guest{c}
}

// call links the guest with cfg and calls one export, as a host does.
func (g guest) call(ctx context.Context, t testing.TB, cfg wasi.Config, expr string) (string, error) {
	t.Helper()
	tm, err := g.c.Link(context.Background(), component.LinkConfig{Name: "guest", Host: wasi.Interfaces(cfg)})
	require.NoError(t, err)
	defer func() { require.NoError(t, tm.Close(context.Background())) }()
	ctx, end := wasi.WithRun(ctx)
	defer end()
	i, err := tm.Take(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, i.Close()) }()
	call, err := wave.ParseCall(expr)
	require.NoError(t, err)
	e := tm.Export(call.Instance, call.Func)
	require.NotNil(t, e)
	args, err := wave.ParseArgs(e.Type.Params, call)
	require.NoError(t, err)
	v, err := i.CallValues(ctx, e, args...)
	if err != nil || v == nil {
		return "", err
	}
	return wave.Format(e.Type.Result, *v), nil
}

const run = "wasi:cli/run@0.2.0.run()"

func TestCommand(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/command.wasm")
	for _, c := range []struct {
		name  string
		args  []string
		cfg   wasi.Config
		lines []string
	}{
		{name: "output", args: []string{"hello"}, lines: []string{"stderr: hello err", "stdout: hello out", "stdout: no line end"}},
		{name: "arguments and environment", args: []string{"show", "ä b"}, cfg: wasi.Config{Env: map[string]string{"B": "2=2", "A": ""}},
			lines: []string{"stdout: arg prog", "stdout: arg show", "stdout: arg ä b", "stdout: env A=", "stdout: env B=2=2"}},
		{name: "clocks", args: []string{"nap"}, lines: []string{"stdout: slept enough", "stdout: year right"}},
		{name: "random", args: []string{"dice"}, lines: []string{"stdout: random differs"}},
		{name: "empty input", args: []string{"cat"}, lines: []string{"stdout: end"}},
		{name: "input", args: []string{"cat"}, cfg: wasi.Config{Stdin: strings.NewReader("one\ntwo\n")},
			lines: []string{"stdout: in one", "stdout: in two", "stdout: end"}},
		{name: "files", args: []string{"touch"}, lines: []string{"stdout: open: Capabilities insufficient", "stdout: create: Capabilities insufficient"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got record
			c.cfg.Args, c.cfg.Line = append([]string{"prog"}, c.args...), got.line
			out, err := g.call(t.Context(), t, c.cfg, run)
			require.NoError(t, err, "%q", got.all())
			require.Equal(t, "ok", out)
			require.ElementsMatch(t, c.lines, got.all())
		})
	}
}

func TestExitIsATrapWithItsStatus(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/command.wasm")
	// Preview 1's adapter knows only that a program went well or did not.
	for status, want := range map[string]int{"0": 0, "1": 1, "7": 1} {
		var got record
		_, err := g.call(t.Context(), t, wasi.Config{Args: []string{"prog", "exit", status}, Line: got.line}, run)
		require.ErrorIs(t, err, &trap.Error{Code: trap.Exit})
		require.Equal(t, want, trap.As(err).ExitStatus)
		require.Equal(t, []string{"stdout: leaving"}, got.all(), "what was written before the end is not lost")
	}
}

func TestSleepEndsWithTheCall(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/command.wasm")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// Soon after its line the guest is parked in the host.
	line := func(string, string) { time.AfterFunc(20*time.Millisecond, cancel) }
	_, err := g.call(ctx, t, wasi.Config{Args: []string{"prog", "sleep-long"}, Line: line}, run)
	require.ErrorIs(t, err, &trap.Error{Code: trap.Cancelled})
}
