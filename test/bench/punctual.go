package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
)

// The bars of a guest that does nothing but count.
const (
	lateBar    = 2 * time.Millisecond
	collectBar = 5 * time.Millisecond
)

// Groups of bars.
const (
	lateGroup    = "time past the deadline of a guest that counts in a loop, until the call returns"
	collectGroup = "longest runtime.GC() beside a guest that counts in a loop"
)

// deadlines are what calls are given.
var deadlines = []time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond}

// punctual measures how soon a guest that would go on for minutes is stopped,
// and how long it keeps the garbage collector waiting.
func (s *sandbox) punctual(ctx context.Context) error {
	t, err := s.b.guest(ctx, "callee", component.LinkConfig{})
	if err != nil {
		return err
	}
	spin := func(ctx context.Context) error {
		i, err := t.Take(ctx)
		if err != nil {
			return err
		}
		_, err = i.Call(ctx, t.Export("", "spin"), binary.AppendUvarint(nil, math.MaxUint32), nil)
		if as := trap.As(err); as == nil || as.Code != trap.Deadline && as.Code != trap.Cancelled {
			return fmt.Errorf("%w: an endless loop ended with %w", errWrong, err)
		}
		return i.Release()
	}
	for _, d := range deadlines {
		if name := fmt.Sprintf("a deadline of %v", d); s.wants(lateGroup, name) {
			if err := s.late(ctx, name, d, spin); err != nil {
				return err
			}
		}
	}
	if !s.wants(collectGroup, "counts") {
		return nil
	}
	var all, floor []float64
	for range s.rounds {
		for _, by := range []struct {
			to   *[]float64
			loop func(context.Context) error
		}{{&floor, goLoop}, {&all, spin}} {
			if err := beside(ctx, by.loop, func() error { *by.to = collect(*by.to); return nil }); err != nil {
				return err
			}
		}
	}
	s.bars = append(s.bars, bar{Group: collectGroup, Name: "counts", Value: slices.Max(all), Floor: slices.Max(floor), Bar: float64(collectBar), All: all})
	return nil
}

// collect collects garbage and appends how long it took.
func collect(to []float64) []float64 {
	for range pausesPerRound {
		began := time.Now()
		runtime.GC()
		to = append(to, float64(time.Since(began)))
	}
	return to
}

// goLoop does in Go what the guest does: nobody can be stopped sooner, or keep
// the collector waiting for less.
func goLoop(ctx context.Context) error {
	var over atomic.Bool
	stop := context.AfterFunc(ctx, func() { over.Store(true) })
	defer stop()
	for !over.Load() {
	}
	return nil
}

func (s *sandbox) late(ctx context.Context, name string, after time.Duration, spin func(context.Context) error) error {
	var all, floor []float64
	for range s.rounds {
		for _, by := range []struct {
			to   *[]float64
			loop func(context.Context) error
		}{{&floor, goLoop}, {&all, spin}} {
			deadline := time.Now().Add(after)
			limited, cancel := context.WithDeadline(ctx, deadline)
			err := by.loop(limited)
			*by.to = append(*by.to, float64(time.Since(deadline)))
			cancel()
			if err != nil {
				return err
			}
		}
	}
	s.bars = append(s.bars, bar{Group: lateGroup, Name: name, Value: slices.Max(all), Floor: slices.Max(floor), Bar: float64(lateBar), All: all})
	return nil
}
