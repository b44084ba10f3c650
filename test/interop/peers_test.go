package interop_test

import (
	"context"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
)

const (
	patience      = time.Minute
	buildPatience = 10 * time.Minute // with modules to download

	wasmcloudVariable = "WASMCLOUD_GO_DIR"
	wasmcloudWhat     = "a checkout of github.com/wasmCloud/go, main"
	wrpcVariable      = "WRPC_GO_DIR"
	wrpcWhat          = "folder go of a checkout of github.com/bytecodealliance/wrpc, tag go/v0.1.0"

	// example is the provider's module in wasmCloud/go.
	example = "examples/provider/keyvalue-inmemory"
)

// checkouts returns the upstream folders, or skips the test.
func checkouts(t *testing.T) (wasmcloud, wrpcGo string) {
	t.Helper()
	return checkout(t, wasmcloudVariable, wasmcloudWhat, example+"/go.mod"), checkout(t, wrpcVariable, wrpcWhat, "nats/client.go")
}

// checkout returns the folder that a variable names, which has a file, or skips the
// test.
func checkout(t *testing.T, variable, what, file string) string {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("SKIPPED, nothing was compared with wasmCloud's code: set %s to %s", variable, what)
	}
	dir, err := filepath.Abs(os.Getenv(variable))
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(dir, filepath.FromSlash(file)), "%s names another folder", variable)
	return dir
}

// built are the peers' programs.
type built struct {
	provider, client string
	err              error
}

// buildOnce builds the peers for all tests of a run.
var buildOnce = sync.OnceValue(func() *built {
	b := &built{provider: filepath.Join(scratch, "provider.exe"), client: filepath.Join(scratch, "client.exe")}
	b.err = b.build()
	return b
})

// build returns the peers, or skips the test.
func build(t *testing.T) *built {
	t.Helper()
	_, wrpcGo := checkouts(t)
	b := buildOnce()
	require.NoError(t, b.err)
	// What runs is the checkout, whatever upstream's go.mod says.
	info, err := buildinfo.ReadFile(b.provider)
	require.NoError(t, err)
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == "wrpc.io/go" })
	require.GreaterOrEqual(t, i, 0, "the provider is built without wrpc.io/go")
	require.NotNil(t, info.Deps[i].Replace)
	require.Equal(t, wrpcGo, filepath.FromSlash(info.Deps[i].Replace.Path))
	return b
}

func (b *built) build() error {
	ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	wasmcloud, wrpcGo, err := absolute()
	if err != nil {
		return err
	}
	module := filepath.Join(wasmcloud, filepath.FromSlash(example))
	modfile, err := writeModfile(ctx, module, wasmcloud, wrpcGo)
	if err != nil {
		return err
	}
	overlay, err := writeOverlay("client", filepath.Join(module, "lathclient", "main.go"))
	if err != nil {
		return err
	}
	for out, pkg := range map[string]string{b.provider: ".", b.client: "./lathclient"} {
		if err := goTool(ctx, module, "build", "-buildvcs=false", "-modfile", modfile, "-overlay", overlay, "-o", out, pkg); err != nil {
			return err
		}
	}
	return nil
}

// absolute returns the checkouts by paths that hold in any folder.
func absolute() (wasmcloud, wrpcGo string, err error) {
	wasmcloud, err = filepath.Abs(os.Getenv(wasmcloudVariable))
	if err != nil {
		return "", "", err
	}
	wrpcGo, err = filepath.Abs(os.Getenv(wrpcVariable))
	return wasmcloud, wrpcGo, err
}

// writeModfile copies a module's go.mod and go.sum and has the checkouts
// replace what they name.
func writeModfile(ctx context.Context, module, wasmcloud, wrpcGo string) (string, error) {
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(scratch, name), text, 0o600); err != nil {
			return "", err
		}
	}
	modfile := filepath.Join(scratch, "go.mod")
	return modfile, goTool(ctx, module, "mod", "edit", "-replace", "wrpc.io/go="+wrpcGo,
		"-replace", "go.wasmcloud.dev/provider="+filepath.Join(wasmcloud, "provider"), modfile)
}

// writeOverlay puts a program of testdata to a path without writing there.
func writeOverlay(program, at string) (string, error) {
	ours, err := filepath.Abs(filepath.Join("testdata", program, "main.go"))
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {at: ours}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(scratch, program+".json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// scratch holds what is built; it goes when the tests have run.
var scratch string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lath-interop-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	scratch = dir
	return m.Run()
}

func goTool(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return &buildError{strings.Join(cmd.Args, " "), string(out), err}
	}
	return nil
}

type buildError struct {
	command, output string
	err             error
}

func (e *buildError) Error() string { return e.command + ": " + e.err.Error() + "\n" + e.output }
func (e *buildError) Unwrap() error { return e.err }

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// network is a NATS server with Lath's client and server on it.
type network struct {
	url    string
	nc     *nats.Conn
	client *wrpc.Client
	server *wrpc.Server
}

func newNetwork(t *testing.T, maxPayload int32) *network {
	t.Helper()
	ctx := testContext(t)
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort, MaxPayload: maxPayload})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	n := &network{url: srv.URL()}
	n.nc, err = lattice.Connect(ctx, lattice.ConnConfig{URL: n.url})
	require.NoError(t, err)
	t.Cleanup(n.nc.Close)
	n.client, err = wrpc.NewClient(n.nc, wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.client.Close()) })
	n.server, err = wrpc.NewServer(n.nc, wrpc.ServerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.server.Close()) })
	return n
}

// process starts a peer, and interrupts it when the test ends.
func process(t *testing.T, stdin io.Reader, stdout io.Writer, path string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{}
	cmd.Stdin, cmd.Stdout = stdin, stdout
	var log strings.Builder
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // however it ends
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(path), log.String())
		}
	})
}

// startProvider starts wasmCloud's example provider as its host would, and
// waits until it serves.
func (n *network) startProvider(t *testing.T, path, id string) {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"host_id": "NLATH", "lattice_rpc_prefix": "default", "lattice_rpc_url": n.url, "provider_key": id,
		"link_name": "default", "link_definitions": []any{}, "config": map[string]string{},
	})
	require.NoError(t, err)
	process(t, strings.NewReader(base64.StdEncoding.EncodeToString(data)+"\r\n"), io.Discard, path)
	// The subscription for health is its last.
	require.Eventually(t, func() bool {
		_, err := n.nc.Request(lattice.ProviderHealth("default", id), nil, time.Second)
		return err == nil
	}, patience, 20*time.Millisecond, "the provider does not tell its health")
}
