//go:build unix

package process_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host/process"
	"github.com/lathhost/lath/lattice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wait = 20 * time.Second

// output collects lines.
type output struct {
	mu    sync.Mutex
	lines []string
}

func (o *output) line(stream, line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, stream+": "+line)
}

func (o *output) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string{}, o.lines...)
}

func (o *output) await(t *testing.T, line string) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, l := range o.all() {
			if strings.HasPrefix(l, line) {
				return true
			}
		}
		return false
	}, wait, 5*time.Millisecond, line)
}

// start runs a shell script.
func start(t *testing.T, script string, edit func(*process.Config)) (*process.Process, *output) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700)) //nolint:gosec // it is a program
	o := &output{}
	cfg := process.Config{Path: path, Dir: t.TempDir(), Line: o.line}
	if edit != nil {
		edit(&cfg)
	}
	p, err := process.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = p.Stop(now, nil)
	})
	return p, o
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestWorld: a process has its input, its folder and no environment.
func TestWorld(t *testing.T) {
	t.Parallel()
	var dir string
	input := strings.Repeat("x", 1<<20) + "\n" // more than a pipe holds
	p, o := start(t, `read -r line; echo "${#line} of input"; cat; pwd; echo "$HOME,$PATH_TO,$RUST_LOG"; echo last >&2; printf unended; exit 3`,
		func(c *process.Config) {
			dir, c.Input, c.Env = c.Dir, []byte(input+"rest\n"), []string{"RUST_LOG=debug"}
		})
	<-p.Done()
	require.Equal(t, "exit status 3", p.Ended())
	lines := o.all()
	require.Contains(t, lines, "stderr: last")
	var out []string
	for _, l := range lines {
		if s, is := strings.CutPrefix(l, "stdout: "); is {
			out = append(out, s)
		}
	}
	real, err := filepath.EvalSymlinks(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"1048576 of input", "rest", real, ",,debug", "unended"}, out)
}

func TestEnvironment(t *testing.T) {
	t.Setenv("RUST_LOG", "trace")
	t.Setenv("OTEL_SERVICE_NAME", "x")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	t.Setenv("XOTEL_A", "y")
	env := process.Environment()
	require.Contains(t, env, "RUST_LOG=trace")
	require.Contains(t, env, "OTEL_SERVICE_NAME=x")
	for _, v := range env {
		require.True(t, v == "RUST_LOG=trace" || strings.HasPrefix(v, "OTEL_"), v)
	}
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	p, o := start(t, `head -c 100000 /dev/zero | tr '\0' a; echo; printf '\377\n'; head -c 9000 /dev/zero | tr '\0' b`, nil)
	<-p.Done()
	lines := o.all()
	require.Len(t, lines, 3)
	require.Equal(t, "stdout: "+strings.Repeat("a", process.MaxLine)+fmt.Sprintf(" … (%d bytes left out)", 100000-process.MaxLine), lines[0])
	require.Equal(t, "stdout: \uFFFD", lines[1])
	require.Contains(t, lines[2], "(808 bytes left out)")
}

func TestDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain, text := filepath.Join(dir, "plain"), filepath.Join(dir, "text")
	require.NoError(t, os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600))
	require.NoError(t, os.WriteFile(text, []byte("hello"), 0o700)) //nolint:gosec // a program that is none
	for path, want := range map[string]error{
		filepath.Join(dir, "nothing"): lattice.ErrNotFound,
		plain:                         lattice.ErrDenied,
		text:                          lattice.ErrUnsupported,
		dir:                           lattice.ErrDenied,
	} {
		_, err := process.Start(process.Config{Path: path, Dir: dir})
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, path)
	}
}

// gone says whether a process has ended, also if nobody has collected it.
func gone(pid int) bool {
	if unix.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

// childOf reads the number of a child that a script has told.
func childOf(t *testing.T, o *output) int {
	t.Helper()
	o.await(t, "stdout: child ")
	for _, l := range o.all() {
		if s, is := strings.CutPrefix(l, "stdout: child "); is {
			pid, err := strconv.Atoi(s)
			require.NoError(t, err)
			return pid
		}
	}
	return 0
}

// TestChildrenEnd: with the process, whether it ends by itself or is killed, and
// also where they ignore everything and hold its output open.
func TestChildrenEnd(t *testing.T) {
	t.Parallel()
	const stubborn = `trap '' TERM INT HUP; sleep 1000 & echo "child $!"; `
	p, o := start(t, stubborn+`exit 0`, nil)
	pid := childOf(t, o)
	<-p.Done()
	require.Equal(t, "exit status 0", p.Ended())
	require.Eventually(t, func() bool { return gone(pid) }, wait, 5*time.Millisecond)

	p, o = start(t, stubborn+`while :; do sleep 1000; done`, nil)
	pid = childOf(t, o)
	err := p.Stop(within(t, 100*time.Millisecond), nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "was killed")
	require.Equal(t, "signal: killed", p.Ended())
	require.Eventually(t, func() bool { return gone(pid) }, wait, 5*time.Millisecond)
}

// TestStop: asked, then signalled, and killed only when nothing else helps.
func TestStop(t *testing.T) {
	t.Parallel()
	const onTerm = `trap 'echo terminated; exit 7' TERM; echo up; while :; do sleep 0.01; done`

	// It ends because it is asked.
	dir := t.TempDir()
	p, o := start(t, `echo up; while [ ! -e asked ]; do sleep 0.01; done; exit 5`, func(c *process.Config) { c.Dir = dir })
	o.await(t, "stdout: up")
	require.NoError(t, p.Stop(within(t, wait), func(context.Context) error {
		return os.WriteFile(filepath.Join(dir, "asked"), nil, 0o600)
	}))
	require.Equal(t, "exit status 5", p.Ended())
	require.NoError(t, p.Stop(within(t, wait), nil), "it may be called again")

	// It cannot be asked: SIGTERM at once.
	p, o = start(t, onTerm, nil)
	o.await(t, "stdout: up")
	require.NoError(t, p.Stop(within(t, time.Hour), func(context.Context) error { return lattice.ErrNotFound }))
	require.Equal(t, "exit status 7", p.Ended())
	require.Contains(t, o.all(), "stdout: terminated")

	// It is asked and does nothing: SIGTERM after half of the time.
	p, o = start(t, onTerm, nil)
	o.await(t, "stdout: up")
	require.NoError(t, p.Stop(within(t, 2*time.Second), func(context.Context) error { return nil }))
	require.Equal(t, "exit status 7", p.Ended())

	// Who asks waits for an answer that never comes.
	p, o = start(t, onTerm, nil)
	o.await(t, "stdout: up")
	require.NoError(t, p.Stop(within(t, 2*time.Second), func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
	require.Equal(t, "exit status 7", p.Ended())
}

func TestInputIsNotRead(t *testing.T) {
	t.Parallel()
	p, _ := start(t, `exec <&-; sleep 0.05; exit 0`, func(c *process.Config) { c.Input = make([]byte, 8<<20) })
	<-p.Done()
	require.Equal(t, "exit status 0", p.Ended())
}

func TestLimits(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		_, err := process.Start(process.Config{Path: "/bin/sh", Dir: t.TempDir(), Limits: process.Limits{Files: 10}})
		require.ErrorIs(t, err, lattice.ErrUnsupported)
		return
	}
	p, o := start(t, `read -r go; ulimit -d; ulimit -n`, func(c *process.Config) {
		c.Input, c.Limits = []byte("go\n"), process.Limits{Memory: 64 << 20, Files: 40}
	})
	<-p.Done()
	require.Equal(t, []string{"stdout: 65536", "stdout: 40"}, o.all())

	// What takes more than it may ends itself, not the machine.
	p, _ = start(t, `read -r go; exec dd if=/dev/zero of=/dev/null bs=256M count=1`, func(c *process.Config) {
		c.Input, c.Limits = []byte("go\n"), process.Limits{Memory: 32 << 20}
	})
	<-p.Done()
	require.NotEqual(t, "exit status 0", p.Ended())
}

// TestBackoff: 100 ms doubling to 30 s, and anew after a minute.
func TestBackoff(t *testing.T) {
	t.Parallel()
	var b process.Backoff
	want := process.MinPause
	for i := 1; i <= 20; i++ {
		pause := b.Ended(time.Second)
		require.GreaterOrEqual(t, pause, want)
		require.Less(t, pause, want+want/5)
		require.Equal(t, i, b.Ends())
		require.Equal(t, i >= process.LoopAfter, b.Looping())
		want = min(2*want, process.MaxPause)
	}
	require.Less(t, b.Ended(process.SteadyAfter), 2*process.MinPause)
	require.Equal(t, 1, b.Ends())
	require.False(t, b.Looping())
}
