package bind_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	kvbind "github.com/lathhost/lath/host/bind/wasi/keyvalue"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
)

// kv is a store with one bucket that holds one number.
type kv struct {
	open, opened atomic.Int64 // buckets that exist, and that ever did
	number       atomic.Uint64
	err          error
	none         bool // open returns no bucket
}

type bucket struct{ *kv }

func (k *kv) Open(context.Context, string) (keyvalue.Bucket, error) {
	if k.none || k.err != nil {
		return nil, k.err
	}
	k.open.Add(1)
	k.opened.Add(1)
	return bucket{k}, nil
}

func (k *kv) Increment(_ context.Context, b keyvalue.Bucket, _ string, delta uint64) (uint64, error) {
	return b.(bucket).number.Add(delta), nil
}

func (b bucket) Get(context.Context, string) (wit.Option[[]byte], error) {
	n := b.number.Load()
	if n == 0 {
		return wit.None[[]byte](), nil
	}
	return wit.Some([]byte(strconv.FormatUint(n, 10))), nil
}
func (b bucket) Set(context.Context, string, []byte) error          { return nil }
func (b bucket) Delete(context.Context, string) error               { return nil }
func (b bucket) Exists(_ context.Context, key string) (bool, error) { return b.number.Load() > 0, nil }
func (b bucket) Drop()                                              { b.open.Add(-1) }
func (b bucket) ListKeys(context.Context, wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	return keyvalue.KeyResponse{}, nil
}

// TestResource gives a guest a resource of one interface, which it passes to
// another, and checks that each is dropped once.
func TestResource(t *testing.T) {
	t.Parallel()
	k := &kv{}
	tm := link(t, "../../examples/counter/counter.wasm", kvbind.Store(k), kvbind.Atomics(k))
	for _, c := range [][2]string{{`get("a")`, "ok(none)"}, {`increment("a")`, "ok(1)"}, {`increment("a")`, "ok(2)"}, {`get("a")`, "ok(some(2))"}} {
		got, err := call(t, tm, "example:counter/counter."+c[0])
		require.NoError(t, err)
		require.Equal(t, c[1], got)
	}
	require.EqualValues(t, 4, k.opened.Load())
	require.Zero(t, k.open.Load(), "buckets that nobody dropped")
}

// TestResourceErrors fails to open a bucket: with each kind of the contract's
// error, with another error, and with neither bucket nor error.
func TestResourceErrors(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"no such store": keyvalue.Error{Tag: keyvalue.ErrorNoSuchStore},
		"boom":          keyvalue.Error{Tag: keyvalue.ErrorOther, Other: "boom"},
		"deadline":      context.DeadlineExceeded,
	} {
		k := &kv{err: err}
		tm := link(t, "../../examples/counter/counter.wasm", kvbind.Store(k), kvbind.Atomics(k))
		got, err := call(t, tm, `example:counter/counter.get("a")`)
		require.NoError(t, err)
		require.Contains(t, got, "err(")
		require.Contains(t, got, want)
	}
	k := &kv{none: true}
	tm := link(t, "../../examples/counter/counter.wasm", kvbind.Store(k), kvbind.Atomics(k))
	_, err := call(t, tm, `example:counter/counter.get("a")`)
	require.ErrorIs(t, err, &trap.Error{Code: trap.Host})
	require.ErrorContains(t, err, "returned no bucket")
}
