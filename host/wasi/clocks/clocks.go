// Package clocks carries out wasi:clocks with the clocks of this machine. A
// guest that waits for a time costs one timer and no goroutine of its own.
//
// It reads no time zone. Source: WASI 0.2, package wasi:clocks.
package clocks

import (
	"context"
	"math"
	"time"

	"github.com/lathhost/lath/host/wasi/io"
	contract "github.com/lathhost/lath/wit/wasi/clocks"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// Monotonic carries out wasi:clocks/monotonic-clock. It is safe for concurrent
// use.
type Monotonic struct{ start time.Time }

var _ contract.MonotonicClock = (*Monotonic)(nil)

// NewMonotonic makes a clock that starts at 1 now, so that it does not tell a
// guest how long the machine has been up.
func NewMonotonic() *Monotonic { return &Monotonic{time.Now().Add(-1)} }

func (m *Monotonic) now() contract.Instant { return contract.Instant(time.Since(m.start)) }

// Now implements the contract.
func (m *Monotonic) Now(context.Context) (contract.Instant, error) { return m.now(), nil }

// Resolution implements the contract: a nanosecond.
func (m *Monotonic) Resolution(context.Context) (contract.Duration, error) { return 1, nil }

// SubscribeInstant implements the contract.
func (m *Monotonic) SubscribeInstant(_ context.Context, when contract.Instant) (wasiio.Pollable, error) {
	return io.NewPollable(&alarm{m, when}), nil
}

// SubscribeDuration implements the contract.
func (m *Monotonic) SubscribeDuration(_ context.Context, when contract.Duration) (wasiio.Pollable, error) {
	now := m.now()
	return io.NewPollable(&alarm{m, now + min(when, math.MaxUint64-now)}), nil
}

// alarm is the condition that a clock reads when or more.
type alarm struct {
	clock *Monotonic
	when  contract.Instant
}

// Ready implements [io.Condition].
func (a *alarm) Ready() bool { return a.clock.now() >= a.when }

// Subscribe implements [io.Condition].
func (a *alarm) Subscribe(w *io.Waiter) (stop func()) {
	var left uint64
	if now := a.clock.now(); a.when > now {
		left = min(a.when-now, math.MaxInt64) // 292 years are forever
	}
	t := time.AfterFunc(time.Duration(left), w.Wake)
	return func() { t.Stop() }
}

// Wall carries out wasi:clocks/wall-clock. It is safe for concurrent use.
type Wall struct{}

var _ contract.WallClock = Wall{}

// Now implements the contract. A time before 1970 reads as 1970.
func (Wall) Now(context.Context) (contract.Datetime, error) {
	now := time.Now()
	if now.Unix() < 0 {
		return contract.Datetime{}, nil
	}
	return contract.Datetime{Seconds: uint64(now.Unix()), Nanoseconds: uint32(now.Nanosecond())}, nil
}

// Resolution implements the contract: a nanosecond.
func (Wall) Resolution(context.Context) (contract.Datetime, error) {
	return contract.Datetime{Nanoseconds: 1}, nil
}
