package cron

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// clock is the time that schedules go by: that of the NATS server which keeps their
// bucket. All copies of a provider have it in common, whatever the clocks of their
// machines say, and one whose clock is ahead fires nothing early, after which the
// others would wait until theirs say so too. Between two looks at it a machine
// measures for itself what time passes.
type clock struct {
	told time.Time
	at   time.Time // when it was told
}

func (c clock) now() time.Time { return c.told.Add(time.Since(c.at)) }

// read asks the server for its time. Servers before 2.10 do not tell it: then it is
// this machine's.
func (s *schedule) read(kv jetstream.KeyValue) (clock, error) {
	ctx, cancel := context.WithTimeout(s.stopping, openTime)
	defer cancel()
	status, err := kv.Status(ctx)
	if err != nil {
		return s.clock, fmt.Errorf("time of NATS: %w", lattice.Disconnected(err))
	}
	c := clock{told: s.of.cfg.Now(), at: time.Now()}
	if is, ok := status.(*jetstream.KeyValueBucketStatus); ok && !is.StreamInfo().TimeStamp.IsZero() {
		c.told = is.StreamInfo().TimeStamp
	}
	c.told = c.told.UTC().Round(0) // without what this machine has measured
	return c, nil
}

// sighting is how long one copy of the provider has seen a record unchanged, as it
// has measured itself: only that tells whether a lease is over, and no clock does.
type sighting struct {
	revision uint64
	since    time.Time
}

// see notes what the record's revision is.
func (s *sighting) see(revision uint64) {
	if revision != s.revision {
		*s = sighting{revision, time.Now()}
	}
}

// left is how much is left of a lease that the last change of the record began.
func (s *sighting) left(lease time.Duration) time.Duration { return lease - time.Since(s.since) }
