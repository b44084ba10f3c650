package harness

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/cmd/builtin"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	invoke "github.com/lathhost/lath/lattice/bind"
	bind "github.com/lathhost/lath/lattice/bind/wasmcloud/messaging"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// OfferBrokers adds the built-in messaging providers to those of a host; started, if
// not nil, is told of each that starts.
func OfferBrokers(c *host.Config, started func(broker builtin.Messenger)) {
	for _, name := range []string{"messaging-memory", "messaging-nats", "messaging-jetstream"} {
		c.Builtins = append(c.Builtins, Builtin(name, func(_ string, caps *provider.Capabilities) {
			if started != nil {
				started(builtin.MessengerOf(caps))
			}
		}))
	}
}

// ProviderConfigured runs a built-in provider with settings.
func (n *Node) ProviderConfigured(id, builtin string, settings map[string]string) {
	n.l.T.Helper()
	ctx, cancel := context.WithTimeout(n.l.T.Context(), Wait)
	defer cancel()
	require.NoError(n.l.T, n.l.Control.PutConfig(ctx, id, settings))
	require.NoError(n.l.T, n.Provide(ctl.StartProvider{ProviderID: id, ProviderRef: provider.Scheme + builtin, Config: []string{id}}))
}

// LinkHandler has a component handle the messages of a broker, and waits until the
// link is followed.
func (l *Lattice) LinkHandler(broker, target string, settings map[string]string) {
	l.T.Helper()
	config := broker + "-" + target
	ctx, cancel := context.WithTimeout(l.T.Context(), Wait)
	defer cancel()
	require.NoError(l.T, l.Control.PutConfig(ctx, config, settings))
	require.NoError(l.T, l.Control.PutLink(ctx, lattice.Link{SourceID: broker, Target: target, WITNamespace: "wasmcloud", WITPackage: "messaging",
		Interfaces: []string{"handler"}, SourceConfig: []string{config}}))
}

// Sender calls a broker as a component on another host does.
func (l *Lattice) Sender(broker string) contract.Consumer {
	return bind.NewConsumerClient(invoker{l, broker})
}

// Invoker calls a component or a provider as a component on another host does.
func (l *Lattice) Invoker(id string) invoke.Invoker { return invoker{l, id} }

// invoker calls one target.
type invoker struct {
	l  *Lattice
	id string
}

// Invoke implements bind.Invoker.
func (i invoker) Invoke(ctx context.Context, instance, function string, params []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, _, err := i.l.Calls.Call(ctx, wrpc.Target{Prefix: lattice.RPCPrefix(Name, i.id), Instance: instance, Func: function}, wrpc.Meta{SourceID: "test"}, params)
	return out, err
}
