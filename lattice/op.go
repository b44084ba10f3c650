package lattice

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// OpState is how far a command is.
type OpState string

// The states of a command. It is accepted first; of the others it reaches one.
const (
	OpAccepted OpState = "accepted"
	OpDone     OpState = "done"
	OpFailed   OpState = "failed"
)

// Bounds of an Op's texts, in bytes. Longer ones are cut.
const (
	maxOpText = 1 << 10
	maxOpName = 2 * MaxIDLen
	// MaxOpSize bounds an Op on the wire and in its bucket.
	MaxOpSize = 16 << 10
)

// Op is a command that was given an id, and what became of it. It goes to Lath
// peers alone; v1 has no such thing.
type Op struct {
	// ID is a ULID in its canonical form: 26 upper-case characters.
	ID string `json:"id"`
	// Verb is the kind and the verb, such as "component.scale".
	Verb string `json:"verb"`
	// Thing is what the command is about: the id of a component, provider or host,
	// the name of a config, the key of a label, a link.
	Thing string `json:"thing,omitempty"`
	// HostID is the host that accepted the command. While State is OpAccepted it is
	// still at it, unless it died in the middle.
	HostID string  `json:"host_id"`
	State  OpState `json:"state"`
	// Answered tells that the command's answer is known: Message or, where Refused,
	// Cause.
	Answered bool `json:"answered,omitempty"`
	// Refused tells that the host answered that it did not do it.
	Refused bool `json:"refused,omitempty"`
	// Message is what the host answered when it accepted.
	Message string `json:"message,omitempty"`
	// Cause says why it failed.
	Cause string `json:"cause,omitempty"`
	// Digest is SHA-256 of the request in hexadecimal digits: an id is for one
	// request.
	Digest string `json:"digest"`
	// Accepted and Ended are times of the host's clock; Ended is zero until then.
	Accepted time.Time `json:"accepted"`
	Ended    time.Time `json:"ended,omitzero"`
}

// ParseOpID returns the canonical form of a command's id.
func ParseOpID(s string) (string, error) {
	id, err := ulid.ParseStrict(s)
	if err != nil {
		return "", fmt.Errorf("command id %q: %w: want a ULID, 26 characters such as 01ARZ3NDEKTSV4RRFFQ69G5FAV", clip(s), ErrInvalid)
	}
	return id.String(), nil
}

// Clip cuts the texts to what is stored of them.
func (o *Op) Clip() {
	o.Thing, o.Message, o.Cause = clipTo(o.Thing, maxOpName), clipTo(o.Message, maxOpText), clipTo(o.Cause, maxOpText)
}

// DecodeOp reads an Op and checks that it is whole.
func DecodeOp(data []byte) (Op, error) {
	var o Op
	if err := DecodeJSON(data, MaxOpSize, &o); err != nil {
		return Op{}, fmt.Errorf("command: %w", err)
	}
	return o, o.Validate()
}

// Validate reports what is wrong with an Op that came from elsewhere.
func (o *Op) Validate() error {
	if id, err := ParseOpID(o.ID); err != nil || id != o.ID {
		return fmt.Errorf("command: %w: its id is %q", ErrInvalid, clip(o.ID))
	}
	if err := ValidHostID(o.HostID); err != nil {
		return fmt.Errorf("command %s: %w", o.ID, err)
	}
	if sum, err := hex.DecodeString(o.Digest); err != nil || len(sum) != 32 {
		return fmt.Errorf("command %s: %w: no digest of its request", o.ID, ErrInvalid)
	}
	switch o.State {
	case OpAccepted, OpDone, OpFailed:
	default:
		return fmt.Errorf("command %s: %w: its state is %q", o.ID, ErrInvalid, clip(string(o.State)))
	}
	if len(o.Verb) > maxOpName || len(o.Thing) > maxOpName || len(o.Message) > maxOpText || len(o.Cause) > maxOpText {
		return fmt.Errorf("command %s: %w: a text in it is too long", o.ID, ErrInvalid)
	}
	return nil
}
