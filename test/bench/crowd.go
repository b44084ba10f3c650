package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/test/bench/guests"
	"github.com/lathhost/lath/wit"
)

const (
	throughputGroup = "whole requests: take an instance, 1 KB in, 1 KB out, reset; a caller for each core"
	crowdGroup      = "calls of many components at once, each on a pristine instance"
	coldGroup       = "start of a JavaScript component of 12 MB from the cache, beside a start without"
)

// The bars of many calls, and of a start.
const (
	requestsBar = 100_000.0
	warmBar     = 1.0 / 8
)

// throughput measures how many requests a small component answers.
func (s *sandbox) throughput(ctx context.Context) error {
	const name = "types.wasm"
	if !s.wants(throughputGroup, name) {
		return nil
	}
	c, err := s.b.component("types")
	if err != nil {
		return err
	}
	t, err := s.b.link(ctx, c, component.LinkConfig{Name: typesID, Pool: component.PoolConfig{Reuse: component.Pristine}})
	if err != nil {
		return err
	}
	var all, floor []float64
	for range s.rounds {
		for _, by := range []struct {
			to  *[]float64
			one func() func(context.Context, int) error
		}{{&floor, httpHandler}, {&all, func() func(context.Context, int) error { return request(t, kilobyte) }}} {
			rate, err := perSecond(ctx, runtime.GOMAXPROCS(0), s.slice, func(int) func(context.Context, int) error { return by.one() })
			if err != nil {
				return err
			}
			*by.to = append(*by.to, rate)
		}
	}
	s.bars = append(s.bars, bar{Group: throughputGroup, Name: name, Value: spreadOf(all).Median, Bar: requestsBar, Unit: unitPerSec, All: all,
		Note: fmt.Sprintf("median; most %s; a net/http handler, nothing around it: %s", number(math.Trunc(slices.Max(all))), number(math.Trunc(spreadOf(floor).Median)))})
	return nil
}

// perSecond has so many callers make calls, one after the other, and returns how
// many they make in a second together.
func perSecond(ctx context.Context, callers int, slice time.Duration, caller func(k int) func(context.Context, int) error) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var calls atomic.Int64
	var over atomic.Bool
	errs := make([]error, callers)
	var all sync.WaitGroup
	began := time.Now()
	for k := range callers {
		all.Go(func() {
			one, n := caller(k), int64(0)
			for errs[k] == nil && (n == 0 || !over.Load()) {
				errs[k] = one(ctx, 1)
				n++
			}
			calls.Add(n)
		})
	}
	timer := time.AfterFunc(slice, func() { over.Store(true) })
	defer timer.Stop()
	all.Wait()
	return float64(calls.Load()) / time.Since(began).Seconds(), errors.Join(errs...)
}

// crowds are how many callers there are at a time, and crowdComponents of how
// many components.
var crowds = []int{1, 2, 8, 64, 512, 4096}

const crowdComponents = 300

// crowd is calls by many, of many components, and what they waited for.
type crowd struct {
	Components int       `json:"components"`
	Callers    []callers `json:"callers"`
	// Waited is how long all callers together waited for locks, for each second
	// that they called, under the profile that Waits is from.
	Waited float64      `json:"waited"`
	Waits  []contention `json:"waits"`
}

// callers is a number of callers and what they did.
type callers struct {
	Callers   int    `json:"callers"`
	PerSecond spread `json:"per_second"`
}

// contention is what the mutex profile says of one place in the code.
type contention struct {
	Where   string  `json:"where"`
	Percent float64 `json:"percent"` // of all waiting
}

// crowd measures whether more callers than cores make more calls, or fewer:
// what all of them wait for would show.
func (s *sandbox) crowd(ctx context.Context) error {
	count := s.scale(crowdComponents)
	if name := fmt.Sprintf("%d components", count); !s.wants(crowdGroup, name) {
		return nil
	}
	templates, err := s.b.manyCallees(ctx, count)
	if err != nil {
		return err
	}
	caller := func(k int) func(context.Context, int) error {
		params := binary.AppendUvarint(nil, number32)
		next, calls := k, map[int]func(context.Context, int) error{}
		return func(ctx context.Context, n int) error {
			next = (next + 7) % len(templates) // 7 and the number of components have nothing in common
			if calls[next] == nil {
				t := templates[next]
				calls[next] = pooledCall(t, t.Export("bench:guest/data", "take-number"), params, params)
			}
			return calls[next](ctx, n)
		}
	}
	c := &crowd{Components: count}
	rates := make([][]float64, len(crowds))
	for range min(s.rounds, 5) {
		for k, n := range crowds {
			rate, err := perSecond(ctx, n, s.slice, caller)
			if err != nil {
				return err
			}
			rates[k] = append(rates[k], rate)
		}
	}
	for k, n := range crowds {
		c.Callers = append(c.Callers, callers{n, spreadOf(rates[k])})
	}
	s.crowded = c
	return c.profile(func() error {
		_, err := perSecond(ctx, crowds[len(crowds)-1], s.slice, caller)
		return err
	})
}

// manyCallees links callee.wasm so often, each time as another component.
func (b *bed) manyCallees(ctx context.Context, count int) ([]*component.Template, error) {
	wasm, err := guests.Component("callee")
	if err != nil {
		return nil, err
	}
	all := make([]*component.Template, count)
	for k := range all {
		one, err := guests.Distinct(wasm, k)
		if err != nil {
			return nil, err
		}
		c, err := b.rt.Compile(one)
		if err != nil {
			return nil, err
		}
		if all[k], err = b.link(ctx, c, component.LinkConfig{Name: fmt.Sprint("callee-", k), Pool: component.PoolConfig{Reuse: component.Pristine}}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// topWaits is how many places the report names.
const topWaits = 8

// profile runs do under the mutex profile and notes what was waited for most.
func (c *crowd) profile(do func() error) error {
	before, waited, began := contended(), secondsWaited(), time.Now()
	rate := runtime.SetMutexProfileFraction(1)
	err := do()
	runtime.SetMutexProfileFraction(rate)
	c.Waited = (secondsWaited() - waited) / time.Since(began).Seconds()
	sum := 0.0
	for where, cycles := range contended() {
		if cycles -= before[where]; cycles > 0 {
			c.Waits = append(c.Waits, contention{Where: where, Percent: float64(cycles)})
			sum += float64(cycles)
		}
	}
	slices.SortFunc(c.Waits, func(a, b contention) int { return cmp.Compare(b.Percent, a.Percent) })
	for k := range c.Waits {
		c.Waits[k].Percent *= 100 / sum
	}
	c.Waits = c.Waits[:min(len(c.Waits), topWaits)]
	return err
}

// secondsWaited is how long goroutines have waited for locks so far.
func secondsWaited() float64 {
	m := []metrics.Sample{{Name: "/sync/mutex/wait/total:seconds"}}
	metrics.Read(m)
	return m[0].Value.Float64()
}

// contended returns how many cycles of the processor were waited for each place
// so far.
func contended() map[string]int64 {
	var records []runtime.BlockProfileRecord
	for n, ok := runtime.MutexProfile(nil); !ok; {
		records = make([]runtime.BlockProfileRecord, n+64)
		if n, ok = runtime.MutexProfile(records); ok {
			records = records[:n]
		}
	}
	all := map[string]int64{}
	for _, r := range records {
		all[place(r.Stack())] += r.Cycles
	}
	return all
}

// place names the function that held a lock, and who called it: the first on the
// stack that are not of package sync or the runtime.
func place(stack []uintptr) string {
	var names []string
	for frames := runtime.CallersFrames(stack); len(names) < 2; {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "sync.") && !strings.HasPrefix(f.Function, "internal/sync.") && !strings.HasPrefix(f.Function, "runtime.") {
			names = append(names, strings.TrimPrefix(f.Function, "github.com/lathhost/lath/"))
		}
		if !more {
			break
		}
	}
	if len(names) == 0 {
		return "the runtime"
	}
	return strings.Join(names, " ← ")
}

// colds bounds how often a big component is compiled.
const colds = 3

// cold measures how soon a JavaScript component runs, cold and from the cache.
func (s *sandbox) cold(ctx context.Context) error {
	if !s.wants(coldGroup, jsService) {
		return nil
	}
	wasm, err := built(jsService)
	if skip := (skipped)(""); errors.As(err, &skip) {
		s.b.skip(coldGroup + ": " + string(skip))
		return nil
	}
	if err != nil {
		return err
	}
	var cold, warm, ratio []float64
	for range min(s.rounds, colds) {
		took, err := coldAndWarm(ctx, wasm)
		if err != nil {
			return err
		}
		cold, warm, ratio = append(cold, took[0]), append(warm, took[1]), append(ratio, took[1]/took[0])
	}
	s.bars = append(s.bars, bar{Group: coldGroup, Name: jsService, Value: spreadOf(ratio).Median, Alone: spreadOf(cold).Median, Beside: spreadOf(warm).Median,
		Bar: warmBar, All: ratio})
	return nil
}

// coldAndWarm starts a component twice, with a cache that is empty at first.
func coldAndWarm(ctx context.Context, wasm []byte) (took [2]float64, err error) {
	dir, err := os.MkdirTemp("", "lath-bench-")
	if err != nil {
		return took, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for k := range took {
		began := time.Now()
		stop, err := startFrom(ctx, dir, wasm)
		took[k] = float64(time.Since(began))
		if err := errors.Join(err, stop()); err != nil {
			return took, err
		}
	}
	return took, nil
}

// startFrom starts a component on a runtime of its own, up to its first
// instance.
func startFrom(ctx context.Context, cache string, wasm []byte) (stop func() error, err error) {
	b := &bed{}
	if b.rt, err = component.New(ctx, component.Config{CacheDir: cache}); err != nil {
		return b.close, err
	}
	b.later(func() error { return b.rt.Close(context.Background()) })
	c, err := b.rt.Compile(wasm)
	if err != nil {
		return b.close, err
	}
	t, err := b.link(ctx, c, component.LinkConfig{Name: "js", Host: wasi.Interfaces(wasi.Config{}),
		Import: func(string, *wit.Func) (component.Callee, error) { return nobody{}, nil }})
	if err != nil {
		return b.close, err
	}
	_, err = b.take(ctx, t)
	return b.close, err
}

// nobody is never called.
type nobody struct{}

// Call implements component.Callee.
func (nobody) Call(*component.ImportCall) error { return errors.ErrUnsupported }
