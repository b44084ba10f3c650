package nats

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
	"github.com/lathhost/lath/providers/messaging"
)

// Defaults of [Durable]'s settings.
const (
	DefaultMaxDeliver = 5
	DefaultBackoff    = time.Second
	DefaultMaxBackoff = time.Minute
	DefaultStreamSize = 256 << 20
	DefaultStreamAge  = 7 * 24 * time.Hour
	DefaultIdle       = 30 * 24 * time.Hour
)

// durableConfig is what the settings of a link of [Durable] say. Beside those that
// every broker has, they are:
//
//   - stream: which one; default: that which takes the subscriptions, or else the
//     provider's own, which is made.
//   - consumer: the durable consumer's name; default: of the provider and the link.
//   - max_deliver, backoff_ms, max_backoff_ms: how often a message is tried, and the
//     pause before the second time, which doubles up to a bound.
//   - dead_letter: the subject to which goes what was tried in vain; without one it
//     is given up.
//   - idle: after how long without anybody who takes its messages a consumer ends,
//     such as 720h; 0s: never. That of a link that is gone ends in half a minute.
//   - subjects, storage (file or memory), num_replicas, max_bytes, max_age and
//     retention (interest, limits or workqueue): of a stream that is made. By interest,
//     a message stays until all links that subscribe to it have dealt with it, and
//     where there is none, until there is one.
type durableConfig struct {
	linkConfig
	Stream, Consumer    string
	MaxDeliver          int64
	Backoff, MaxBackoff time.Duration
	DeadLetter          string
	Idle                time.Duration
	Subjects            []string
	Storage             jetstream.StorageType
	Replicas, MaxBytes  int64
	MaxAge              time.Duration
	Retention           jetstream.RetentionPolicy
}

// name is what NATS takes as one of a stream or consumer.
var name = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

func readDurable(rules messaging.Rules, from provider.Settings) (durableConfig, error) {
	c := durableConfig{MaxDeliver: DefaultMaxDeliver, Backoff: DefaultBackoff, MaxBackoff: DefaultMaxBackoff, Idle: DefaultIdle,
		Replicas: 1, MaxBytes: DefaultStreamSize, MaxAge: DefaultStreamAge, Retention: jetstream.InterestPolicy}
	s := c.settings(rules)
	s["stream"], s["consumer"] = named(&c.Stream), named(&c.Consumer)
	s["max_deliver"] = settings.Within(&c.MaxDeliver, 1, 1<<20)
	s["backoff_ms"], s["max_backoff_ms"] = settings.Milliseconds(&c.Backoff), settings.Milliseconds(&c.MaxBackoff)
	s["dead_letter"] = func(value string) error {
		c.DeadLetter = value
		return rules.CheckPublish(value)
	}
	s["subjects"] = func(value string) error {
		list, err := messaging.ParseSubscriptions(value, rules)
		for _, l := range list {
			c.Subjects = append(c.Subjects, l.Pattern)
		}
		return err
	}
	s["idle"], s["max_age"] = duration(&c.Idle), duration(&c.MaxAge)
	s["num_replicas"], s["max_bytes"] = settings.Within(&c.Replicas, 1, 5), settings.Positive(&c.MaxBytes)
	s["storage"] = oneOf(&c.Storage, map[string]jetstream.StorageType{"file": jetstream.FileStorage, "memory": jetstream.MemoryStorage})
	s["retention"] = oneOf(&c.Retention, map[string]jetstream.RetentionPolicy{
		"interest": jetstream.InterestPolicy, "limits": jetstream.LimitsPolicy, "workqueue": jetstream.WorkQueuePolicy})
	err := s.Read("messaging", from)
	if err == nil {
		err = errors.Join(c.Auth.Validate(), lattice.ValidInboxPrefix(c.Inbox))
	}
	return c, err
}

func named(to *string) func(string) error {
	return func(value string) error {
		if !name.MatchString(value) {
			return errors.New("want letters, digits, - and _, at most 128")
		}
		*to = value
		return nil
	}
}

func duration(to *time.Duration) func(string) error {
	return func(value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > 0 && d < time.Second {
			return errors.New("want 0s, or a time of a second or more, such as 24h")
		}
		*to = d
		return nil
	}
}

func oneOf[T any](to *T, words map[string]T) func(string) error {
	return func(value string) error {
		v, ok := words[strings.ToLower(value)]
		if !ok {
			return fmt.Errorf("want one of %s", settings.Names(words))
		}
		*to = v
		return nil
	}
}

// plain makes a name of an id.
func plain(id string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, id)
}

// streamConfig is a stream that is made for subjects. One whose messages end when
// they are dealt with refuses more when it is full, so that none is lost; one
// that keeps them lets go the oldest.
func (c *durableConfig) streamConfig(stream string, subjects []string) jetstream.StreamConfig {
	out := jetstream.StreamConfig{Name: stream, Description: streamDescription, Subjects: subjects, Retention: c.Retention,
		Storage: c.Storage, Replicas: int(c.Replicas), MaxBytes: c.MaxBytes, MaxAge: c.MaxAge, Discard: jetstream.DiscardNew}
	if c.Retention == jetstream.LimitsPolicy {
		out.Discard = jetstream.DiscardOld
	}
	return out
}

// ackSlack is how much longer than its handling a message may take until its end is
// told.
const ackSlack = 5 * time.Second

// consumerConfig is a consumer that is made.
func (c *durableConfig) consumerConfig(consumer string) jetstream.ConsumerConfig {
	out := jetstream.ConsumerConfig{Durable: consumer, Description: consumerDescription, Metadata: opened(), AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: c.Timeout + ackSlack, MaxDeliver: -1, MaxAckPending: int(c.MaxPending), InactiveThreshold: c.Idle}
	if c.Ordered {
		out.MaxAckPending = 1
	}
	for _, s := range c.Subscriptions {
		out.FilterSubjects = append(out.FilterSubjects, s.Pattern)
	}
	return out
}

// pause is how long to wait after the nth delivery.
func (c *durableConfig) pause(deliveries uint64) time.Duration {
	d := c.Backoff
	for ; deliveries > 1 && d < c.MaxBackoff; deliveries-- {
		d *= 2
	}
	return min(d, c.MaxBackoff)
}
