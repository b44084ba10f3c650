package guests_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/filesystem"
)

// outcome is what came of a run.
type outcome struct {
	status         int
	stdout, stderr string
}

// start runs a program as "lath run" does.
func start(t *testing.T, c *component.Component, cfg wasi.Config) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cfg.Args = append([]string{"program"}, cfg.Args...)
	cfg.Stdout, cfg.Stderr = &stdout, &stderr
	tm := link(t, c, component.LinkConfig{Name: "program", Host: wasi.Interfaces(cfg)})
	ctx, end := wasi.WithRun(t.Context())
	i, err := tm.Take(ctx)
	require.NoError(t, err)
	status := 0
	result, err := i.CallValues(ctx, tm.Export("wasi:cli/run@0.2.0", "run"))
	switch exit := trap.As(err); {
	case exit != nil && exit.Code == trap.Exit:
		status = exit.ExitStatus
	default:
		require.NoError(t, err, stderr.String())
		status = int(result.Bits)
	}
	end()
	require.NoError(t, i.Close())
	return outcome{status, stdout.String(), stderr.String()}
}

// folder makes a directory with files of these texts, by name.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

// TestCommands runs one program in four languages: it counts the words of the
// files and lists the directories that its arguments name, counts the words of
// its input, says so on its output, and writes the same to the file that SUMMARY
// names.
func TestCommands(t *testing.T) {
	for _, name := range []string{"c-command", "go-command", "py-command", "rust-command"} {
		t.Run(name, func(t *testing.T) {
			c := guest(t, name)
			in := folder(t, map[string]string{
				"poem.txt": "füllest wieder Busch und Tal\n", "empty": "", "many/a": "", "many/b": "",
				"long": strings.Repeat("many words\n", 20_000),
			})
			out := t.TempDir()
			cfg := wasi.Config{
				Env:   map[string]string{"SUMMARY": "/out/summary.txt"},
				Stdin: strings.NewReader(strings.Repeat("from the input ", 10_000)),
				Args:  []string{"/in/poem.txt", "/in/empty", "/in/long", "/in/many"},
			}
			cfg.Dirs = []filesystem.Dir{{Host: in, Guest: "/in"}, {Host: out, Guest: "/out", Write: true}}
			want := "/in/poem.txt: 5 words\n/in/empty: 0 words\n/in/long: 40000 words\n/in/many: a b\ninput: 30000 words\n"
			require.Equal(t, outcome{stdout: want}, start(t, c, cfg))
			summary, err := os.ReadFile(filepath.Join(out, "summary.txt"))
			require.NoError(t, err)
			require.Equal(t, want, string(summary))

			cfg.Args, cfg.Stdin, cfg.Env = []string{"/in/nothing", "/in/poem.txt", "/etc/passwd", "/in/../../etc/passwd"}, nil, nil
			o := start(t, c, cfg)
			require.Equal(t, 1, o.status)
			require.Equal(t, "/in/poem.txt: 5 words\ninput: 0 words\n", o.stdout)
			require.Len(t, strings.Split(strings.TrimSpace(o.stderr), "\n"), 3, o.stderr)

			cfg.Env = map[string]string{"SUMMARY": "/in/summary.txt"} // may not be written to
			require.NotZero(t, start(t, c, cfg).status, "the directory is read-only")
			_, err = os.Stat(filepath.Join(in, "summary.txt"))
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}
