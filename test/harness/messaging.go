package harness

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	invoke "github.com/lathhost/lath/lattice/bind"
	bind "github.com/lathhost/lath/lattice/bind/wasmcloud/messaging"
	"github.com/lathhost/lath/lattice/ctl"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/messaging"
	"github.com/lathhost/lath/providers/messaging/nats"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Broker is a messaging provider.
type Broker interface {
	contract.Consumer
	SetLinks(own wire.Settings, links []messaging.Link) []error
	Drain(ctx context.Context) error
	Close() error
}

// OfferBrokers adds the built-in messaging providers to those of a host, joined to
// it as the command joins them; started, if not nil, is told of each that starts.
func OfferBrokers(c *host.Config, started func(Broker)) {
	add := func(name string, open func(ctx context.Context, cfg provider.Config) (Broker, *messaging.Senders, error)) {
		c.Builtins = append(c.Builtins, provider.Builtin{Name: name, Start: func(ctx context.Context, cfg provider.Config) (*provider.Capabilities, error) {
			b, senders, err := open(ctx, cfg)
			if err != nil {
				return nil, err
			}
			if started != nil {
				started(b)
			}
			caps := &provider.Capabilities{MessagingConsumer: b, Caller: messagingCaller{b}, Close: b.Close}
			if senders != nil {
				caps.MessagingConsumer, caps.Relink = senders, senders.Relink
				caps.Close = func() error { return errors.Join(senders.Close(), b.Close()) }
			}
			return caps, nil
		}})
	}
	in := func(cfg provider.Config) nats.Config {
		return nats.Config{ID: cfg.ID, Lattice: cfg.Lattice, Settings: cfg.Settings, Conn: cfg.Conn, JSDomain: cfg.JSDomain, Log: cfg.Log}
	}
	add("messaging-memory", func(_ context.Context, cfg provider.Config) (Broker, *messaging.Senders, error) {
		b, err := messaging.NewMemory(messaging.MemoryConfig{Settings: cfg.Settings, Lattice: cfg.Lattice, Log: cfg.Log})
		return b, nil, err
	})
	add("messaging-nats", func(_ context.Context, cfg provider.Config) (Broker, *messaging.Senders, error) {
		b, err := nats.NewCore(in(cfg))
		if err != nil {
			return nil, nil, err
		}
		senders, err := nats.CoreSenders(in(cfg))
		return b, senders, err
	})
	add("messaging-jetstream", func(ctx context.Context, cfg provider.Config) (Broker, *messaging.Senders, error) {
		b, err := nats.NewDurable(ctx, in(cfg))
		if err != nil {
			return nil, nil, err
		}
		senders, err := nats.DurableSenders(in(cfg))
		return b, senders, err
	})
}

type messagingCaller struct{ Broker }

// Imports implements provider.Caller.
func (messagingCaller) Imports() []*wit.Interface {
	return []*wit.Interface{contract.HandlerInterface}
}

// SetLinks implements provider.Caller.
func (c messagingCaller) SetLinks(own wire.Settings, links []provider.Link) []error {
	list := make([]messaging.Link, len(links))
	for i, l := range links {
		list[i] = messaging.Link{Name: l.Name, Target: l.Target, Settings: l.Settings, Handler: bind.NewHandlerClient(l.Invoker)}
	}
	return c.Broker.SetLinks(own, list)
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
