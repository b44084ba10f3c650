package lattice_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/keyvalue/redis/redistest"
	"github.com/lathhost/lath/test/harness"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// storeOf calls a key-value provider as somebody does who has no link.
type storeOf struct {
	l  *harness.Lattice
	id string
}

// Invoke implements bind.Invoker.
func (s storeOf) Invoke(ctx context.Context, instance, function string, params []byte) ([]byte, error) {
	out, _, err := s.l.Calls.Call(ctx, wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, s.id), Instance: instance, Func: function}, wrpc.Meta{SourceID: "test"}, params)
	return out, err
}

// A component that exports wasi:keyvalue/watcher hears of changes in every backend, on
// the provider's host and on another one, and is given the bucket as one of its own
// store.
func TestWatchers(t *testing.T) {
	t.Parallel()
	for _, builtin := range []string{"keyvalue-memory", "keyvalue-file", "keyvalue-nats", "keyvalue-redis"} {
		for _, together := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/together=%v", builtin, together), func(t *testing.T) {
				t.Parallel()
				l := harness.New(t)
				offer := harness.OfferStores(t.TempDir())
				a := l.Host(offer)
				b := a
				if !together {
					b = l.Host(offer)
				}
				ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
				defer cancel()
				settings := map[string]string{}
				if builtin == "keyvalue-redis" {
					server := redistest.Start(t, "--notify-keyspace-events", "K$gx")
					settings = map[string]string{"url": server.URL(), "backend_response_timeout_ms": "60000"}
				}
				a.ProviderConfigured("kv", builtin, settings)
				require.NoError(t, b.Start("mirror", "mirror", 2))
				// The bucket is given along the link that leads to where the change is told.
				linkNamed(t, l, "watched", "mirror", "kv", "wasi:keyvalue", []string{"store"}, a, b)
				require.NoError(t, l.Control.PutConfig(ctx, "watch", map[string]string{"watch": "SET@k*,DEL@k1", "watch_bucket": "b"}))
				require.NoError(t, l.Control.PutLink(ctx, lattice.Link{SourceID: "kv", Target: "mirror", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"watcher"}, SourceConfig: []string{"watch"}}))
				l.Linked("kv", "mirror", "keyvalue")
				s, why := status(t, l, "kv", "mirror")
				require.Equal(t, lattice.LinkReady, s, why)

				store := bind.NewStoreClient(storeOf{l, "kv"})
				is := func(key, want string) {
					t.Helper()
					l.Eventually(key+" is "+want, func() bool {
						v, err := store.Get(ctx, "b", key)
						return err == nil && v.OK == (want != "") && string(v.Value) == want
					})
				}
				l.Eventually("the provider's host has heard of the link", func() bool {
					require.NoError(t, store.Set(ctx, "b", "k", []byte("begin")))
					v, err := store.Get(ctx, "b", "copy/k")
					return err == nil && v.OK
				})
				for key, bucket := range map[string]string{"other": "b", "k0": "c", "k1": "b", "k2": "b"} {
					require.NoError(t, store.Set(ctx, bucket, key, []byte("value of "+key)))
				}
				is("copy/k1", "value of k1")
				is("copy/k2", "value of k2")
				_, err := bind.NewAtomicsClient(storeOf{l, "kv"}).Increment(ctx, "b", "k3", 7)
				require.NoError(t, err)
				is("copy/k3", "7")
				require.NoError(t, store.Delete(ctx, "b", "k2"))
				require.NoError(t, store.Delete(ctx, "b", "k1"))
				is("copy/k1", "")
				is("copy/k2", "value of k2")
				is("copy/other", "")
				is("copy/k0", "")

				// Without the link nothing more is told; what came meanwhile is not told later.
				if !together {
					return // the provider's host hears a moment later that the link is gone
				}
				watcher := lattice.Link{SourceID: "kv", Target: "mirror", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"watcher"}, SourceConfig: []string{"watch"}}
				require.NoError(t, l.Control.DeleteLink(ctx, watcher.Key()))
				require.NoError(t, store.Set(ctx, "b", "k8", []byte("late")))
				require.NoError(t, l.Control.PutLink(ctx, watcher))
				require.NoError(t, store.Set(ctx, "b", "k9", []byte("again")))
				is("copy/k9", "again")
				is("copy/k8", "")
			})
		}
	}
}

// Whoever cannot watch says so when it is linked.
func TestWatchersRefused(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(harness.OfferStores(t.TempDir()))
	silent := redistest.Start(t)
	n.ProviderConfigured("silent", "keyvalue-redis", map[string]string{"url": silent.URL(), "backend_response_timeout_ms": "60000"})
	require.NoError(t, n.Provide(ctl.StartProvider{ProviderID: "memory", ProviderRef: provider.Scheme + "keyvalue-memory"}))
	require.NoError(t, n.Start("mirror", "mirror", 1))
	require.NoError(t, n.Start("counter", "counter", 1))
	put := func(source, target string) error {
		return l.Control.PutLink(t.Context(), lattice.Link{SourceID: source, Target: target, WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"watcher"}})
	}
	require.ErrorContains(t, put("memory", "counter"), `target "counter" does not export wasi:keyvalue/watcher`)
	require.ErrorContains(t, put("counter", "mirror"), `"counter" does not call wasi:keyvalue/watcher`)
	require.NoError(t, put("silent", "mirror"))
	s, why := status(t, l, "silent", "mirror")
	require.Equal(t, lattice.LinkFailed, s)
	require.Contains(t, why, "run CONFIG SET notify-keyspace-events K$gx")
}

// What v1's keyvalue-redis sends is what a component hears.
func TestWatcherByWire(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(harness.OfferStores(t.TempDir()))
	require.NoError(t, n.StartProvider("kv", "keyvalue-memory"))
	require.NoError(t, n.Start("mirror", "mirror", 1))
	require.NoError(t, l.Link("mirror", "kv", "wasi:keyvalue/store"))
	call := func(fn string, params string) ([]byte, error) {
		out, _, err := l.Calls.Call(t.Context(), wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "mirror"), Instance: contract.WatcherInterface.Name, Func: fn},
			wrpc.Meta{SourceID: "redis", LinkName: "default"}, []byte(params))
		return out, err
	}
	out, err := call("on-set", "\x010\x01k\x02hi")
	require.NoError(t, err)
	require.Empty(t, out)
	store := bind.NewStoreClient(storeOf{l, "kv"})
	v, err := store.Get(t.Context(), "0", "copy/k")
	require.NoError(t, err)
	require.Equal(t, "hi", string(v.Value))
	_, err = call("on-delete", "\x010\x01k")
	require.NoError(t, err)
	v, err = store.Get(t.Context(), "0", "copy/k")
	require.NoError(t, err)
	require.False(t, v.OK)
	for _, bad := range []string{"", "\x010", "\x010\x01k\x09hi", "\x010\x01k\x02hi!", "\x02\xff\xfe\x01k\x00"} {
		_, err := call("on-set", bad)
		require.Error(t, err, "%q", bad)
	}
}
