package lattice_test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/sdk"
	"github.com/lathhost/lath/test/harness"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// linked is a provider that remembers what configuration and secret a call had.
type linked struct {
	session *sdk.Session
	seen    chan string
}

// Increment implements keyvalue.Atomics.
func (p *linked) Increment(ctx context.Context, _, _ string, _ uint64) (uint64, error) {
	l, ok := p.session.Link(ctx, "wrpc:keyvalue")
	secret, _ := l.Secrets["password"].Text()
	p.seen <- fmt.Sprintf("%t %s %s", ok, l.Config["bucket"], secret)
	return 1, nil
}

// Who calls, and along which link, is what a caller says of itself. One that no link
// lets call gets no configuration of a link and no secret, whatever it says, and the
// links of others stay what they are.
func TestForgedCaller(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	keys, err := wire.NewKeys()
	require.NoError(t, err)
	def := func(source, name, bucket string) wire.LinkDefinition {
		d := wire.NewLinkDefinition(lattice.Link{SourceID: source, Target: "kv", Name: name, WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"atomics"}})
		d.TargetConfig = map[string]string{"bucket": bucket}
		d.TargetSecrets, err = keys.Seal(map[string]wire.Secret{"password": wire.TextSecret("of " + source)})
		require.NoError(t, err)
		return d
	}
	out := def("kv", "default", "its own") // a link that starts at the provider lets nobody call it
	out.Target = "elsewhere"
	data := &wire.HostData{HostID: "NHOST", Lattice: harness.Name, LinkName: "default", URL: l.URL, ProviderID: "kv", InstanceID: "1",
		Links: []wire.LinkDefinition{def("shop", "default", "carts"), def("shop", "stats", "figures"), out}}
	keys.Fill(data)
	line, err := data.Encode()
	require.NoError(t, err)

	p := &linked{seen: make(chan string, 1)}
	ready, ended := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		ended <- sdk.Run(ctx, bytes.NewReader(line), sdk.Provider{
			Contracts: []sdk.Contract{sdk.Export[contract.Atomics](contract.AtomicsInterface, keyvalue.ServeAtomics, p)},
			Init:      func(_ context.Context, s *sdk.Session) error { p.session = s; close(ready); return nil },
			Log:       zap.NewNop(),
		})
	}()
	<-ready
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	call := func(m wrpc.Meta) string {
		target := wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "kv"), Instance: contract.AtomicsInterface.Name, Func: "increment"}
		l.Eventually("the provider serves", func() bool {
			_, _, err := l.Calls.Call(t.Context(), target, m, []byte{1, 'b', 1, 'k', 1})
			return err == nil
		})
		return <-p.seen
	}
	require.Equal(t, "true carts of shop", call(wrpc.Meta{SourceID: "shop", LinkName: "default"}))
	require.Equal(t, "true carts of shop", call(wrpc.Meta{SourceID: "shop"}), "no name is the default one")
	require.Equal(t, "true figures of shop", call(wrpc.Meta{SourceID: "shop", LinkName: "stats"}))
	const nothing = "false  "
	for _, forged := range []wrpc.Meta{
		{}, {SourceID: "stranger"}, {SourceID: "stranger", LinkName: "stats"}, {SourceID: "shop", LinkName: "other"}, {SourceID: "shop", LinkName: "*"},
		{SourceID: "*"}, {SourceID: ">"}, {SourceID: "kv"}, {SourceID: "kv", TargetID: "kv"}, {SourceID: "elsewhere"}, {SourceID: "Shop"}, {SourceID: "shop,stranger"},
	} {
		require.Equal(t, nothing, call(forged), "%+v", forged)
	}
	require.Equal(t, "true carts of shop", call(wrpc.Meta{SourceID: "shop"}))
}

// configured is a built-in that answers with the configuration of the link by which
// a call has come.
type configured struct {
	links atomic.Pointer[[]wire.Link]
	seen  chan string
}

func (p *configured) offer(c *host.Config) {
	c.Builtins = append(c.Builtins, provider.Builtin{Name: "configured",
		Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
			return &provider.Capabilities{KeyvalueAtomics: p, KeyvalueStore: noStore{},
				Relink: func(_ wire.Settings, links []wire.Link) []error { p.links.Store(&links); return nil }}, nil
		}})
}

// Increment implements keyvalue.Atomics.
func (p *configured) Increment(ctx context.Context, _, _ string, _ uint64) (uint64, error) {
	got := "nothing"
	if links := p.links.Load(); links != nil {
		for _, l := range *links {
			if wire.Incoming(ctx, l.Link, "kv", "wrpc:keyvalue") {
				got = l.Config["bucket"]
			}
		}
	}
	p.seen <- got
	return 1, nil
}

// The same for a built-in, by a guest on the same host and by a forger.
func TestForgedCallerOfABuiltin(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	p := &configured{seen: make(chan string, 1)}
	h := l.Host(p.offer)
	require.NoError(t, l.Control.PutConfig(t.Context(), "c", map[string]string{"bucket": "carts"}))
	require.NoError(t, h.StartProvider("kv", "configured"))
	require.NoError(t, h.Start("shop", "counter", 1))
	require.NoError(t, l.Control.PutLink(t.Context(), lattice.Link{SourceID: "shop", Target: "kv", WITNamespace: "wasi", WITPackage: "keyvalue",
		Interfaces: []string{"store", "atomics"}, TargetConfig: []string{"c"}}))
	l.Eventually("the provider knows the link", func() bool { links := p.links.Load(); return links != nil && len(*links) == 1 })
	l.Eventually("the guest calls", func() bool {
		_, err := l.Call(t.Context(), h, "shop", `example:counter/counter.increment("x")`)
		return err == nil
	})
	require.Equal(t, "carts", <-p.seen)
	for source, want := range map[string]string{"shop": "carts", "stranger": "nothing", "": "nothing", "kv": "nothing"} {
		_, _, err := l.Calls.Call(t.Context(), wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "kv"), Instance: contract.AtomicsInterface.Name, Func: "increment"},
			wrpc.Meta{SourceID: source}, []byte{1, 'b', 1, 'k', 1})
		require.NoError(t, err)
		require.Equal(t, want, <-p.seen, source)
	}
}
