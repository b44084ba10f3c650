package bind_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	typesbind "github.com/lathhost/lath/lattice/bind/example/types"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/example/types"
	"github.com/lathhost/lath/wit/example/types/typestest"
	"github.com/lathhost/lath/wit/wave"
	"github.com/lathhost/lath/wit/wire"
)

// TestValues sends every value type through server, client and server again,
// and compares the bytes at each step with those of the dynamic encoder, which
// shares no code with the stubs but the smallest items.
func TestValues(t *testing.T) {
	t.Parallel()
	far := newLocal()
	require.NoError(t, typesbind.ServeValues(far, typestest.Echo{}))
	near := newLocal()
	require.NoError(t, typesbind.ServeValues(near, typesbind.NewValuesClient(far)))

	seen := map[string]bool{}
	for _, c := range typestest.Calls() {
		seen[c.Func] = true
		fn := types.ValuesInterface.Func(c.Func)
		require.NotNil(t, fn, c.Func)
		params := encodeArgs(t, fn, c.Func+"("+c.Args+")")
		want := encodeResult(t, fn, c.Result)

		got, err := near.Invoke(context.Background(), types.ValuesInterface.Name, c.Func, params)
		require.NoError(t, err, c)
		require.Equal(t, params, far.params, "%v: parameters changed on the way", c)
		require.Equal(t, want, far.results, c)
		require.Equal(t, want, got, "%v: results changed on the way", c)
	}
	require.Len(t, seen, len(types.ValuesInterface.Funcs), "a function has no call")
}

// TestTruncated cuts parameters and results at every byte: no part of them is
// ever taken for the whole.
func TestTruncated(t *testing.T) {
	t.Parallel()
	server := newLocal()
	require.NoError(t, typesbind.ServeValues(server, typestest.Echo{}))
	for _, c := range typestest.Calls() {
		fn := types.ValuesInterface.Func(c.Func)
		params := encodeArgs(t, fn, c.Func+"("+c.Args+")")
		h := server.handlers[types.ValuesInterface.Name+"."+c.Func].h
		for n := range params {
			_, err := h(context.Background(), params[:n])
			require.ErrorContains(t, err, "example:types/values."+c.Func+": parameters", "%v cut to %d", c, n)
		}
		_, err := h(context.Background(), append(params, 0))
		require.ErrorContains(t, err, "1 bytes after the end")
	}
	ctx := context.Background()
	many := encodeArgs(t, types.ValuesInterface.Func("echo-many"), "echo-many("+typestest.Calls()[0].Result+")")
	for n := range many {
		_, err := typesbind.NewValuesClient(answer{results: many[:n]}).EchoMany(ctx, types.Many{})
		require.ErrorContains(t, err, "example:types/values.echo-many: results", "cut to %d", n)
	}
	_, err := typesbind.NewValuesClient(answer{results: []byte{0xff, 0xff, 0xff, 0xff, 0x0f}}).EchoF64s(ctx, nil)
	require.Error(t, err, "a list of 2^32-1 numbers in 5 bytes")
}

func encodeArgs(t *testing.T, fn *wit.Func, expr string) []byte {
	t.Helper()
	call, err := wave.ParseCall("example:types/values." + expr)
	require.NoError(t, err)
	args, err := wave.ParseArgs(fn.Params, call)
	require.NoError(t, err)
	var ts []*wit.Type
	for _, p := range fn.Params {
		ts = append(ts, p.Type)
	}
	b, err := wire.AppendAll(nil, ts, args)
	require.NoError(t, err)
	return b
}

func encodeResult(t *testing.T, fn *wit.Func, text string) []byte {
	t.Helper()
	if fn.Result == nil {
		return nil
	}
	v, err := wave.Parse(fn.Result, text)
	require.NoError(t, err)
	b, err := wire.Append(nil, fn.Result, v)
	require.NoError(t, err)
	return b
}
