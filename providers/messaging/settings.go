package messaging

import (
	"fmt"
	"strings"
	"time"

	"github.com/lathhost/lath/providers/internal/settings"
)

// Defaults of [Handling] and [Limits].
const (
	DefaultTimeout     = 30 * time.Second
	DefaultMaxInFlight = 16
	DefaultMaxPending  = 4096
	DefaultMaxBody     = 1 << 20
)

// Bounds of settings.
const (
	maxInFlight      = 1 << 12
	maxPending       = 1 << 20
	maxSubscriptions = 256
	maxBody          = 64 << 20
)

// Subscription is one of a link's.
type Subscription struct {
	Pattern string
	// Queue names the group that shares the messages; empty: the link's own.
	Queue string
}

// Handling is how the messages of one link get to its handler.
type Handling struct {
	Subscriptions []Subscription
	// Timeout bounds the handling of one message.
	Timeout time.Duration
	// MaxInFlight is how many messages are handled at a time.
	MaxInFlight int64
	// MaxPending is how many more wait.
	MaxPending int64
	// Ordered has the messages of one subject be handled one after the other.
	Ordered bool
}

// Settings are the settings of a link that every broker has: v1's subscriptions
// ("subject,subject|queue"), and timeout_ms, max_in_flight, max_pending and ordered.
// Those that are not there get their defaults.
func (h *Handling) Settings(rules Rules) settings.Set {
	*h = Handling{Timeout: DefaultTimeout, MaxInFlight: DefaultMaxInFlight, MaxPending: DefaultMaxPending}
	return settings.Set{
		"subscriptions": func(value string) (err error) {
			h.Subscriptions, err = ParseSubscriptions(value, rules)
			return err
		},
		"timeout_ms":    settings.Milliseconds(&h.Timeout),
		"max_in_flight": settings.Within(&h.MaxInFlight, 1, maxInFlight),
		"max_pending":   settings.Within(&h.MaxPending, 1, maxPending),
		"ordered":       settings.Flag(&h.Ordered),
	}
}

// ParseSubscriptions reads a list of subscriptions as v1 writes it, with commas
// between them: "subject" or "subject|queue".
func ParseSubscriptions(value string, rules Rules) ([]Subscription, error) {
	var list []Subscription
	for item := range strings.SplitSeq(value, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		var s Subscription
		s.Pattern, s.Queue, _ = strings.Cut(item, "|")
		if err := rules.CheckSubscribe(s.Pattern); err != nil {
			return nil, err
		}
		if s.Queue != "" {
			if err := checkSubject(s.Queue); err != nil {
				return nil, fmt.Errorf("queue group of %q: %w", s.Pattern, err)
			}
		}
		if list = append(list, s); len(list) > maxSubscriptions {
			return nil, fmt.Errorf("want at most %d subscriptions", maxSubscriptions)
		}
	}
	return list, nil
}

// Limits are those of what components send.
type Limits struct {
	// MaxBody bounds the body of a message, in bytes; default [DefaultMaxBody].
	MaxBody int64
}

// Settings are the settings of a provider that every broker has: max_body_bytes.
func (l *Limits) Settings() settings.Set {
	l.MaxBody = DefaultMaxBody
	return settings.Set{"max_body_bytes": settings.Within(&l.MaxBody, 1, maxBody)}
}

// Check refuses a body that is too large.
func (l *Limits) Check(body []byte) error {
	if int64(len(body)) > l.MaxBody {
		return fmt.Errorf("body of %d bytes is over the limit of %d", len(body), l.MaxBody)
	}
	return nil
}
