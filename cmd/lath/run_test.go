package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"
)

// Guests: cat is an example; command and probe are those of WASI's own tests.
const (
	catWasm     = "../../examples/cat/cat.wasm"
	counterWasm = "../../examples/counter/counter.wasm"
	greeterWasm = "../../examples/greeter/greeter.wasm"
	typesWasm   = "../../examples/types/types.wasm"
	commandWasm = "../../host/wasi/testdata/command.wasm"
	probeWasm   = "../../host/wasi/testdata/probe.wasm"
	webWasm     = "../../host/wasi/serve/testdata/web.wasm"
)

// guest runs lath run with a cache that all tests share.
func guest(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runs(t, append([]string{"run", "--cache-dir", guestCache}, args...)...)
}

func TestProgramGetsArgumentsAndEnvironment(t *testing.T) {
	t.Setenv("LATH_TEST_OWN", "mine")
	code, out, stderr := guest(t, "--env", "A=1=2", "--env", "B=", "--env", "A=3", "--env", "LATH_TEST_OWN",
		commandWasm, "show", "--env", "-x", "--", "ä b", "--output", "json", "--help")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "arg command.wasm\narg show\narg --env\narg -x\narg --\narg ä b\narg --output\narg json\narg --help\n"+
		"env A=3\nenv B=\nenv LATH_TEST_OWN=mine\n", out)
	require.Empty(t, stderr)

	code, out, _ = guest(t, commandWasm, "--", "show", "--")
	require.Equal(t, 0, code)
	require.Equal(t, "arg command.wasm\narg show\narg --\n", out, "one -- after the component is left out, and no variable comes by itself")
}

func TestProgramStartsWhereItIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("text"), 0o600))
	grant := dir + "::/data"
	for cwd, path := range map[string]string{"": "data/a.txt", "/": "data/a.txt", "/data": "a.txt", "/none": "/data/a.txt"} {
		args := []string{"--dir", grant, catWasm, path}
		if cwd != "" {
			args = append([]string{"--cwd", cwd}, args...)
		}
		code, out, stderr := guest(t, args...)
		require.Equal(t, 0, code, stderr)
		require.Equal(t, "text", out)
	}
	code, _, stderr := guest(t, "--dir", grant, "--cwd", "/none", catWasm, "a.txt")
	require.Equal(t, 1, code)
	require.Equal(t, "cat: a.txt: no directory was granted that holds it\n", stderr)
	_, out, _ := guest(t, "--cwd", "/data", commandWasm, "show")
	require.Contains(t, out, "\nenv PWD=/data\n")
	_, out, _ = guest(t, "--cwd", "/data", "--env", "PWD=/own", commandWasm, "show")
	require.Contains(t, out, "\nenv PWD=/own\n")
}

func TestProgramsStreamsAndStatusPassThrough(t *testing.T) {
	t.Parallel()
	code, out, stderr := guest(t, commandWasm, "hello")
	require.Equal(t, 0, code)
	require.Equal(t, "hello out\nno line end", out)
	require.Equal(t, "hello err\n", stderr)

	for _, c := range []struct {
		args []string
		code int
		err  string
	}{
		{[]string{commandWasm, "exit", "0"}, 0, ""},
		{[]string{commandWasm, "nonsense"}, 1, ""}, // run answers err
		{[]string{catWasm, "-x"}, 2, "cat: -x: no such option\n"},
		{[]string{catWasm, "/etc/passwd"}, 1, "cat: /etc/passwd: no directory was granted that holds it\n"},
	} {
		code, out, stderr := guest(t, c.args...)
		require.Equal(t, c.code, code, c.args)
		require.Empty(t, strings.TrimPrefix(out, "leaving"), c.args)
		require.Equal(t, c.err, stderr, c.args)
	}
}

func TestInputStreamsToOutput(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("0123456789abcde\n"), 10<<20/16)
	code, out, stderr := runsWith(t.Context(), bytes.NewReader(big), "run", "--cache-dir", guestCache, "--memory", "1MiB", catWasm)
	require.Equal(t, 0, code, stderr)
	require.True(t, bytes.Equal(big, []byte(out)), "%d bytes", len(out))

	// What goes in comes out before more goes in.
	inRead, in := io.Pipe()
	outRead, out2 := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(context.Background(), []string{"run", "--cache-dir", guestCache, catWasm}, inRead, out2, io.Discard)
	}()
	lines := bufio.NewScanner(outRead)
	for _, line := range []string{"one", "two"} {
		_, err := io.WriteString(in, line+"\n")
		require.NoError(t, err)
		require.True(t, lines.Scan())
		require.Equal(t, line, lines.Text())
	}
	require.NoError(t, in.Close())
	require.Equal(t, 0, <-ended)
}

func TestProgramIsEndedByTimeAndInterrupt(t *testing.T) {
	t.Parallel()
	code, out, stderr := guest(t, "--timeout", "50ms", commandWasm, "sleep-long")
	require.Equal(t, 1, code)
	require.Equal(t, "sleeping\n", out)
	require.Contains(t, stderr, "command.wasm did not end within 50ms (--timeout)")

	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	go func() {
		_, _ = bufio.NewReader(r).ReadString('\n') // it has begun
		cancel()
		_, _ = io.Copy(io.Discard, r)
	}()
	var errs bytes.Buffer
	code = run(ctx, []string{"run", "--cache-dir", guestCache, commandWasm, "sleep-long"}, strings.NewReader(""), w, &errs)
	require.NoError(t, w.Close())
	require.Equal(t, exitInterrupted, code)
	require.Empty(t, errs.String())
	code, out, stderr = runsWith(ctx, strings.NewReader(""), "run", "--cache-dir", t.TempDir(), commandWasm)
	require.Equal(t, exitInterrupted, code, "nor does it begin: %s%s", out, stderr)
	require.Empty(t, stderr)

	terminated, end := context.WithCancelCause(t.Context())
	end(&signalError{syscall.SIGTERM})
	code, _, _ = runsWith(terminated, strings.NewReader(""), "run", "--cache-dir", t.TempDir(), commandWasm)
	require.Equal(t, 128+15, code)
}

func TestTrapsAndLimitsSayWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		err  string
	}{
		{[]string{"--invoke", "trap()", typesWasm}, "error: types.wasm: example:types/failures.trap: unreachable\nbacktrace, innermost first:\n    example:types/failures#trap (module 0)\n"},
		{[]string{"--memory", "64KiB", commandWasm}, "memory of 2 pages, at most 1 are allowed\nflags of this run set limits: --memory 64KiB, --handles 100000, --cpu none\n"},
		{[]string{"--cpu", "10ms", "--invoke", "spin()", typesWasm}, "types.wasm: example:types/failures.spin: limit exceeded"},
		{[]string{"--cpu", "10ms", "--invoke", "spin()", typesWasm}, "\nflags of this run set limits: --memory 256MiB, --handles 100000, --cpu 10ms\n"},
		{[]string{"--handles", "1", commandWasm, "hello"}, "too many open handles\n"},
		{[]string{"--debug", "--invoke", "trap()", typesWasm}, "\ntypes.wasm tells no source lines: it was built without debug information"},
		{[]string{webWasm}, "what it exports cannot be called from a command line:\n  wasi:http/incoming-handler@0.2.0.handle: func("},
		{[]string{probeWasm}, "probe.wasm is no program: it does not export wasi:cli/run; call one of its functions with --invoke 'FUNCTION(ARGUMENTS)':\n  mixed: func() -> bool\n"},
		{[]string{"--invoke", `greet("x")`, greeterWasm}, "imports example:counter/counter, which nothing here carries out\nlink it"},
		{[]string{"none.wasm"}, "there is no file none.wasm, and as a reference"},
	} {
		code, out, stderr := guest(t, c.args...)
		require.Equal(t, exitFailed, code, c.args)
		require.Empty(t, out, c.args)
		require.Contains(t, stderr, c.err, c.args)
	}
}

func TestFilesThatAreNoComponentsAreNamedForWhatTheyAre(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cut, err := os.ReadFile(catWasm)
	require.NoError(t, err)
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, c := range map[string]struct{ content, err string }{
		"old.wasm":   {"\x00asm\x01\x00\x00\x00", "is a core module, not a component\n"},
		"empty.wasm": {"", "is empty: it is not a component\n"},
		"text.txt":   {"hello\n", `is not WebAssembly: it begins with "hello\n"`},
		"a.wat":      {"\n  (component)", "is WebAssembly text: make it binary with wasm-tools parse " + path("a.wat") + " -o a.wasm\n"},
		"cut.wasm":   {string(cut[:4000]), "unexpected end"},
		"none.wasm":  {"-", "error: there is no file " + path("none.wasm") + "\n"},
		"folder":     {"-", "folder is a directory, not a component"},
	} {
		if c.content != "-" {
			require.NoError(t, os.WriteFile(path(name), []byte(c.content), 0o600))
		}
		require.NoError(t, os.MkdirAll(path("folder"), 0o700))
		for _, verb := range [][]string{{"run", "--cache-dir", guestCache, path(name)}, {"inspect", path(name)}, {"push", path(name), "localhost:1/x:1"}} {
			code, out, stderr := runs(t, verb...)
			require.Equal(t, exitFailed, code, verb)
			require.Empty(t, out, verb)
			require.Contains(t, stderr, c.err, verb)
			require.NotContains(t, stderr, "file://", "who typed a path reads the path")
		}
	}
	_, _, stderr := guest(t, path("old.wasm"))
	require.Contains(t, stderr, "jco new --wasi-command "+path("old.wasm")+" -o old.component.wasm")
}

func TestInvokePrintsTheResult(t *testing.T) {
	t.Parallel()
	code, out, stderr := guest(t, "--invoke", "dice(4)", probeWasm)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "4\n", out)

	// In-memory stores are there for as long as the run.
	code, out, stderr = guest(t, "--output", "json", "--invoke", `increment("visits")`, counterWasm)
	require.Equal(t, 0, code, stderr)
	var got called
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, "ok(1)", got.WAVE)
	require.JSONEq(t, `{"ok":1}`, string(got.Result))
	require.Contains(t, out, `"hops":[]`)

	code, out, stderr = guest(t, "--invoke", `log("one")`, probeWasm)
	require.Equal(t, 0, code, stderr)
	require.Empty(t, out)
	require.Equal(t, "warn: probe: one\n", stderr, "logs go to standard error")

	code, _, stderr = guest(t, "--invoke", `fail-not()`, typesWasm)
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, `no function "fail-not"`)
}

func TestRefusalsAreSaidOnStandardError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ call, grant string }{
		{"tcp()", "--allow-net HOST:PORT"},
		{`resolve("example.com")`, "--allow-net example.com"},
	} {
		code, out, stderr := guest(t, "--invoke", c.call, probeWasm)
		require.Equal(t, 0, code, stderr)
		require.Equal(t, "2\n", out, "access-denied")
		require.Contains(t, stderr, "lath: wasi:sockets: ")
		require.Contains(t, stderr, c.grant)
	}
	code, out, stderr := guest(t, "--allow-net", "tcp://127.0.0.1:1", "--invoke", "tcp()", probeWasm)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "0\n", out)
	require.Empty(t, stderr)
}

func TestWrongUseOfRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		err  string
	}{
		{[]string{}, "no component is named: lath run [flags] FILE|REFERENCE"},
		{[]string{""}, "no component is named"},
		{[]string{"--invoke", "", typesWasm}, "--invoke: it is empty: want FUNCTION(ARGUMENTS)"},
		{[]string{"--timeout", "5", catWasm}, `--timeout "5": want a time such as 30s or 2m`},
		{[]string{"--handles", "many", catWasm}, `--handles "many": want a whole number`},
		{[]string{"--allow-htp", "x", catWasm}, "unknown flag: --allow-htp; did you mean --allow-http?"},
		{[]string{"--dir", "nowhere", catWasm}, "nowhere, granted as /nowhere"},
		{[]string{"--dir", ".::/a", "--dir", "..::/a", catWasm}, "--dir: the guest finds both"},
		{[]string{"--env", "=x", catWasm}, `--env: "=x": want NAME=VALUE`},
		{[]string{"--env", "LATH_NOT_SET", catWasm}, "--env: the environment has no variable LATH_NOT_SET"},
		{[]string{"--config", "x", catWasm}, `--config: "x": want NAME=VALUE`},
		{[]string{"--memory", "lots", catWasm}, `--memory: "lots": want a size such as 64MiB`},
		{[]string{"--handles", "-1", catWasm}, "--handles -1: want 1 or more"},
		{[]string{"--cpu", "-1s", catWasm}, "--cpu -1s: it is negative"},
		{[]string{"--timeout", "-1s", catWasm}, "--timeout -1s: it is negative"},
		{[]string{"--cwd", "x", catWasm}, `--cwd "x": want an absolute path`},
		{[]string{"--allow-net", "a b", catWasm}, "--allow-net: "},
		{[]string{"--allow-http", "a b", catWasm}, "--allow-http: "},
		{[]string{"--invoke", "x", typesWasm}, "--invoke: line 1, column 2"},
		{[]string{"--nonsense", catWasm}, "unknown flag: --nonsense"},
	} {
		code, out, stderr := guest(t, c.args...)
		require.Equal(t, exitUsage, code, c.args)
		require.Empty(t, out, c.args)
		require.Contains(t, stderr, c.err, c.args)
	}
	code, _, stderr := guest(t, "--output", "json", "--memory", "lots", catWasm)
	require.Equal(t, exitUsage, code)
	var e map[string]string
	require.NoError(t, json.Unmarshal([]byte(stderr), &e))
	require.Contains(t, e["error"], "--memory")
}

func TestRunOfAnImage(t *testing.T) {
	t.Parallel()
	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	ref := strings.TrimPrefix(images.URL, "http://") + "/tools/cat:1"
	code, _, stderr := runs(t, "push", catWasm, ref, "--insecure")
	require.Equal(t, 0, code, stderr)
	code, out, stderr := runsWith(t.Context(), strings.NewReader("in"), "run", "--insecure", "--cache-dir", t.TempDir(), ref)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "in", out)
}

func TestInspectSaysWhatIsNeeded(t *testing.T) {
	t.Parallel()
	code, out, _ := runs(t, "inspect", catWasm)
	require.Equal(t, 0, code)
	require.Contains(t, out, "\n// wasi:filesystem/preopens@0.2.0 needs --dir\n")
	code, out, _ = runs(t, "inspect", "--output", "json", greeterWasm)
	require.Equal(t, 0, code)
	var got inspected
	require.NoError(t, json.Unmarshal([]byte(out), &got))
	require.Equal(t, []need{{"example:counter/counter", "a link"}}, got.Needs)
	_, out, _ = runs(t, "inspect", counterWasm)
	require.Contains(t, out, "// wasi:keyvalue/store@0.2.0-draft needs a link (lath run keeps it in memory)\n")
}
