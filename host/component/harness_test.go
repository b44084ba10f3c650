package component_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
)

func newRuntime(t testing.TB) *component.Runtime {
	t.Helper()
	rt, err := component.New(context.Background(), component.Config{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Zero(t, rt.MemoryInUse()+rt.MemoryIdle(), "linear memory is left")
		require.NoError(t, rt.Close(context.Background()))
	})
	return rt
}

func compile(t testing.TB, rt *component.Runtime, path string) *component.Component {
	t.Helper()
	wasm, err := os.ReadFile(path)
	require.NoError(t, err)
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	return c
}

func linkTo(t testing.TB, c *component.Component, cfg component.LinkConfig) *component.Template {
	t.Helper()
	tm, err := c.Link(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tm.Close(context.Background())) })
	return tm
}

// call calls an export by a WAVE expression, on an instance of its own, and
// prints the result as WAVE.
func call(t testing.TB, tm *component.Template, expr string) (string, error) {
	t.Helper()
	i, err := tm.Take(context.Background())
	require.NoError(t, err)
	defer func() { require.NoError(t, i.Close()) }()
	return callOn(t, i, tm, expr)
}

func callOn(t testing.TB, i *component.Instance, tm *component.Template, expr string) (string, error) {
	t.Helper()
	c, err := wave.ParseCall(expr)
	require.NoError(t, err)
	e := tm.Export(c.Instance, c.Func)
	require.NotNil(t, e, "no export for %s", expr)
	args, err := wave.ParseArgs(e.Type.Params, c)
	require.NoError(t, err)
	v, err := i.CallValues(context.Background(), e, args...)
	if err != nil || v == nil {
		return "", err
	}
	return wave.Format(e.Type.Result, *v), nil
}

// template answers imports by exports of another template, from memory to
// memory.
type template struct {
	tm    *component.Template
	iface string
	fn    string
}

func (c template) Call(call *component.ImportCall) error {
	i, err := c.tm.Take(call.Context())
	if err != nil {
		return err
	}
	defer i.Close()
	return call.Forward(call.Context(), i, c.tm.Export(c.iface, c.fn))
}

// remote answers imports by exports of another template through wire bytes, as
// a call across the lattice does.
type remote template

func (c remote) Call(call *component.ImportCall) error {
	params, err := call.AppendParams(nil)
	if err != nil {
		return err
	}
	out, err := c.tm.Call(call.Context(), c.tm.Export(c.iface, c.fn), params, nil)
	if err != nil {
		return err
	}
	return call.SetResults(out)
}

func forwardTo(tm *component.Template) func(string, *wit.Func) (component.Callee, error) {
	return func(iface string, fn *wit.Func) (component.Callee, error) { return template{tm, iface, fn.Name}, nil }
}

func remoteTo(tm *component.Template) func(string, *wit.Func) (component.Callee, error) {
	return func(iface string, fn *wit.Func) (component.Callee, error) { return remote{tm, iface, fn.Name}, nil }
}
