package event

import (
	"fmt"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"github.com/lathhost/lath/lattice"
)

// MaxSize bounds an event, in bytes.
const MaxSize = 8 << 20

// Event is one event of a lattice.
type Event struct {
	// ID is unique to the event: a ULID, written as a UUID.
	ID string
	// Source is the id of the host that tells it.
	Source string
	Time   time.Time
	Data   Data
}

// Encode writes the event as structured CloudEvents JSON.
func (e Event) Encode() ([]byte, error) {
	if _, ok := e.Data.(Unknown); ok || e.Data == nil {
		return nil, fmt.Errorf("encode event: %w: no data of a known kind", lattice.ErrInvalid)
	}
	name := e.Data.EventName()
	body, err := lattice.EncodeJSON(e.Data)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", name, err)
	}
	out := cloudevent.New()
	out.SetID(e.ID)
	out.SetSource(e.Source)
	out.SetType(typeOf(name))
	out.SetTime(e.Time)
	// SetData would take bytes for something to write in base64.
	out.SetDataContentType(cloudevent.ApplicationJSON)
	out.DataEncoded = body
	data, err := out.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", name, err)
	}
	return data, nil
}

// Decode reads an event from the network. It must be a CloudEvent of a lattice
// with all fields that its kind requires; all errors match lattice.ErrInvalid.
// An event of a kind without a type becomes Unknown.
func Decode(data []byte) (Event, error) {
	if len(data) > MaxSize {
		return Event{}, fmt.Errorf("event: %w: %d bytes, the limit is %d", lattice.ErrInvalid, len(data), MaxSize)
	}
	var in cloudevent.Event
	if err := in.UnmarshalJSON(data); err != nil {
		return Event{}, fmt.Errorf("event: %w: %w", lattice.ErrInvalid, err)
	}
	if err := in.Validate(); err != nil {
		return Event{}, fmt.Errorf("event: %w: %w", lattice.ErrInvalid, err)
	}
	name, own, ok := nameOf(in.Type())
	if !ok {
		return Event{}, fmt.Errorf("event: %w: type %.80q is not of a lattice", lattice.ErrInvalid, in.Type())
	}
	body, err := decodeData(name, own, in.Data())
	if err != nil {
		return Event{}, fmt.Errorf("event %.80s: data: %w", name, err)
	}
	return Event{ID: in.ID(), Source: in.Source(), Time: in.Time(), Data: body}, nil
}
