package bind_test

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/wit/wave"
)

// link compiles a guest and links it to host interfaces.
func link(t testing.TB, path string, hosts ...component.HostInterface) *component.Template {
	t.Helper()
	return linkWith(t, path, component.LinkConfig{Name: "guest", Host: hosts})
}

func linkWith(t testing.TB, path string, cfg component.LinkConfig) *component.Template {
	t.Helper()
	ctx := context.Background()
	rt, err := component.New(ctx, component.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close(ctx)) })
	wasm, err := os.ReadFile(path)
	require.NoError(t, err)
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	tm, err := c.Link(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tm.Close(ctx)) })
	return tm
}

// call calls an export by a WAVE expression on an instance of its own and
// prints the result as WAVE.
func call(t testing.TB, tm *component.Template, expr string) (string, error) {
	t.Helper()
	i, err := tm.Take(context.Background())
	require.NoError(t, err)
	defer func() { require.NoError(t, i.Close()) }()
	return callOn(t, i, tm, expr)
}

// callOn is call on an instance that stays.
func callOn(t testing.TB, i *component.Instance, tm *component.Template, expr string) (string, error) {
	t.Helper()
	c, err := wave.ParseCall(expr)
	require.NoError(t, err)
	e := tm.Export(c.Instance, c.Func)
	require.NotNil(t, e, expr)
	args, err := wave.ParseArgs(e.Type.Params, c)
	require.NoError(t, err)
	v, err := i.CallValues(context.Background(), e, args...)
	if err != nil || v == nil {
		return "", err
	}
	return wave.Format(e.Type.Result, *v), nil
}
