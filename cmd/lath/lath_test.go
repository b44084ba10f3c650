package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
)

// guestCache keeps what the tests compile, which is most of what they do.
var guestCache string

func TestMain(m *testing.M) {
	var err error
	if guestCache, err = os.MkdirTemp("", "lath-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(guestCache)
		os.Exit(code)
	}))
}

// runs runs the program in this process.
func runs(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runsWith(context.Background(), strings.NewReader(""), args...)
}

// runsWith runs the program with input, until ctx ends.
func runsWith(ctx context.Context, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, stdin, &out, &errs)
	return code, out.String(), errs.String()
}

func TestEveryVerbHasHelpWithAnExample(t *testing.T) {
	t.Parallel()
	c := &cli{}
	pending := c.root().Commands()
	require.NotEmpty(t, pending)
	for len(pending) > 0 {
		cmd := pending[0]
		pending = append(pending[1:], cmd.Commands()...)
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.Contains(t, cmd.Example, "lath ", cmd.CommandPath())
		require.NotNil(t, cmd.Args, cmd.CommandPath())
		require.NotNil(t, cmd.RunE, cmd.CommandPath())
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		code, out, _ := runs(t, args...)
		require.Equal(t, exitOK, code, args)
		require.Contains(t, out, "--output", args)
	}
}

func TestErrorsAreJSONInJSONMode(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := runs(t, "inspect", filepath.Join(t.TempDir(), "none.wasm"), "--output", "json")
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	var e map[string]string
	require.NoError(t, json.Unmarshal([]byte(stderr), &e))
	require.Contains(t, e["error"], "there is no file ")

	code, _, stderr = runs(t, "--output=json", "nonsense")
	require.Equal(t, exitUsage, code)
	require.NoError(t, json.Unmarshal([]byte(stderr), &e))
	require.Contains(t, e["error"], `unknown command "nonsense"`)
}

func TestErrorsAreJSONWhereTheEnvironmentSaysSo(t *testing.T) {
	t.Setenv(outputEnv, outputJSON)
	for _, args := range [][]string{{"nonsense"}, {"run"}, {"get", "hosts", "--nonsense"}} {
		code, stdout, stderr := runs(t, args...)
		require.Equal(t, exitUsage, code, args)
		require.Empty(t, stdout, args)
		var e map[string]string
		require.NoError(t, json.Unmarshal([]byte(stderr), &e), args)
	}
	_, _, stderr := runs(t, "nonsense", "--output=text")
	require.Contains(t, stderr, "\nsee: lath --help\n", "the command line comes first")
}

func TestVerbsOfTheLibraryAreStrict(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`unknown command "nonsense" for "lath"`:            {"help", "nonsense"},
		`unknown command "nonsense" for "lath link"`:       {"help", "link", "nonsense"},
		`unknown command "nonsense" for "lath completion"`: {"completion", "nonsense"},
		`unexpected argument "x"`:                          {"completion", "bash", "x"},
	} {
		code, stdout, stderr := runs(t, args...)
		require.Equal(t, exitUsage, code, args)
		require.Empty(t, stdout, args)
		require.Contains(t, stderr, want)
	}
	for _, args := range [][]string{{"help", "link", "put"}, {"completion", "zsh"}} {
		code, stdout, stderr := runs(t, args...)
		require.Equal(t, exitOK, code, stderr)
		require.NotEmpty(t, stdout)
	}
	_, version, _ := runs(t, "version")
	for _, flag := range []string{"--version", "-v"} {
		code, stdout, _ := runs(t, flag)
		require.Equal(t, exitOK, code)
		require.Equal(t, version, stdout)
	}
}

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestResultsThatCannotBeWrittenAreNotSuccess(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"version", "--output", "json"}, {"inspect", catWasm}} {
		var stderr bytes.Buffer
		require.Equal(t, exitFailed, run(t.Context(), args, strings.NewReader(""), full{}, &stderr), args)
		require.Contains(t, stderr.String(), "write the result: no space left")
	}
}

func TestStateDirIsPrivateAndHoldsOneHost(t *testing.T) {
	t.Parallel()
	d, err := openStateDir(filepath.Join(t.TempDir(), "a", "b"))
	require.NoError(t, err)
	id, err := d.identity("")
	require.NoError(t, err)
	again, err := d.identity("")
	require.NoError(t, err)
	require.Equal(t, id.ID, again.ID)
	other, err := lattice.NewIdentity("")
	require.NoError(t, err)
	given, err := d.identity(other.Seed())
	require.NoError(t, err)
	require.Equal(t, other.ID, given.ID)
	again, err = d.identity("")
	require.NoError(t, err)
	require.Equal(t, id.ID, again.ID, "a seed that was given is not kept")

	if runtime.GOOS != "windows" {
		for name, mode := range map[string]os.FileMode{"": 0o700, "host.seed": 0o600} {
			info, err := os.Stat(d.path(name))
			require.NoError(t, err)
			require.Equal(t, mode, info.Mode().Perm(), name)
		}
	}

	release, err := d.lock()
	require.NoError(t, err)
	_, err = d.lock()
	require.ErrorIs(t, err, errLocked)
	require.Nil(t, d.current(), "it has not said what it is")
	require.NoError(t, d.writeInfo(hostInfo{PID: 1, Name: "x"}))
	require.Equal(t, "x", d.current().Name)
	release()
	require.Nil(t, d.current(), "what a dead host left is nobody")
}

func TestBadStateFilesAreNamed(t *testing.T) {
	t.Parallel()
	d := stateDir(t.TempDir())
	require.NoError(t, os.WriteFile(d.path("host.seed"), []byte("nonsense"), 0o600))
	_, err := d.identity("")
	require.ErrorContains(t, err, "host.seed")
	require.NotContains(t, err.Error(), "nonsense", "an error never repeats a seed")
	require.NoError(t, os.WriteFile(d.path("host.json"), bytes.Repeat([]byte(" "), maxStateFile+1), 0o600))
	_, err = d.readInfo()
	require.ErrorContains(t, err, "at most")
}

func TestDetachedHostGetsTheSameArguments(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"up", "--label", "a=b", "--port", "0"},
		attached([]string{"up", "-d", "--label", "a=b", "--detach", "--port", "0", "--detach=true"}))
}

func TestHostsAreFoundByIDPrefixAndName(t *testing.T) {
	t.Parallel()
	hosts := []ctl.Host{{ID: "NAB1", FriendlyName: "calm-fern-0001"}, {ID: "NAC2", FriendlyName: "bold-mill-0002"}, {ID: "NACX", FriendlyName: "twin"}, {ID: "NAD", FriendlyName: "twin"}}
	for arg, want := range map[string]string{"NAC2": "NAC2", "nab": "NAB1", "calm-fern-0001": "NAB1", "NAD": "NAD"} {
		h, err := matchHost(hosts, arg)
		require.NoError(t, err, arg)
		require.Equal(t, want, h.ID, arg)
	}
	_, err := matchHost(hosts, "NAC")
	require.ErrorContains(t, err, `"NAC" names 2 hosts`)
	_, err = matchHost(hosts, "twin")
	require.ErrorContains(t, err, "names 2 hosts")
	_, err = matchHost(hosts, "calm-fern-0002")
	require.ErrorContains(t, err, "did you mean calm-fern-0001?")
	_, err = matchHost(hosts, "")
	require.ErrorContains(t, err, "no host")
}

func TestComponentsAreCalledAfterTheirRepository(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("a", 64)
	for ref, want := range map[string]string{
		"localhost:5000/counter:0.1.0":      "counter",
		"ghcr.io/you/Nested/counter":        "counter",
		"oci://r/x/counter@" + digest:       "counter",
		"r/x/counter:1@" + digest:           "counter",
		"file:///some/where/counter.wasm":   "counter",
		"file:///some/where/two.parts.wasm": "two.parts", // no id: whoever types it has to give one
		"localhost:5000/a/b_c-d:latest":     "b_c-d",
	} {
		parsed, err := oci.ParseReference(ref)
		require.NoError(t, err, ref)
		require.Equal(t, want, idOf(parsed), ref)
	}
}

func TestInterfacesOfALink(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"wasi:keyvalue/store":                             {"store"},
		"wasi:keyvalue/store,atomics":                     {"store", "atomics"},
		"wasi:keyvalue/store@0.2.0-draft, atomics,":       {"store", "atomics"},
		"wasi:keyvalue/store,wasi:keyvalue/atomics@0.2.0": {"store", "atomics"},
	} {
		ns, pkg, got, err := parseInterfaces(in)
		require.NoError(t, err, in)
		require.Equal(t, "wasi:keyvalue", ns+":"+pkg, in)
		require.Equal(t, want, got, in)
	}
	for _, in := range []string{"", ",", "keyvalue", "wasi:keyvalue", "wasi:keyvalue/store,wasi:http/types"} {
		_, _, _, err := parseInterfaces(in)
		var usage *usageError
		require.ErrorAs(t, err, &usage, in)
	}
}

const testWorld = `package a:b;
interface one { f: func(n: u8) -> u8; same: func(); }
interface two { same: func(); resource r { get: func(); } }
world w { export one; export two; export plain: func(s: string); }`

func TestFunctionsAreFound(t *testing.T) {
	t.Parallel()
	w, err := wit.ParseWorld(testWorld)
	require.NoError(t, err)
	for _, c := range []struct{ instance, name, want string }{
		{"a:b/one", "f", "a:b/one.f"},
		{"", "f", "a:b/one.f"},
		{"", "plain", "plain"},
		{"a:b/two", "same", "a:b/two.same"},
		{"a:b/two", "r.get", "a:b/two.r.get"},
		{"a:b/two", "[method]r.get", "a:b/two.r.get"},
	} {
		got, err := findFunction(w, c.instance, c.name)
		require.NoError(t, err, c)
		require.Equal(t, c.want, got.callName(), c)
	}
	for _, c := range []struct{ instance, name, want string }{
		{"", "same", "names 2 functions"},
		{"", "plian", "did you mean plain?"},
		{"a:b/one", "g", "there is:\n  a:b/one.f: func(n: u8) -> u8\n  a:b/one.same: func()"},
		{"a:b/oen", "f", "did you mean a:b/one.f?"},
	} {
		_, err := findFunction(w, c.instance, c.name)
		require.ErrorContains(t, err, c.want)
	}
	_, err = findFunction(&wit.World{}, "", "f")
	require.ErrorContains(t, err, "nothing is exported")
}

func TestWrongArgumentsArePointedAt(t *testing.T) {
	t.Parallel()
	w, err := wit.ParseWorld(testWorld)
	require.NoError(t, err)
	for expr, want := range map[string]string{
		`f("é", 1)`:      "\n  f(\"é\", 1)\n         ^",
		`a:b/one.f(256)`: "\n  a:b/one.f(256)\n            ^\na:b/one.f: func(n: u8) -> u8",
		`a:b/one.nope()`: "\n  a:b/one.nope()\n          ^",
		"plain(\n 2)":    "\n   2)\n   ^\nplain: func(s: string)",
	} {
		call, err := wave.ParseCall(expr)
		if err == nil {
			_, _, err = prepare(w, call, expr)
		}
		var usage *usageError
		require.ErrorAs(t, err, &usage, expr)
		require.Contains(t, err.Error(), want, expr)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"counter", "countre", 2}, {"a", "a", 0}} {
		require.Equal(t, c.want, distance(c.a, c.b), c)
	}
	require.Equal(t, maxSuggest, distance(strings.Repeat("a", maxSuggest+1), "a"))
	require.Empty(t, didYouMean("x", nil))
	require.Empty(t, didYouMean("abcdef", []string{"something-else"}))
}
