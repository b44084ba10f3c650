package capability

import (
	"context"

	messagingbind "github.com/lathhost/lath/host/bind/wasmcloud/messaging"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	wrpcbind "github.com/lathhost/lath/lattice/bind/wasmcloud/messaging"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// adaptMessaging makes the wasmcloud:messaging interface of that name; nil: it is
// none.
func adaptMessaging(name string, imp *link.Import) *component.HostInterface {
	if name != wit.Track(messaging.ConsumerInterface.Name) {
		return nil
	}
	h := messagingbind.Consumer(consumer{imp})
	return &h
}

// consumer sends messages for a guest.
type consumer struct{ imp *link.Import }

var _ messaging.Consumer = consumer{}

func (c consumer) begin(ctx context.Context, fn string) (*call[messaging.Consumer], error) {
	return begin(ctx, c.imp, fn, messaging.ConsumerInterface,
		func(p *provider.Capabilities) messaging.Consumer { return p.MessagingConsumer },
		func(inv *link.Invoker) messaging.Consumer { return wrpcbind.NewConsumerClient(inv) })
}

// Request implements messaging.Consumer.
func (c consumer) Request(ctx context.Context, subject string, body []byte, timeoutMs uint32) (messaging.BrokerMessage, error) {
	call, err := c.begin(ctx, "request")
	if err != nil {
		return messaging.BrokerMessage{}, err
	}
	got, err := call.impl.Request(call.ctx, subject, body, timeoutMs)
	return got, call.end(err)
}

// Publish implements messaging.Consumer.
func (c consumer) Publish(ctx context.Context, msg messaging.BrokerMessage) error {
	call, err := c.begin(ctx, "publish")
	if err != nil {
		return err
	}
	return call.end(call.impl.Publish(call.ctx, msg))
}
