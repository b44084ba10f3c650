package capability

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
	wrpckeyvalue "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a provider that fails for keys that name a failure.
type fake struct{ bucket, key string }

func (f *fake) fail(bucket, key string) error {
	f.bucket, f.key = bucket, key
	switch key {
	case "denied":
		return wrpckeyvalue.Error{Tag: wrpckeyvalue.ErrorAccessDenied}
	case "no store":
		return wrpckeyvalue.Error{Tag: wrpckeyvalue.ErrorNoSuchStore}
	case "other":
		return wrpckeyvalue.Error{Tag: wrpckeyvalue.ErrorOther, Other: "disk full"}
	case "plain":
		return errors.New("a plain error")
	}
	return nil
}

func (f *fake) Get(_ context.Context, bucket, key string) (wit.Option[[]byte], error) {
	return wit.Some([]byte("v")), f.fail(bucket, key)
}
func (f *fake) Set(_ context.Context, bucket, key string, _ []byte) error { return f.fail(bucket, key) }
func (f *fake) Delete(_ context.Context, bucket, key string) error        { return f.fail(bucket, key) }
func (f *fake) Exists(_ context.Context, bucket, key string) (bool, error) {
	return true, f.fail(bucket, key)
}
func (f *fake) ListKeys(_ context.Context, bucket string, _ wit.Option[uint64]) (wrpckeyvalue.KeyResponse, error) {
	return wrpckeyvalue.KeyResponse{Keys: []string{"a", "b"}, Cursor: wit.Some(uint64(2))}, f.fail(bucket, "")
}
func (f *fake) Increment(_ context.Context, bucket, key string, delta uint64) (uint64, error) {
	return delta + 1, f.fail(bucket, key)
}
func (f *fake) GetMany(_ context.Context, bucket string, keys []string) ([]wit.Option[wrpckeyvalue.TupleStringBytes], error) {
	return []wit.Option[wrpckeyvalue.TupleStringBytes]{{OK: true, Value: wrpckeyvalue.TupleStringBytes{F0: keys[0], F1: []byte("v")}}, {}}, f.fail(bucket, keys[0])
}
func (f *fake) SetMany(_ context.Context, bucket string, pairs []wrpckeyvalue.TupleStringBytes) error {
	return f.fail(bucket, pairs[0].F0)
}
func (f *fake) DeleteMany(_ context.Context, bucket string, keys []string) error {
	return f.fail(bucket, keys[0])
}

// here is a host on which the provider "kv" runs, or does not.
type here struct{ caps *provider.Capabilities }

// Component implements link.Local.
func (here) Component(string) link.Component { return nil }

// Provider implements link.Local.
func (h here) Provider(id string) *provider.Capabilities {
	if id == "kv" {
		return h.caps
	}
	return nil
}

var kvLink = lattice.Link{SourceID: "guest", Target: "kv", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue",
	Interfaces: []string{"store", "atomics", "batch"}}

// routes runs a test over a provider in this process and over NATS.
func routes(t *testing.T, caps *provider.Capabilities, test func(t *testing.T, r *link.Router)) {
	t.Run("in-process", func(t *testing.T) {
		r := link.NewRouter("default", here{caps}, nil)
		r.SetLinks([]lattice.Link{kvLink})
		test(t, r)
	})
	t.Run("remote", func(t *testing.T) {
		ns, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
		require.NoError(t, err)
		defer ns.Shutdown(context.Background())
		nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: ns.URL()})
		require.NoError(t, err)
		defer nc.Close()
		server, err := wrpc.NewServer(nc, wrpc.ServerConfig{})
		require.NoError(t, err)
		defer server.Close()
		exports, err := caps.Exports()
		require.NoError(t, err)
		for i := range exports {
			exports[i].Prefix = lattice.RPCPrefix("default", "kv")
		}
		_, err = server.Serve(t.Context(), exports...)
		require.NoError(t, err)
		client, err := wrpc.NewClient(nc, wrpc.ClientConfig{})
		require.NoError(t, err)
		defer client.Close()
		r := link.NewRouter("default", here{}, wrpc.NewCaller(client, "default", nil))
		r.SetLinks([]lattice.Link{kvLink})
		test(t, r)
	})
}

func open(t *testing.T, r *link.Router) keyvalue.Bucket {
	t.Helper()
	b, err := store{r.Import("guest", keyvalue.StoreInterface)}.Open(t.Context(), "box")
	require.NoError(t, err)
	return b
}

func TestKeyvalue(t *testing.T) {
	f := &fake{}
	routes(t, &provider.Capabilities{KeyvalueStore: f, KeyvalueAtomics: f, KeyvalueBatch: f}, func(t *testing.T, r *link.Router) {
		ctx := t.Context()
		b := open(t, r)
		atoms, many := atomics{r.Import("guest", keyvalue.AtomicsInterface)}, batch{r.Import("guest", keyvalue.BatchInterface)}
		pair := []keyvalue.TupleStringBytes{{F0: "k", F1: []byte("v")}}
		calls := map[string]func(key string) error{
			"get":       func(k string) error { _, err := b.Get(ctx, k); return err },
			"set":       func(k string) error { return b.Set(ctx, k, nil) },
			"delete":    func(k string) error { return b.Delete(ctx, k) },
			"exists":    func(k string) error { _, err := b.Exists(ctx, k); return err },
			"increment": func(k string) error { _, err := atoms.Increment(ctx, b, k, 1); return err },
			"get-many":  func(k string) error { _, err := many.GetMany(ctx, b, []string{k}); return err },
			"set-many": func(k string) error {
				p := pair[0]
				p.F0 = k
				return many.SetMany(ctx, b, []keyvalue.TupleStringBytes{p})
			},
			"delete-many": func(k string) error { return many.DeleteMany(ctx, b, []string{k}) },
		}
		for name, call := range calls {
			require.NoError(t, call("good"), name)
			require.Equal(t, "box", f.bucket, name)
			require.Equal(t, "good", f.key, name)
			for key, want := range map[string]keyvalue.Error{
				"denied":   {Tag: keyvalue.ErrorAccessDenied},
				"no store": {Tag: keyvalue.ErrorNoSuchStore},
				"other":    {Tag: keyvalue.ErrorOther, Other: "disk full"},
				"plain":    {Tag: keyvalue.ErrorOther, Other: "a plain error"},
			} {
				require.Equal(t, want, call(key), "%s %s", name, key)
			}
		}
		v, err := b.Get(ctx, "k")
		require.NoError(t, err)
		require.Equal(t, wit.Some([]byte("v")), v)
		page, err := b.ListKeys(ctx, wit.Option[uint64]{})
		require.NoError(t, err)
		require.Equal(t, keyvalue.KeyResponse{Keys: []string{"a", "b"}, Cursor: wit.Some(uint64(2))}, page)
		n, err := atoms.Increment(ctx, b, "k", 41)
		require.NoError(t, err)
		require.EqualValues(t, 42, n)
		got, err := many.GetMany(ctx, b, []string{"k", "l"})
		require.NoError(t, err)
		require.Equal(t, []wit.Option[keyvalue.TupleStringBytes]{wit.Some(pair[0]), {}}, got)
	})
}

func TestKeyvalueWithoutRoute(t *testing.T) {
	t.Parallel()
	r := link.NewRouter("default", here{}, nil)
	_, err := open(t, r).Get(t.Context(), "k")
	require.EqualError(t, err, `component "guest", link "default", wasi:keyvalue/store@0.2.0-draft.get: refused: `+
		"no link \"default\" for wasi:keyvalue/store: set one with `lath link put guest TARGET --interface wasi:keyvalue/store`")
	e, _ := keyvalue.ErrorFrom(err)
	require.Equal(t, keyvalue.Error{Tag: keyvalue.ErrorOther, Other: err.Error()}, e, "the guest gets it as a value")
	_, err = atomics{r.Import("guest", keyvalue.AtomicsInterface)}.Increment(t.Context(), foreign{}, "k", 1)
	require.Equal(t, keyvalue.Error{Tag: keyvalue.ErrorNoSuchStore}, err, "a bucket that is not of this host")
}

type foreign struct{ keyvalue.Bucket }

func TestKeyvalueOfLessThanAsked(t *testing.T) {
	f := &fake{}
	routes(t, &provider.Capabilities{KeyvalueAtomics: f}, func(t *testing.T, r *link.Router) {
		_, err := open(t, r).Get(t.Context(), "k")
		require.ErrorContains(t, err, `component "guest", link "default" to "kv", wasi:keyvalue/store@0.2.0-draft.get: `)
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	r := link.NewRouter("default", here{}, nil)
	for _, name := range Names() {
		h := Adapt(name, r.Import("guest", keyvalue.StoreInterface))
		require.NotNil(t, h, name)
		require.Equal(t, name, h.Name)
	}
	require.Nil(t, Adapt("wasi:keyvalue/watcher@0.2.0-draft", nil))
	require.Nil(t, Adapt("wasi:io/streams@0.2.0", nil))
}
