package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// makeSuite writes a suite of one program, a component that does what its first
// argument says, under several names.
func makeSuite(t *testing.T, specs map[string]string) string {
	t.Helper()
	program, err := os.ReadFile("../../host/wasi/testdata/command.wasm")
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "suite")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "root.dir"), 0o700))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("manifest.json", `{"name": "WASI Own tests [wasm32-wasip1]", "version": "wasm32-wasip1"}`)
	for name, spec := range specs {
		write(name+".wasm", string(program))
		if spec != "" {
			write(name+".json", spec)
		}
	}
	return filepath.Dir(dir)
}

func play(t *testing.T, known expectations, specs map[string]string) (tally, string, error) {
	t.Helper()
	tests, err := find(makeSuite(t, specs), regexp.MustCompile(""))
	require.NoError(t, err)
	tests, err = adapt(t.Context(), "", tests, t.TempDir(), os.Stderr)
	require.NoError(t, err)
	var out bytes.Buffer
	p := &player{known: known, tmp: t.TempDir(), verbose: true, out: &out}
	err = p.play(t.Context(), tests)
	return p.total, out.String(), err
}

func TestProgramsThatDoAsExpectedPass(t *testing.T) {
	t.Parallel()
	total, out, err := play(t, nil, map[string]string{
		"hello":  `{"args": ["hello"], "stdout": "hello out\nno line end", "stderr": "hello err\n"}`,
		"show":   `{"args": ["show"], "env": {"A": "1"}, "stdout": "arg show.wasm\narg show\nenv A=1\n"}`,
		"leaves": `{"args": ["exit", "7"], "exit_code": 1}`,
		"touch":  `{"args": ["touch"], "root": "root.dir"}`,
	})
	require.NoError(t, err, out)
	require.Equal(t, tally{passed: 4}, total, out)
}

func TestProgramsThatDoOtherwiseFail(t *testing.T) {
	t.Parallel()
	total, out, err := play(t, nil, map[string]string{
		"output": `{"args": ["hello"], "stdout": "hello out\nno line end\n"}`,
		"errors": `{"args": ["hello"], "stderr": ""}`,
		"status": `{"args": ["exit", "1"]}`,
		"calm":   `{"args": ["hello"], "exit_code": 1}`,
	})
	require.ErrorContains(t, err, "4 failures that are not listed")
	require.Equal(t, tally{failed: 4}, total, out)
	require.Contains(t, out, `standard output is "hello out\nno line end", want "hello out\nno line end\n"`)
	require.Contains(t, out, "status 1, want 0")
}

func TestEachProgramFindsItsDirectoryAsItWas(t *testing.T) {
	t.Parallel()
	dir := makeSuite(t, map[string]string{"a": `{"args": ["touch"], "root": "root.dir"}`})
	tests, err := find(dir, regexp.MustCompile("Own/a"))
	require.NoError(t, err)
	p := &player{tmp: t.TempDir(), out: &bytes.Buffer{}}
	require.NoError(t, p.play(t.Context(), append(tests, tests...)))
	left, err := os.ReadDir(filepath.Join(dir, "suite/root.dir"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestExpectations(t *testing.T) {
	t.Parallel()
	wrong := `{"args": ["exit", "1"]}`
	known, err := parseExpectations("# comment\n\nfail Own/b why b\nskip Own/c why c\nfail Own/d why d\n")
	require.NoError(t, err)
	total, out, err := play(t, known, map[string]string{"b": wrong, "c": wrong, "d": `{"args": ["hello"]}`})
	require.ErrorContains(t, err, "1 failures")
	require.Equal(t, tally{failed: 2, skipped: 1}, total, out)
	require.Contains(t, out, "failed, as listed: why b")
	require.Contains(t, out, "skipped: why c")
	require.Contains(t, out, "passes, but is listed")

	for _, text := range []string{"fail Own/b", "maybe Own/b why", "fail", "fail a b\nskip a b"} {
		_, err := parseExpectations(text)
		require.Error(t, err, text)
	}
	_, err = parseExpectations(expectationText)
	require.NoError(t, err)
}

func TestSuitesThatCannotBePlayedAreRefused(t *testing.T) {
	t.Parallel()
	_, err := find(t.TempDir(), regexp.MustCompile(""))
	require.ErrorContains(t, err, "no built tests of wasm32-wasip1")
	_, err = find(makeSuite(t, map[string]string{"a": `{"sockets": true}`}), regexp.MustCompile(""))
	require.ErrorContains(t, err, `unknown field "sockets"`)

	module := filepath.Join(t.TempDir(), "module.wasm")
	require.NoError(t, os.WriteFile(module, []byte("\x00asm\x01\x00\x00\x00"), 0o600))
	_, err = adapt(t.Context(), "", []test{{name: "x/y", program: module}}, t.TempDir(), os.Stderr)
	require.ErrorContains(t, err, "-jco must name a folder")
}

func TestWrongCommandLinesAreUsageErrors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-suite", "x", "y"}, {"-suite", "x", "-run", "("}, {"-what"}} {
		_, err := parse(args, &bytes.Buffer{})
		require.ErrorAs(t, err, new(usageError), "%q", args)
	}
}
