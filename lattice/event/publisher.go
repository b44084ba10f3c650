package event

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"github.com/lathhost/lath/lattice"
)

// PublisherConfig says for whom a Publisher speaks. Conn, Lattice and HostID are
// required.
type PublisherConfig struct {
	Conn    *nats.Conn
	Lattice string
	// HostID becomes every event's source.
	HostID string
	// Now is the clock by which events are told; default time.Now.
	Now func() time.Time
	// NewID is for tests; default: ULIDs.
	NewID func() string
}

// Publisher tells the events of one host. It is safe for concurrent use.
type Publisher struct{ cfg PublisherConfig }

// NewPublisher checks a configuration. It does no I/O.
func NewPublisher(cfg PublisherConfig) (*Publisher, error) {
	if cfg.Conn == nil {
		return nil, errors.New("event publisher: a connection is required")
	}
	if err := errors.Join(lattice.ValidLattice(cfg.Lattice), lattice.ValidHostID(cfg.HostID)); err != nil {
		return nil, fmt.Errorf("event publisher: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = newID
	}
	return &Publisher{cfg: cfg}, nil
}

// Publish tells an event. It returns when the event is on its way, not when
// anyone has heard it; while disconnected it fails at once, and the event is
// lost. An event that is larger than NATS carries is a *lattice.TooLargeError.
func (p *Publisher) Publish(data Data) error {
	e := Event{ID: p.cfg.NewID(), Source: p.cfg.HostID, Time: p.cfg.Now(), Data: data}
	body, err := e.Encode()
	if err != nil {
		return err
	}
	name := data.EventName()
	if limit := p.cfg.Conn.MaxPayload(); int64(len(body)) > limit {
		return fmt.Errorf("publish: %w", &lattice.TooLargeError{What: "event " + name, Bytes: int64(len(body)), Limit: limit})
	}
	if err := p.cfg.Conn.Publish(subjectOf(p.cfg.Lattice, name), body); err != nil {
		return fmt.Errorf("publish event %s: %w", name, lattice.Disconnected(err))
	}
	return nil
}

// newID is a fresh ULID, written as a UUID, as v1 has it.
func newID() string { return uuid.UUID(ulid.Make()).String() }
