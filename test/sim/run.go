package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Config is one run.
type Config struct {
	Seed  uint64
	Steps int
	// Hosts is how many; default 3.
	Hosts int
	// Servers is how many NATS servers there are: 1 or, of a cluster, 3; default 1.
	Servers int
	// Every is after how many steps the lattice is checked; default 50.
	Every int
	// Alone says that nothing else runs in the process, so that what it holds may be
	// checked too.
	Alone bool
	// Log is what the hosts write to; default: nothing.
	Log *zap.Logger
}

// Stats say what a run has done, so that one that did nothing is no success.
type Stats struct {
	Steps        int           `json:"steps"`
	Checks       int           `json:"checks"`
	Commands     int           `json:"commands"`
	Acknowledged int           `json:"acknowledged"`
	Calls        int           `json:"calls"`
	Answered     int           `json:"answered"`
	Faults       int           `json:"faults"`
	Clocks       int           `json:"clocks_set"`
	Ticks        int           `json:"ticks"`
	Elapsed      time.Duration `json:"elapsed_ns"`
}

// Add adds what another run has done.
func (s *Stats) Add(o Stats) {
	s.Steps, s.Checks = s.Steps+o.Steps, s.Checks+o.Checks
	s.Commands, s.Acknowledged = s.Commands+o.Commands, s.Acknowledged+o.Acknowledged
	s.Calls, s.Answered = s.Calls+o.Calls, s.Answered+o.Answered
	s.Faults, s.Clocks, s.Ticks = s.Faults+o.Faults, s.Clocks+o.Clocks, s.Ticks+o.Ticks
	s.Elapsed += o.Elapsed
}

// Violation is a lattice that was not as it must be.
type Violation struct {
	Seed  uint64
	Step  int
	What  error
	Trace []string // every step until then
}

// Error says what was wrong, and the last steps before.
func (v *Violation) Error() string {
	last := v.Trace[max(0, len(v.Trace)-100):]
	return fmt.Sprintf("seed %d, after %d steps: %v\nthe last steps:\n%s", v.Seed, v.Step, v.What, strings.Join(last, "\n"))
}

// Unwrap returns what was wrong.
func (v *Violation) Unwrap() error { return v.What }

// Run plays a schedule. Its error is a [*Violation], or says why the schedule could
// not be played.
func Run(ctx context.Context, m *Machine, cfg Config) (Stats, error) {
	if cfg.Hosts <= 0 {
		cfg.Hosts = 3
	}
	if cfg.Servers <= 0 {
		cfg.Servers = 1
	}
	if cfg.Every <= 0 {
		cfg.Every = 50
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	began := time.Now()
	w, err := newWorld(ctx, m, cfg)
	if err != nil {
		return Stats{}, err
	}
	err = w.play(ctx, cfg)
	w.stats.Elapsed = time.Since(began)
	return w.stats, errors.Join(err, w.close())
}

func (w *world) play(ctx context.Context, cfg Config) error {
	var trace []string
	var growth growth
	violated := func(err error) error {
		return &Violation{Seed: cfg.Seed, Step: w.stats.Steps, What: err, Trace: trace}
	}
	for i, s := range schedule(cfg.Seed, cfg.Steps, cfg.Servers > 1) {
		if err := ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		did, err := s.kind.do(ctx, w, s.n)
		trace = append(trace, fmt.Sprintf("%5d %s %s (%s)", i, s.kind.name, did, time.Since(began).Round(time.Millisecond)))
		cfg.Log.Info("step", zap.String("did", trace[i]))
		if err != nil {
			return violated(err)
		}
		w.stats.Steps++
		if w.stats.Steps%cfg.Every != 0 && w.stats.Steps != cfg.Steps {
			continue
		}
		w.stats.Checks++
		if err := w.check(ctx); err != nil {
			return violated(err)
		}
		if cfg.Alone && w.stats.Checks%growthEvery == 0 {
			if err := growth.check(measure()); err != nil {
				return violated(err)
			}
		}
	}
	return nil
}
