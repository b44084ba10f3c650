package cron

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// States of a record's last tick.
const (
	stateNew     = ""        // nothing was fired
	stateRunning = "running" // its handler runs, or its holder has died
	stateDone    = "done"
	stateFailed  = "failed"
	stateLost    = "lost" // its holder died
)

// firing is one tick that was fired.
type firing struct {
	Tick   time.Time `json:"tick"`
	State  string    `json:"state"`
	Holder string    `json:"holder"`
	// Claim tells this firing from all others: its holder knows it by that where it
	// was not told that it is stored.
	Claim   string    `json:"claim,omitempty"`
	Attempt int       `json:"attempt"`
	Ended   time.Time `json:"ended,omitzero"`
	Error   string    `json:"error,omitempty"`
}

// record is what the lattice knows of one schedule: its last tick, who fires that,
// and for how long nobody else does. Each change is made on what it was, and by one
// who has read that: two that want the same tick change the same revision, and one
// of them fails.
type record struct {
	// Since is when the schedule began: earlier ticks were never due.
	Since time.Time `json:"since"`
	Last  firing    `json:"last"`
	// LeaseMS is, while it runs, for how long after each change of the record its
	// holder may fire it alone, in milliseconds.
	LeaseMS int64 `json:"lease_ms,omitempty"`
	// History has the latest firings before the last, the newest first.
	History []firing `json:"history"`
}

// Bounds of what is stored.
const (
	maxRecord = 256 << 10
	maxError  = 256
)

func parseRecord(data []byte) (record, error) {
	var r record
	if len(data) > maxRecord {
		return r, fmt.Errorf("%d bytes, at most %d", len(data), maxRecord)
	}
	err := json.Unmarshal(data, &r)
	return r, err
}

// lease is that of the last tick's holder.
func (r *record) lease() time.Duration {
	return time.Duration(min(max(r.LeaseMS, 0), maxLease.Milliseconds())) * time.Millisecond
}

// runs says whether the last tick runs by a claim.
func (r *record) runs(claim string) bool {
	return r.Last.State == stateRunning && claim != "" && r.Last.Claim == claim
}

// after is since when ticks were not fired.
func (r *record) after() time.Time {
	if r.Last.Tick.After(r.Since) {
		return r.Last.Tick
	}
	return r.Since
}

// claim is the record of a tick that is to be fired now.
func (r *record) claim(tick time.Time, holder string, lease time.Duration, keep int) record {
	next := record{Since: r.Since, Last: firing{Tick: tick, State: stateRunning, Holder: holder, Claim: rand.Text(), Attempt: 1}, LeaseMS: lease.Milliseconds(), History: r.History}
	last := r.Last
	if last.Tick.Equal(tick) {
		next.Last.Attempt = last.Attempt + 1
	}
	if last.State != stateNew {
		if last.State == stateRunning {
			last.State = stateLost
		}
		next.History = slices.Concat([]firing{last}, r.History)
	}
	next.History = next.History[:min(len(next.History), keep)]
	return next
}

// end is the record of a tick that was fired.
func (r *record) end(now time.Time, err error) record {
	next := *r
	next.LeaseMS, next.Last.Ended, next.Last.State = 0, now, stateDone
	if err != nil {
		text := err.Error()
		next.Last.State, next.Last.Error = stateFailed, text[:min(len(text), maxError)]
	}
	return next
}

// punctual is how late a tick may be and still be fired, where those that were
// missed are not.
const punctual = 10 * time.Second

// decide says which tick to fire now, or else when to look again. left is how much
// is left of the holder's lease while the last tick runs. once makes up for ticks
// that were missed, all of them by the last one.
func decide(s *Schedule, r *record, now time.Time, left time.Duration, once bool) (tick, again time.Time) {
	next := s.Next(now)
	if next.IsZero() {
		next = now.AddDate(maxYears, 0, 0)
	}
	running := r.Last.State == stateRunning
	if running && left > 0 {
		return time.Time{}, earlier(next, now.Add(left))
	}
	if tick = s.Latest(r.after(), now); tick.IsZero() {
		if running && once { // its holder died
			return r.Last.Tick, time.Time{}
		}
		return time.Time{}, next
	}
	if !once && now.Sub(tick) > punctual {
		return time.Time{}, next
	}
	return tick, time.Time{}
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
