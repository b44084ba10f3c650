package builtin

import (
	"context"
	"errors"
	_ "time/tzdata" // a schedule's time zone is the same on every host

	"github.com/lathhost/lath/host/provider"
	bind "github.com/lathhost/lath/lattice/bind/wasmcloud/messaging"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/cron"
	"github.com/lathhost/lath/providers/messaging"
	messagingnats "github.com/lathhost/lath/providers/messaging/nats"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// broker is what every messaging backend is.
type broker interface {
	contract.Consumer
	Messenger
	Close() error
}

func messagingCapabilities(b broker) *provider.Capabilities {
	return &provider.Capabilities{MessagingConsumer: b, Caller: messagingCaller{b}, Close: b.Close}
}

// linkedMessaging is a broker whose links each have a sender.
func linkedMessaging(b broker, senders *messaging.Senders, err error) (*provider.Capabilities, error) {
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &provider.Capabilities{MessagingConsumer: senders, Caller: messagingCaller{b}, Relink: senders.Relink,
		Close: func() error { return errors.Join(senders.Close(), b.Close()) }}, nil
}

// MessengerOf returns what hands out the messages that come to a messaging provider;
// nil where that is none.
func MessengerOf(caps *provider.Capabilities) Messenger {
	c, _ := caps.Caller.(messagingCaller)
	return c.Messenger
}

// Messenger hands messages to what its links lead to.
type Messenger interface {
	SetLinks(own wire.Settings, links []messaging.Link) []error
	Drain(ctx context.Context) error
}

// messagingCaller is one as a host drives it.
type messagingCaller struct{ Messenger }

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
	return c.Messenger.SetLinks(own, list)
}

// startMessagingMemory passes messages on within this host.
func startMessagingMemory(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	b, err := messaging.NewMemory(messaging.MemoryConfig{Settings: cfg.Settings, Lattice: cfg.Lattice, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return messagingCapabilities(b), nil
}

// startMessagingNATS publishes and subscribes, in the lattice's own NATS unless
// another is named.
func startMessagingNATS(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	b, err := messagingnats.NewCore(natsMessaging(cfg))
	if err != nil {
		return nil, err
	}
	senders, err := messagingnats.CoreSenders(natsMessaging(cfg))
	return linkedMessaging(b, senders, err)
}

// startMessagingJetStream publishes into streams, and takes from them what links
// subscribe to until it is dealt with.
func startMessagingJetStream(ctx context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	b, err := messagingnats.NewDurable(ctx, natsMessaging(cfg))
	if err != nil {
		return nil, err
	}
	senders, err := messagingnats.DurableSenders(natsMessaging(cfg))
	return linkedMessaging(b, senders, err)
}

func natsMessaging(cfg provider.Config) messagingnats.Config {
	return messagingnats.Config{ID: cfg.ID, Lattice: cfg.Lattice, Settings: cfg.Settings, Conn: cfg.Conn, JSDomain: cfg.JSDomain, Log: cfg.Log}
}

// startCron calls components by the clock.
func startCron(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	p, err := cron.New(cron.Config{ID: cfg.ID, Holder: cfg.Host, Lattice: cfg.Lattice, Conn: cfg.Conn, JSDomain: cfg.JSDomain, Now: cfg.Now, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{Caller: messagingCaller{p}, Close: p.Close}, nil
}
