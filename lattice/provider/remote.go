package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Health is what a provider answers when it is asked how it is.
type Health struct {
	Healthy bool `json:"healthy"`
	// Message explains it, and may be empty.
	Message string `json:"message,omitempty"`
}

// maxHealthMessage bounds what is kept of a provider's own words.
const maxHealthMessage = 1 << 10

// decodeHealth reads an answer; healthy must be there.
func decodeHealth(data []byte) (Health, error) {
	var in struct {
		Healthy *bool   `json:"healthy"`
		Message *string `json:"message"`
	}
	if err := lattice.DecodeJSON(data, MaxMessage, &in); err != nil {
		return Health{}, err
	}
	if in.Healthy == nil {
		return Health{}, fmt.Errorf("%w: no healthy in it", lattice.ErrInvalid)
	}
	h := Health{Healthy: *in.Healthy}
	if in.Message != nil {
		h.Message = (*in.Message)[:min(len(*in.Message), maxHealthMessage)]
	}
	return h, nil
}

// shutdown is the body of a request to end.
type shutdown struct {
	HostID string `json:"host_id"`
}

// Remote is a provider process as its host talks to it. It is safe for
// concurrent use.
type Remote struct {
	conn        *nats.Conn
	lattice, id string
	linkKey     string
}

// NewRemote returns a host's end. linkKey is the provider's public curve key, or
// its id where it was given no keys.
func NewRemote(conn *lattice.Conn, latticeName, id, linkKey string) *Remote {
	return &Remote{conn: conn, lattice: latticeName, id: id, linkKey: linkKey}
}

// PutLink tells of a link. A provider ignores one that it knows already, whatever
// is new in it: tell that it is gone first. Nothing is answered.
func (r *Remote) PutLink(d LinkDefinition) error {
	return r.tell(lattice.ProviderLinkPut(r.lattice, r.linkKey), d)
}

// DeleteLink tells that a link is gone.
func (r *Remote) DeleteLink(l lattice.Link) error {
	return r.tell(lattice.ProviderLinkDelete(r.lattice, r.id), NewLinkDefinition(l))
}

// UpdateConfig tells the whole merged configuration after a change of it.
func (r *Remote) UpdateConfig(values map[string]string) error {
	return r.tell(lattice.ProviderConfig(r.lattice, r.id), lattice.StringMap(values))
}

func (r *Remote) tell(subject string, v any) error {
	data, err := lattice.EncodeJSON(v)
	if err == nil {
		err = r.conn.Publish(subject, data)
	}
	if err != nil {
		return fmt.Errorf("tell %s: %w", subject, lattice.Disconnected(err))
	}
	return nil
}

// Health asks how the provider is. The error matches lattice.ErrNotFound where
// nobody listens, and lattice.ErrTimeout where nobody answers before ctx ends.
func (r *Remote) Health(ctx context.Context) (Health, error) {
	msg, err := r.ask(ctx, lattice.ProviderHealth(r.lattice, r.id), nil)
	if err != nil {
		return Health{}, fmt.Errorf("health of provider %s: %w", r.id, err)
	}
	h, err := decodeHealth(msg)
	if err != nil {
		return Health{}, fmt.Errorf("health of provider %s: %w", r.id, err)
	}
	return h, nil
}

// Shutdown asks the provider to end, and returns when it has answered that it
// will. Errors are those of Health.
func (r *Remote) Shutdown(ctx context.Context, hostID string) error {
	data, err := lattice.EncodeJSON(shutdown{HostID: hostID})
	if err == nil {
		_, err = r.ask(ctx, lattice.ProviderShutdown(r.lattice, r.id, lattice.DefaultLinkName), data)
	}
	if err != nil {
		return fmt.Errorf("shut down provider %s: %w", r.id, err)
	}
	return nil
}

func (r *Remote) ask(ctx context.Context, subject string, data []byte) ([]byte, error) {
	msg, err := r.conn.RequestWithContext(ctx, subject, data)
	switch {
	case err == nil:
		return msg.Data, nil
	case errors.Is(err, nats.ErrNoResponders):
		return nil, fmt.Errorf("%w: nobody listens on %s", lattice.ErrNotFound, subject)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return nil, fmt.Errorf("%w: no answer on %s", lattice.ErrTimeout, subject)
	}
	return nil, lattice.Disconnected(err)
}

// Deletions passes on what anyone tells the provider of links that are gone,
// this end included: a host that handles the deletion of a link tells both its
// ends, wherever they run. Close the subscription by end.
func (r *Remote) Deletions(heard func(lattice.Link)) (end func() error, err error) {
	subject := lattice.ProviderLinkDelete(r.lattice, r.id)
	sub, err := r.conn.Subscribe(subject, func(msg *nats.Msg) {
		var d LinkDefinition
		if lattice.DecodeJSON(msg.Data, MaxMessage, &d) == nil {
			heard(d.Link())
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", subject, lattice.Disconnected(err))
	}
	return func() error { return unsubscribe(sub) }, nil
}

func unsubscribe(sub *nats.Subscription) error {
	if err := sub.Unsubscribe(); err != nil && !lattice.IsDisconnected(err) && !errors.Is(err, nats.ErrBadSubscription) {
		return fmt.Errorf("stop listening on %s: %w", sub.Subject, err)
	}
	return nil
}
