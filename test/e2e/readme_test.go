package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is a command of the README, and what it is said to print: nothing, where
// that says nothing.
type step struct{ command, prints string }

// tableCommand is a command in the last column of a table.
var tableCommand = regexp.MustCompile("^\\|.* \\| `((?:echo [a-z]+ \\\\\\| )?bin/lath .*)` \\|\n?$")

// steps are the commands of the README that need no more than the binary: those of
// consoles, and those in the last columns of tables.
func steps(readme string) (list []step) {
	inConsole := false
	for line := range strings.Lines(readme) {
		command, is := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			inConsole = strings.TrimSpace(line) == "```console"
		case !inConsole:
			if m := tableCommand.FindStringSubmatch(line); m != nil {
				list = append(list, step{command: strings.ReplaceAll(m[1], `\|`, "|")})
			}
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
	site := "127.0.0.1"
	if runtime.GOOS == "linux" { // where each address of 127/8 is one's own
		site = fmt.Sprintf("127.%d.%d.%d", rand.IntN(256), rand.IntN(256), 2+rand.IntN(200))
	}
	text := strings.ReplaceAll(string(readme), "127.0.0.1:8000", site+":8000")
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
	for _, s := range steps(text) {
		if !strings.Contains(s.command, "bin/lath ") {
			continue
		}
		tried++
		stdout, stderr, err := sh(strings.Replace(s.command, "bin/lath ", bin+" ", 1))
		require.NoError(t, err, "%s\n%s", s.command, stderr)
		if s.prints != "" {
			require.Equal(t, s.prints, stdout, s.command)
		}
	}
	require.Greater(t, tried, 20, "the quickstart or the table of capabilities is gone")
}
