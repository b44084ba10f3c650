package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/test/bench/guests"
)

const densityGroup = "idle instances of a component of one module, with 10 MB of data"

// The bars of density.
const (
	linearBar = 20e6
	beforeBar = 16 << 10
	afterBar  = 64 << 10
)

// idleTold is what a child tells of its idle instances.
type idleTold struct {
	Count         int
	Before, After resident // a first call
}

// density measures what instances take that wait, in a process of their own.
func (s *sandbox) density(ctx context.Context) error {
	count := s.scale(5000)
	name := fmt.Sprintf("%d instances", count)
	if !s.wants(densityGroup, name) {
		return nil
	}
	told, err := askChild[idleTold](ctx, "idle", strconv.Itoa(count))
	if err != nil {
		return err
	}
	if told.Count == 0 {
		s.b.skip(name + ": " + errNoSmaps.Error())
		return nil
	}
	add := func(what string, value, limit float64) {
		s.bars = append(s.bars, bar{Group: densityGroup, Name: name + ": " + what, Value: value, Bar: limit, Unit: unitBytes})
	}
	each := float64(told.Count)
	add("linear memory of all", told.Before.Linear, linearBar)
	add("all else, each, before a first call", told.Before.Else/each, beforeBar)
	add("all else, each, after a first call", told.After.Else/each, afterBar)
	return nil
}

// scale is how many of something are made: all, or, in a quick run, a few.
func (s *sandbox) scale(all int) int {
	if s.slice < time.Millisecond {
		return 10
	}
	return all
}

// idleChild makes as many instances as its argument says, lets them wait, and
// calls each once.
func idleChild(ctx context.Context, args []string, _ io.Reader, out io.Writer) (err error) {
	if len(args) != 1 {
		return errors.New("want a number of instances")
	}
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	b := &bed{}
	defer func() { err = errors.Join(err, b.close()) }()
	if b.rt, err = component.New(ctx, component.Config{}); err != nil {
		return err
	}
	b.later(func() error { return b.rt.Close(context.Background()) })
	one, err := b.guest(ctx, "big", component.LinkConfig{Pool: component.PoolConfig{Reuse: component.Pristine}})
	if err != nil {
		return err
	}
	if err := callAll(ctx, one, 1); err != nil { // what is made once
		return err
	}
	empty, err := residentNow()
	if errors.Is(err, errNoSmaps) {
		return tell(out, idleTold{})
	}
	if err != nil {
		return err
	}
	t, err := b.guest(ctx, "big", component.LinkConfig{Pool: component.PoolConfig{Reuse: component.Pristine, Min: count, Idle: time.Hour}})
	if err != nil {
		return err
	}
	told := idleTold{Count: count}
	if err := waitIdle(ctx, t, count); err != nil {
		return err
	}
	if told.Before, err = residentNow(); err != nil {
		return err
	}
	if err := callAll(ctx, t, count); err != nil {
		return err
	}
	if err := waitIdle(ctx, t, count); err != nil {
		return err
	}
	if told.After, err = residentNow(); err != nil {
		return err
	}
	if told.Before.Mapped-empty.Mapped < float64(count)*guests.DataSize {
		return fmt.Errorf("%w: %d instances have %.0f bytes of memory mapped", errWrong, count, told.Before.Mapped-empty.Mapped)
	}
	told.Before, told.After = told.Before.minus(empty), told.After.minus(empty)
	return tell(out, told)
}

// waitIdle waits until a pool is full, and what is in it is reset. On a machine that is
// busy the pool makes others for those that are in a call, and may keep these.
func waitIdle(ctx context.Context, t *component.Template, count int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		if p := t.Pool(); p.Idle >= count && p.Resets+p.Discarded >= p.Hits {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d instances are ready: %w", t.Pool().Idle, count, ctx.Err())
		}
	}
}

// callAll calls so many instances at a time, once each.
func callAll(ctx context.Context, t *component.Template, count int) error {
	e, params := t.Export("bench:guest/data", "take-number"), binary.AppendUvarint(nil, number32)
	all := make([]*component.Instance, count)
	for k := range all {
		var err error
		if all[k], err = t.Take(ctx); err != nil {
			return err
		}
		if err := call(all[k], e, params, params)(ctx, 1); err != nil {
			return err
		}
	}
	for _, i := range all {
		if err := i.Release(); err != nil {
			return err
		}
	}
	return nil
}

const thousandGroup = "distinct components in one process, started from the cache"

// The bars of many components.
const (
	thousandBar     = 30 * time.Second
	thousandEachBar = 1e6
)

// thousandTold is what a child tells of its components.
type thousandTold struct {
	Took float64  // in nanoseconds
	Kept resident // of all
}

// thousand measures how soon many components run whose code is in the cache.
func (s *sandbox) thousand(ctx context.Context) (err error) {
	count := s.scale(1000)
	name := fmt.Sprintf("%d components", count)
	if !s.wants(thousandGroup, name) {
		return nil
	}
	dir, err := os.MkdirTemp("", "lath-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if _, err := askChild[thousandTold](ctx, "thousand", dir, strconv.Itoa(count)); err != nil { // compiles them
		return err
	}
	told, err := askChild[thousandTold](ctx, "thousand", dir, strconv.Itoa(count))
	if err != nil {
		return err
	}
	s.bars = append(s.bars, bar{Group: thousandGroup, Name: name + ": until all have answered a call", Value: told.Took, Bar: float64(thousandBar)})
	if told.Kept != (resident{}) {
		s.bars = append(s.bars, bar{Group: thousandGroup, Name: name + ": resident, each, idle", Unit: unitBytes,
			Value: (told.Kept.Linear + told.Kept.Else) / float64(count), Bar: thousandEachBar})
	}
	return nil
}

// thousandChild starts so many components, whose code is kept in a folder, and
// calls each once.
func thousandChild(ctx context.Context, args []string, _ io.Reader, out io.Writer) (err error) {
	if len(args) != 2 {
		return errors.New("want a folder and a number of components")
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	b := &bed{}
	defer func() { err = errors.Join(err, b.close()) }()
	if b.rt, err = component.New(ctx, component.Config{CacheDir: args[0]}); err != nil {
		return err
	}
	b.later(func() error { return b.rt.Close(context.Background()) })
	types, err := examples.Component("types")
	if err != nil {
		return err
	}
	empty, noSmaps := residentNow()
	began := time.Now()
	for k := range count {
		wasm, err := guests.Distinct(types, k)
		if err != nil {
			return err
		}
		c, err := b.rt.Compile(wasm)
		if err != nil {
			return err
		}
		t, err := b.link(ctx, c, component.LinkConfig{Name: strconv.Itoa(k), Pool: component.PoolConfig{Reuse: component.Pristine}})
		if err != nil {
			return err
		}
		if err := request(t, nothing)(ctx, 1); err != nil {
			return err
		}
	}
	told := thousandTold{Took: float64(time.Since(began))}
	if noSmaps == nil {
		now, err := residentNow()
		if err != nil {
			return err
		}
		told.Kept = now.minus(empty)
	}
	return tell(out, told)
}
