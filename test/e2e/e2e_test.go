package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
	"github.com/lathhost/lath/providers/postgres/postgrestest"
)

// binDir holds the binary, built once.
var binDir string

// database is a PostgreSQL server, for scripts that need one.
var database postgrestest.Server

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	if binDir, err = os.MkdirTemp("", "lath-e2e-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(binDir)
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for _, program := range []string{"cmd/lath", "examples/provider-keyvalue", "examples/provider-http"} {
		build := exec.Command("go", "build", "-o", filepath.Join(binDir, path.Base(program)+suffix), "github.com/lathhost/lath/"+program)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("build %s: %w\n%s", program, err, out)
		}
	}
	defer database.Stop()
	return m.Run(), nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs("../../examples")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(env *testscript.Env) error { return setup(env, examples) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "eventually": eventually, "freeport": freeport, "http": request, "transfer": transfer,
			"newdatabase": newDatabase,
		},
		Condition:           condition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// setup gives a script its own world.
func setup(env *testscript.Env, examples string) error {
	artifacts := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	reg, closed := httptest.NewServer(artifacts), httptest.NewServer(forAnn(artifacts))
	env.Defer(reg.Close)
	env.Defer(closed.Close)
	startS3(env)
	home := filepath.Join(env.WorkDir, "home")
	states := []string{filepath.Join(env.WorkDir, "state"), filepath.Join(env.WorkDir, "state2"), filepath.Join(env.WorkDir, "state3")}
	env.Setenv("PATH", binDir+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("HOME", home)
	env.Setenv("LocalAppData", home)
	env.Setenv("LATH_STATE_DIR", states[0])
	env.Setenv("STATE2", states[1])
	env.Setenv("PROVIDER", filepath.Join(binDir, "provider-keyvalue"))
	env.Setenv("HTTPPROVIDER", filepath.Join(binDir, "provider-http"))
	env.Setenv("STATE3", states[2])
	env.Setenv("LATH_CACHE_DIR", filepath.Join(env.WorkDir, "cache"))
	env.Setenv("REGISTRY", strings.TrimPrefix(reg.URL, "http://"))
	env.Setenv("CLOSED", strings.TrimPrefix(closed.URL, "http://"))
	env.Setenv("EXAMPLES", examples)
	env.Setenv("SETTINGS", filepath.Join(examples, "../test/lattice/testdata/settings.wasm"))
	env.Setenv("SECRETS", filepath.Join(examples, "../test/lattice/testdata/secrets.wasm"))
	env.Setenv("KV", "lath+builtin://keyvalue-memory")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	// A script that fails in its middle leaves no host either.
	vars := env.Vars
	env.Defer(func() {
		for _, dir := range states {
			down := exec.Command(filepath.Join(binDir, "lath"), "down", "--state-dir", dir, "--timeout", "1s")
			down.Env = vars
			_ = down.Run()
		}
	})
	return nil
}

// forAnn lets ann use a registry, by the password "secret", and nobody else.
func forAnn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// condition is what scripts may ask for: postgres, a server.
func condition(name string) (bool, error) {
	if name != "postgres" {
		return false, fmt.Errorf("no condition %q", name)
	}
	err := database.Ensure()
	if errors.Is(err, postgrestest.ErrMissing) {
		return false, nil
	}
	return err == nil, err
}

// newDatabase makes an empty database, and sets the variables by which it is found. Its
// password is in the file database.password.
func newDatabase(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: newdatabase")
	}
	settings, err := database.Database()
	ts.Check(err)
	for name, value := range settings.Config {
		ts.Setenv(name, value)
	}
	ts.Check(os.WriteFile(ts.MkAbs("database.password"), settings.Secrets["POSTGRES_PASSWORD"].Bytes(), 0o600))
}

// code runs a command and wants its exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// eventually runs a command until it prints a text.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually TEXT COMMAND…")
	}
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if err := ts.Exec(args[1], args[2:]...); err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
	}
	ts.Fatalf("never printed %q", args[0])
}

func freeport(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport VAR")
	}
	ports, err := natsservertest.Ports(context.Background(), 1)
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(ports[0]))
}
