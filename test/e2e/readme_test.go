package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is a command of the README, and what it is said to print: nothing, where
// that says nothing.
type step struct{ command, prints string }

// steps are the commands of the README that need no more than the binary.
func steps(readme string) (list []step) {
	inConsole := false
	for line := range strings.Lines(readme) {
		command, is := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inConsole = strings.TrimSpace(line) == "```console"
		case !inConsole:
		case is:
			list = append(list, step{command: strings.TrimSpace(command)})
		case len(list) > 0:
			list[len(list)-1].prints += line
		}
	}
	return list
}

// TestReadme types what the README says, in its order, and reads what it says.
func TestReadme(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("its commands are those of a Unix shell")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	dir := t.TempDir()
	env := append(os.Environ(), "HOME="+dir, "LATH_STATE_DIR="+filepath.Join(dir, "state"),
		"LATH_CACHE_DIR="+filepath.Join(dir, "cache"), "LATH_PORT=0", "PWD="+root)
	bin := filepath.Join(binDir, "lath")
	sh := func(command string) (stdout, stderr string, err error) {
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command) //nolint:gosec // our own README
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = root, env, &out, &errs
		err = cmd.Run()
		return out.String(), errs.String(), err
	}
	t.Cleanup(func() {
		down := exec.Command(bin, "down", "--timeout", "1s")
		down.Env = env
		_ = down.Run()
	})
	tried := 0
	for _, s := range steps(string(readme)) {
		rest, is := strings.CutPrefix(s.command, "bin/lath ")
		if !is {
			continue
		}
		tried++
		stdout, stderr, err := sh(bin + " " + rest)
		require.NoError(t, err, "%s\n%s", s.command, stderr)
		if s.prints != "" {
			require.Equal(t, s.prints, stdout, s.command)
		}
	}
	require.Greater(t, tried, 8, "the quickstart is gone")
}
