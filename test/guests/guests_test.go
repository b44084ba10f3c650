package guests_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
)

// dirEnv names the folder that the guests were built into.
const dirEnv = "GUESTS_DIR"

// runtime is shared: compiling some guests takes seconds, and the compiled code
// is kept in the folder of the guests.
var runtime = sync.OnceValues(func() (*component.Runtime, error) {
	var cfg component.Config
	if dir := os.Getenv(dirEnv); dir != "" {
		cfg.CacheDir = filepath.Join(dir, "compiled")
	}
	return component.New(context.Background(), cfg)
})

// TestMain closes what the tests share, and fails where they left memory behind.
func TestMain(m *testing.M) {
	status := m.Run()
	rt, err := runtime()
	if err == nil {
		if n := rt.MemoryInUse() + rt.MemoryIdle(); n > 0 {
			err = fmt.Errorf("%d bytes of linear memory are left", n)
		}
	}
	if err == nil {
		err = rt.Close(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// guest returns a built guest, or skips the test.
func guest(t *testing.T, name string) *component.Component {
	t.Helper()
	dir := os.Getenv(dirEnv)
	if dir == "" {
		t.Skipf("SKIPPED %s: no guests are built (make test-guests)", name)
	}
	wasm, err := os.ReadFile(filepath.Join(dir, name+".wasm"))
	if os.IsNotExist(err) {
		t.Skipf("SKIPPED %s: it is not built: make test-guests says which tool is missing", name)
	}
	require.NoError(t, err)
	rt, err := runtime()
	require.NoError(t, err)
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	return c
}

func link(t *testing.T, c *component.Component, cfg component.LinkConfig) *component.Template {
	t.Helper()
	tm, err := c.Link(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tm.Close(context.Background())) })
	return tm
}

// instance takes an instance for the rest of the test.
func instance(t *testing.T, tm *component.Template) *component.Instance {
	t.Helper()
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	return i
}

// try calls an export by a WAVE expression and returns the result as WAVE.
func try(t *testing.T, i *component.Instance, tm *component.Template, expr string) (string, error) {
	t.Helper()
	c, err := wave.ParseCall(expr)
	require.NoError(t, err)
	e := tm.Export(c.Instance, c.Func)
	require.NotNil(t, e, "no export for %s", expr)
	args, err := wave.ParseArgs(e.Type.Params, c)
	require.NoError(t, err)
	v, err := i.CallValues(t.Context(), e, args...)
	if err != nil || v == nil {
		return "", err
	}
	return wave.Format(e.Type.Result, *v), nil
}

// target answers imports by exports of another component, whose instance stays.
type target struct {
	tm   *component.Template
	inst *component.Instance
}

func (x target) imports(iface string, fn *wit.Func) (component.Callee, error) {
	return callee{x, x.tm.Export(iface, fn.Name)}, nil
}

type callee struct {
	target
	export *component.Export
}

func (c callee) Call(call *component.ImportCall) error {
	return call.Forward(call.Context(), c.inst, c.export)
}

// host are WASI's interfaces with a place for what the guest says.
func host(t *testing.T) []component.HostInterface {
	return wasi.Interfaces(wasi.Config{Line: func(stream, line string) { t.Logf("%s: %s", stream, line) }})
}
