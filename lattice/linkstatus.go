package lattice

// LinkStatus is a link with what is known of its ends.
type LinkStatus struct {
	Link
	State LinkState
	// Reason says why the link is not ready, and is empty where it is.
	Reason string
}

// LinkState is the state of a link.
type LinkState string

// The states.
const (
	// LinkReady: both ends run and fit.
	LinkReady LinkState = "ready"
	// LinkPending: an end does not run, or does not say what it exports.
	LinkPending LinkState = "pending"
	// LinkFailed: the ends fit, and one of them cannot do what the link asks for:
	// an address is taken, a setting wrong, a secret not to be had.
	LinkFailed LinkState = "failed"
	// LinkRefused: the ends do not fit; calls fail with the reason.
	LinkRefused LinkState = "refused"
)

type linkStatusJSON struct {
	linkJSON
	State  LinkState `json:"state"`
	Reason string    `json:"reason,omitempty"`
}

// MarshalJSON writes v1's fields of the link, and state and reason.
func (s LinkStatus) MarshalJSON() ([]byte, error) {
	l := linkJSON(s.Link)
	l.Interfaces, l.SourceConfig, l.TargetConfig = orEmpty(l.Interfaces), orEmpty(l.SourceConfig), orEmpty(l.TargetConfig)
	return EncodeJSON(linkStatusJSON{linkJSON: l, State: s.State, Reason: s.Reason})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *LinkStatus) UnmarshalJSON(data []byte) error {
	var in struct {
		State  LinkState `json:"state"`
		Reason string    `json:"reason"`
	}
	if err := DecodeJSON(data, len(data), &in); err != nil {
		return err
	}
	s.State, s.Reason = in.State, in.Reason
	return s.Link.UnmarshalJSON(data)
}
