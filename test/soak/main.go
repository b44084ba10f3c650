// Command soak plays schedules of package sim for as long as it is told, one seed
// after the other, and prints how it goes. `make soak` runs it:
//
//	make soak STEPS=100000 DIR=/var/tmp/soak
//
// What was done is kept in the folder, so that a soak that was interrupted goes on
// where it was: with the seed that it was at. A violation ends it with status 1; the
// steps that led there are in the folder, and `make soak SEED=N STEPS=N` begins with
// that seed. SERVERS=3 has the lattice on a cluster of NATS servers, that are stopped,
// killed and cut off from each other as well.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/lathhost/lath/test/sim"
)

// options are the command line.
type options struct {
	steps, round, servers int
	seed                  uint64
	dir                   string
}

// progress is what is kept of a soak.
type progress struct {
	// Next is the seed that comes next.
	Next       uint64    `json:"next_seed"`
	Done       sim.Stats `json:"done"`
	Violations []string  `json:"violations"`
}

func main() {
	var o options
	flag.IntVar(&o.steps, "steps", 100_000, "how many steps to play, with those of earlier runs in the folder")
	flag.IntVar(&o.round, "round", 2000, "the steps of one seed")
	flag.IntVar(&o.servers, "servers", 1, "how many NATS servers: 1, or 3 of a cluster, to which things happen too")
	flag.Uint64Var(&o.seed, "seed", 0, "begin with this `seed`, whatever the folder says")
	flag.StringVar(&o.dir, "dir", "", "keep what was done in this `folder`; none: nothing is kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if o.steps < 1 || o.round < 1 || o.servers != 1 && o.servers != 3 || flag.NArg() > 0 {
		return errors.New("want some steps, 1 or 3 servers, and no arguments")
	}
	p := progress{Next: 1}
	if o.dir != "" {
		if err := load(o.dir, &p); err != nil {
			return err
		}
	}
	if o.seed > 0 {
		p.Next = o.seed
	}
	scratch, err := os.MkdirTemp("", "lath-soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	m, err := sim.NewMachine(ctx, scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return p.play(ctx, m, o)
}

// play plays seed after seed until all steps are done, or one is violated.
func (p *progress) play(ctx context.Context, m *sim.Machine, o options) error {
	base := 0
	for p.Done.Steps < o.steps {
		seed := p.Next
		log, closeLog, err := logTo(o.dir)
		if err != nil {
			return err
		}
		did, err := sim.Run(ctx, m, sim.Config{Seed: seed, Servers: o.servers, Steps: min(o.round, o.steps-p.Done.Steps), Alone: true, Log: log})
		closeLog()
		if ctx.Err() != nil {
			fmt.Printf("interrupted in seed %d, which is played again next time\n", seed)
			return nil
		}
		p.Next++
		p.Done.Add(did)
		if err != nil {
			p.Violations = append(p.Violations, fmt.Sprintf("seed %d after %d steps", seed, did.Steps))
		}
		if keepErr := p.keep(o.dir, seed, err); keepErr != nil {
			return errors.Join(err, keepErr)
		}
		if err != nil {
			return err
		}
		if base, err = leaked(base); err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		d := &p.Done
		fmt.Printf("seed %d: %d steps (%.0f/s); in all %d steps (%.0f/s), %d faults, %d clocks set, %d of %d commands acknowledged, %d of %d calls answered, %d goroutines, %d violations\n",
			seed, did.Steps, rate(did), d.Steps, rate(*d), d.Faults, d.Clocks, d.Acknowledged, d.Commands, d.Answered, d.Calls, base, len(p.Violations))
	}
	fmt.Printf("done: %d steps in %s (%.0f/s), %d violations\n", p.Done.Steps, p.Done.Elapsed.Round(time.Second), rate(p.Done), len(p.Violations))
	return nil
}

func rate(s sim.Stats) float64 { return float64(s.Steps) / s.Elapsed.Seconds() }

// leaked compares how many goroutines are left, now that the lattice of a seed is
// gone, with how many the first one left; it waits for those that are ending.
func leaked(base int) (int, error) {
	const slack = 5
	now := runtime.NumGoroutine()
	for deadline := time.Now().Add(10 * time.Second); base > 0 && now > base+slack && time.Now().Before(deadline); now = runtime.NumGoroutine() {
		time.Sleep(50 * time.Millisecond)
	}
	if base > 0 && now > base+slack {
		return base, fmt.Errorf("%d goroutines are left of its lattice, and were %d after the first", now, base)
	}
	if base == 0 {
		base = now
	}
	return base, nil
}

// What is kept in the folder: how far the soak is, and what the hosts of the last
// seed have logged, which is what to read after a violation.
const (
	file    = "soak.json"
	logFile = "hosts.log"
)

// logTo opens the log of one seed, in the place of the one before.
func logTo(dir string) (log *zap.Logger, end func(), err error) {
	if dir == "" {
		return zap.NewNop(), func() {}, nil
	}
	f, err := os.Create(filepath.Join(dir, logFile))
	if err != nil {
		return nil, nil, err
	}
	b := bufio.NewWriter(f)
	cfg := zap.NewDevelopmentEncoderConfig()
	log = zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(cfg), zapcore.Lock(zapcore.AddSync(b)), zap.DebugLevel))
	return log, func() {
		_, _ = b.Flush(), f.Close() // it only helps to find out why
	}, nil
}

func load(dir string, p *progress) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, p)
	}
	if err != nil {
		return fmt.Errorf("%s: %w (delete it to begin anew)", file, err)
	}
	return nil
}

// keep writes what was done, and the steps of a violation.
func (p *progress) keep(dir string, seed uint64, failure error) error {
	if dir == "" {
		return nil
	}
	if v, ok := errors.AsType[*sim.Violation](failure); ok {
		text := fmt.Sprintf("%v\n\nevery step:\n%s\n", failure, strings.Join(v.Trace, "\n"))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("violation-%d.txt", seed)), []byte(text), 0o644); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), append(data, '\n'), 0o644)
}
