package interop_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// TestLathCallsWasmCloudsProvider: our stubs, their key-value example.
func TestLathCallsWasmCloudsProvider(t *testing.T) {
	t.Parallel()
	peers := build(t)
	n := newNetwork(t, 1<<20)
	n.startProvider(t, peers.provider, "kv")
	ctx := testContext(t)
	b := n.client.Bind("default.kv", func(context.Context) wrpc.Meta { return wrpc.Meta{SourceID: "counter", LinkName: "default"} })
	store := bind.NewStoreClient(b)

	_, err := store.Get(ctx, "default", "k")
	require.Equal(t, keyvalue.Error{Tag: keyvalue.ErrorNoSuchStore}, err, "it makes buckets when they are written to")
	require.NoError(t, store.Set(ctx, "default", "k", []byte("hi")))
	v, err := store.Get(ctx, "default", "k")
	require.NoError(t, err)
	require.Equal(t, wit.Some([]byte("hi")), v)
	is, err := store.Exists(ctx, "default", "k")
	require.NoError(t, err)
	require.True(t, is)

	require.NoError(t, store.Set(ctx, "default", "another", []byte{0, 0xff}))
	page, err := store.ListKeys(ctx, "default", wit.None[uint64]())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"k", "another"}, page.Keys)
	require.False(t, page.Cursor.OK)
	_, err = store.ListKeys(ctx, "default", wit.Some[uint64](300))
	require.Equal(t, keyvalue.Error{Tag: keyvalue.ErrorOther, Other: "cursors are not supported"}, err)

	require.NoError(t, store.Delete(ctx, "default", "k"))
	v, err = store.Get(ctx, "default", "k")
	require.NoError(t, err)
	require.False(t, v.OK)
	is, err = store.Exists(ctx, "default", "k")
	require.NoError(t, err)
	require.False(t, is)

	large := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
	require.NoError(t, store.Set(ctx, "default", "large", large))
	v, err = store.Get(ctx, "default", "large")
	require.NoError(t, err)
	require.True(t, bytes.Equal(large, v.Value), "5 MiB in messages of 1 MiB")

	_, err = bind.NewAtomicsClient(b).Increment(ctx, "default", "n", 1)
	require.ErrorIs(t, err, wrpc.ErrNotConnected, "the example does not serve atomics")
	require.NotErrorIs(t, err, wrpc.ErrMayHaveRun)
}
