package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/hostile/guests"
)

// The bars of the sandbox.
const (
	overrunBar   = 50 * time.Millisecond
	neighbourBar = 2.0
	pauseBar     = 20 * time.Millisecond
)

// How the sandbox is measured.
const (
	hostileTime     = 10 * time.Millisecond // the deadline of hostile calls
	neighbourSlices = 8                     // for the neighbour alone, then as many beside a guest
	pausesPerRound  = 4
)

// Groups of bars.
var (
	overrunGroup   = fmt.Sprintf("time past a deadline of %v, until all is given back", hostileTime)
	neighbourGroup = "a neighbour's p99: a caller for each core, whose calls follow each other, alone and beside one hostile guest"
	natsGroup      = "the same across NATS"
	pauseGroup     = "longest runtime.GC() beside one hostile guest"
)

// bar is a figure with a bound that it should keep.
type bar struct {
	Group string  `json:"group"`
	Name  string  `json:"name"`
	Value float64 `json:"value"` // nanoseconds, a ratio, or of Unit
	Bar   float64 `json:"bar"`
	Unit  string  `json:"unit,omitempty"`
	// Floor is the worst that was measured in turns with it of a loop in Go, in
	// nanoseconds: what the machine adds by itself.
	Floor float64 `json:"floor,omitempty"`
	Note  string  `json:"note,omitempty"`
	// Alone and Beside are the p99 that a ratio is of, in nanoseconds.
	Alone  float64   `json:"alone,omitempty"`
	Beside float64   `json:"beside,omitempty"`
	All    []float64 `json:"all,omitempty"` // Value is the worst of them
}

// Units of bars other than nanoseconds and ratios.
const (
	unitBytes  = "B"
	unitPerSec = "/s" // the bar is the least that it should be
	unitCalls  = "calls"
)

func (b bar) holds() bool {
	if b.Unit == unitPerSec {
		return b.Value >= b.Bar
	}
	return b.Value <= b.Bar
}

// hostile are the calls that the sandbox is measured with: what a guest does
// until it is stopped.
var hostile = []struct {
	guest, fn string
	params    []byte
	what      string
	// neighbours are asked about these, the garbage collector about those.
	neighbour, pause bool
}{
	{"cpu", "branches", nil, "an endless loop", true, true},
	{"cpu", "tree", nil, "endless calls", false, true},
	{"cpu", "tail", nil, "endless tail calls", false, true},
	{"cpu", "fill", nil, "memory.fill of 256 MB", true, true},
	{"cpu", "copy", nil, "memory.copy of 256 MB", false, true},
	{"cpu", "table-fill", nil, "table.fill of 900,000 entries", false, true},
	{"cpu", "grow", nil, "memory.grow", true, true},
	{"cpu", "deep-throw", nil, "exceptions through 1,000 frames", false, true},
	{"loops", "dtor", nil, "an endless destructor", false, false},
	{"storms", "clock", nil, "host calls: the clock", true, true},
	{"storms", "random", binary.AppendUvarint(nil, 1_000_000), "host calls: a megabyte of random bytes", false, true},
	{"storms", "environment", nil, "host calls: 1,000 variables", false, false},
	{"storms", "flood", []byte{'\n'}, "output: endless lines", true, true},
	{"storms", "poll", binary.AppendUvarint(nil, 60_000), "host calls: a poll of 60,000", false, false},
}

// sandbox measures what hostile guests can do to others.
func (b *bed) sandbox(ctx context.Context, o options) ([]bar, *crowd, error) {
	client, err := wrpc.NewClient(b.caller, wrpc.ClientConfig{})
	if err != nil {
		return nil, nil, err
	}
	b.later(client.Close)
	s := sandbox{b: b, client: client, match: o.rows, rounds: o.rounds, failovers: o.failovers, slice: neighbourSlices * o.slice, templates: map[string]*component.Template{}}
	for _, part := range []func(context.Context) error{s.stops, s.throughput, s.crowd, s.cold, s.density, s.thousand, s.fleet, s.failover, s.messages, s.web, s.blobs, s.overruns, s.neighbours} {
		if err := part(ctx); err != nil {
			return nil, nil, err
		}
	}
	return s.bars, s.crowded, nil
}

type sandbox struct {
	b         *bed
	client    *wrpc.Client
	match     *regexp.Regexp
	rounds    int
	failovers int
	slice     time.Duration
	templates map[string]*component.Template
	bars      []bar
	crowded   *crowd
}

func (s *sandbox) wants(group, name string) bool {
	return s.match == nil || s.match.MatchString(group+": "+name)
}

// call returns one call of a hostile guest, on an instance of its own, which
// returns when all that it took is given back.
func (s *sandbox) call(ctx context.Context, guest, fn string, params []byte) (func(context.Context) error, error) {
	t := s.templates[guest]
	if t == nil {
		wasm, err := guests.Component(guest)
		if err != nil {
			return nil, err
		}
		c, err := s.b.rt.Compile(wasm)
		if err != nil {
			return nil, err
		}
		env := map[string]string{}
		for i := range 1000 {
			env[fmt.Sprint("VARIABLE_", i)] = "value"
		}
		if t, err = s.b.link(ctx, c, component.LinkConfig{Name: guest, Host: wasi.Interfaces(wasi.Config{Env: env})}); err != nil {
			return nil, err
		}
		s.templates[guest] = t
	}
	e := t.Export("", fn)
	return func(ctx context.Context) error {
		_, err := t.Call(ctx, e, params, nil)
		if t := trap.As(err); t == nil || t.Code != trap.Deadline && t.Code != trap.Cancelled {
			return fmt.Errorf("%w: %s ended with %w", errWrong, fn, err)
		}
		return nil
	}, nil
}

// overruns measures how long after its deadline a call returns.
func (s *sandbox) overruns(ctx context.Context) error {
	for _, h := range hostile {
		if !s.wants(overrunGroup, h.what) {
			continue
		}
		call, err := s.call(ctx, h.guest, h.fn, h.params)
		if err != nil {
			return err
		}
		all := make([]float64, s.rounds)
		for i := range all {
			deadline := time.Now().Add(hostileTime)
			limited, cancel := context.WithDeadline(ctx, deadline)
			err := call(limited)
			all[i] = float64(time.Since(deadline))
			cancel()
			if err != nil {
				return err
			}
		}
		s.bars = append(s.bars, bar{Group: overrunGroup, Name: h.what, Value: slices.Max(all), Bar: float64(overrunBar), All: all})
	}
	return nil
}

// beside does something while a hostile guest runs.
func beside(ctx context.Context, call func(context.Context) error, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- call(ctx) }()
	err := do()
	if len(ended) > 0 {
		err = errors.Join(err, fmt.Errorf("%w: the hostile guest ended early", errWrong))
	}
	cancel()
	return errors.Join(err, <-ended)
}

// neighbours measures calls of a well-behaved component, by as many callers as
// there are cores, which keeps all of them busy: alone, and with hostile guests
// that want them too, in turns.
func (s *sandbox) neighbours(ctx context.Context) error {
	p := payloads[0]
	inProcess := func() func(context.Context, int) error {
		return s.b.wholeCall(s.b.types.Export(valuesInterface, p.fn), p)
	}
	across := func() func(context.Context, int) error { return invoke(s.client, p) }
	for _, g := range []struct {
		group  string
		caller func() func(context.Context, int) error
	}{{neighbourGroup, inProcess}, {natsGroup, across}} {
		for _, h := range hostile {
			if !h.neighbour || !s.wants(g.group, h.what) {
				continue
			}
			call, err := s.call(ctx, h.guest, h.fn, h.params)
			if err != nil {
				return err
			}
			r := bar{Group: g.group, Name: h.what, Bar: neighbourBar}
			if r.Alone, r.Beside, err = s.p99s(ctx, call, g.caller); err != nil {
				return err
			}
			r.Value = r.Beside / r.Alone
			s.bars = append(s.bars, r)
		}
	}
	return nil
}

// p99s measures a neighbour alone and beside a hostile guest, in turns.
func (s *sandbox) p99s(ctx context.Context, call func(context.Context) error, caller func() func(context.Context, int) error) (_, _ float64, err error) {
	var alone, crowded []time.Duration
	for range s.rounds {
		if alone, err = askNeighbour(ctx, s.slice, alone, caller); err != nil {
			return 0, 0, err
		}
		err = beside(ctx, call, func() (err error) {
			crowded, err = askNeighbour(ctx, s.slice, crowded, caller)
			return err
		})
		if err != nil {
			return 0, 0, err
		}
	}
	return p99(alone), p99(crowded), nil
}

func p99(all []time.Duration) float64 {
	slices.Sort(all)
	return float64(all[len(all)*99/100])
}

// askNeighbour has callers call types, each time on an instance of its own, and
// appends how long each call took.
func askNeighbour(ctx context.Context, slice time.Duration, to []time.Duration, caller func() func(context.Context, int) error) ([]time.Duration, error) {
	callers := runtime.NumCPU()
	took, errs := make([][]time.Duration, callers), make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			call := caller()
			for end, now := time.Now().Add(slice), time.Now(); errs[i] == nil && (now.Before(end) || len(took[i]) == 0); {
				began := now
				errs[i] = call(ctx, 1)
				now = time.Now()
				took[i] = append(took[i], now.Sub(began))
			}
		})
	}
	all.Wait()
	return slices.Concat(append(took, to)...), errors.Join(errs...)
}

// asked is what a child is to measure, of its standard input.
type asked struct {
	Row    string `json:"row"`
	Rounds int    `json:"rounds"`
}

// stops measures in a process of its own how soon guests stop: a collection takes
// as long as there is to collect, which here is all that was measured before.
func (s *sandbox) stops(ctx context.Context) error {
	c, err := startChild(ctx, "stops")
	if err != nil {
		return err
	}
	q := asked{Rounds: s.rounds}
	if s.match != nil {
		q.Row = s.match.String()
	}
	var bars []bar
	if err = json.NewEncoder(c.in).Encode(q); err == nil {
		err = c.read(&bars)
	}
	s.bars = append(s.bars, bars...)
	return errors.Join(err, c.close())
}

// stopsChild measures deadlines and collections.
func stopsChild(ctx context.Context, _ []string, in io.Reader, out io.Writer) (err error) {
	var q asked
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return err
	}
	b, err := newBed(ctx, false)
	defer func() { err = errors.Join(err, b.close()) }()
	if err != nil {
		return err
	}
	s := sandbox{b: b, rounds: q.Rounds, templates: map[string]*component.Template{}}
	if q.Row != "" {
		if s.match, err = regexp.Compile(q.Row); err != nil {
			return err
		}
	}
	if err := errors.Join(s.punctual(ctx), s.pauses(ctx)); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(s.bars)
}

// pauses measures whole collections beside a hostile guest, which must let the
// world stop.
func (s *sandbox) pauses(ctx context.Context) error {
	for _, h := range hostile {
		if !h.pause || !s.wants(pauseGroup, h.what) {
			continue
		}
		call, err := s.call(ctx, h.guest, h.fn, h.params)
		if err != nil {
			return err
		}
		var all []float64
		err = beside(ctx, call, func() error {
			for range s.rounds * pausesPerRound {
				began := time.Now()
				runtime.GC()
				all = append(all, float64(time.Since(began)))
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.bars = append(s.bars, bar{Group: pauseGroup, Name: h.what, Value: slices.Max(all), Bar: float64(pauseBar), All: all})
	}
	return nil
}
