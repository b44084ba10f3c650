package lattice_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// Calls that are wrong in themselves: each is told why, and the component lives.
func TestWrongCalls(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	require.NoError(t, n.Start("c", "chain", 1))
	call := func(id, instance, fn, params string) error {
		_, _, err := l.Calls.Call(t.Context(), wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, id), Instance: instance, Func: fn}, wrpc.Meta{}, []byte(params))
		return err
	}
	for _, c := range []struct {
		what, id, instance, fn, params string
		is                             error
		text                           string
	}{
		{"a component that does not run", "nobody", "example:chain/step", "go", "\x00\x00", wrpc.ErrNotConnected, "call default.nobody.wrpc.0.0.1.example:chain/step.go: no responders"},
		{"a function that is not there", "c", "example:chain/step", "went", "\x00\x00", wrpc.ErrNotConnected, "no responders"},
		{"an enum case that is not there", "c", "example:chain/step", "go", "\x00\x09", wrpc.ErrRefused, "parameters are malformed"},
		{"a number that is too long", "c", "example:chain/step", "go", "\xff\xff\xff\xff\xff\xff\x00", wrpc.ErrRefused, "parameters are malformed"},
		{"too few", "c", "example:chain/step", "go", "\x00", wrpc.ErrRefused, "parameters ended before they were whole"},
		{"too many", "c", "example:chain/step", "go", "\x00\x00\x00", wrpc.ErrTrap, "canonical ABI: parameters: 1 bytes after the last parameter"},
	} {
		err := call(c.id, c.instance, c.fn, c.params)
		require.ErrorIs(t, err, c.is, c.what)
		require.ErrorContains(t, err, c.text, c.what)
	}
	require.NoError(t, call("c", "example:chain/step", "go", "\x00\x00"))
	require.Zero(t, n.Runtime.MemoryInUse())
}

// A chain of calls ends where the wire's limit is, on both routes.
func TestLongChain(t *testing.T) {
	t.Parallel()
	onBothRoutes(t, func(t *testing.T, r *route) {
		r.chain(t, 64)
		require.NoError(t, r.l.Link("target", "source", "example:chain/step"))
		got, err := r.call(t, "example:chain/step.go(32, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(33)", got.WAVE)
		got, err = r.call(t, "example:chain/step.go(33, finish)")
		require.NoError(t, err)
		require.Contains(t, got.WAVE, "refused: the chain of calls is longer than 32 components")
	})
}
