package messaging

import (
	"context"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/linked"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// Sender sends what components publish, and is closed when it is not needed any more.
type Sender interface {
	contract.Consumer
	Close() error
}

// Opener connects a sender when a call first needs it.
type Opener = linked.Opener[Sender]

// Senders are one sender for each link that ends at a broker, by the link's settings
// joined with the provider's, as v1 has it. They are safe for concurrent use.
type Senders struct {
	table *linked.Table[Sender]
}

var _ contract.Consumer = (*Senders)(nil)

// NewSenders makes those of a broker without links. parse checks settings, whose names
// are in lower case, without I/O; its errors have no value of a secret.
func NewSenders(own provider.Settings, parse func(provider.Settings) (Opener, error)) (*Senders, error) {
	t, err := linked.New("wasmcloud:messaging", parse, own)
	return &Senders{t}, err
}

// Relink has these be the settings and links from now on, and says of each link why it
// does not work.
func (s *Senders) Relink(own provider.Settings, links []provider.Link) []error {
	return s.table.Relink(own, links)
}

// Close closes all senders. No call is under way.
func (s *Senders) Close() error { return s.table.Close() }

// Publish implements the contract.
func (s *Senders) Publish(ctx context.Context, msg contract.BrokerMessage) error {
	return linked.Do(ctx, s.table, func(to Sender) error { return to.Publish(ctx, msg) })
}

// Request implements the contract.
func (s *Senders) Request(ctx context.Context, subject string, body []byte, timeoutMs uint32) (contract.BrokerMessage, error) {
	return linked.Call(ctx, s.table, func(to Sender) (contract.BrokerMessage, error) {
		return to.Request(ctx, subject, body, timeoutMs)
	})
}
