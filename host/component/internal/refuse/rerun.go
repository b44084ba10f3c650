package refuse

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// env names the refusals to a process that was started by [Rerun].
const env = "LATH_TEST_REFUSE"

// Files is how many files the process has open at most to which "files" are refused.
const Files = 64

// Refused reports whether this process was started by [Rerun] with that
// refusal.
func Refused(name string) bool { return slices.Contains(strings.Split(os.Getenv(env), ","), name) }

// FromEnv installs the refusals that [Rerun] asked for. Call it in TestMain.
func FromEnv() error {
	names := os.Getenv(env)
	if names == "" {
		return nil
	}
	return install(strings.Split(names, ","))
}

// Rerun runs the tests of this binary that match pattern in a process to which
// the kernel refuses the calls of those names.
func Rerun(t *testing.T, pattern string, names ...string) {
	t.Helper()
	if os.Getenv(env) != "" {
		t.Skip("SKIPPED: it is this test that has started the process")
	}
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: only Linux can be made to refuse system calls")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+pattern, "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", env, strings.Join(names, ",")))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Fatalf("without %v: %v\n%s", names, err, out)
	}
}
