package sim

import (
	"fmt"
	"path"
	"slices"
	"time"
)

// register is what commands set, the last one wins: a link, a config, a component
// on a host.
type register[T comparable] struct {
	settled T
	// loose are what commands without an answer may have made of it, or may
	// still make of it.
	loose []loose[T]
}

type loose[T comparable] struct {
	value T
	until time.Time
}

// set notes a command that has taken effect.
func (r *register[T]) set(v T) { r.settled = v }

// maybe notes a command that may take effect until a time.
func (r *register[T]) maybe(v T, until time.Time) { r.loose = append(r.loose, loose[T]{v, until}) }

// sure reports whether the value is known for certain.
func (r *register[T]) sure(now time.Time) bool {
	r.loose = slices.DeleteFunc(r.loose, func(l loose[T]) bool { return l.until.Before(now) })
	return len(r.loose) == 0
}

// may reports whether the value may be v.
func (r *register[T]) may(v T) bool {
	return r.settled == v || slices.ContainsFunc(r.loose, func(l loose[T]) bool { return l.value == v })
}

// saw takes what was found for what is, where it may be. What was there before may
// still come back until a time: it may have been found in the middle of a change.
func (r *register[T]) saw(v T, now, until time.Time) {
	if r.may(v) && v != r.settled {
		r.maybe(r.settled, until)
		r.settled = v
	}
	r.sure(now) // forget the loose ones whose time is over
}

// any reports whether some value that the register may have is as asked.
func (r *register[T]) any(is func(T) bool) bool {
	return is(r.settled) || slices.ContainsFunc(r.loose, func(l loose[T]) bool { return is(l.value) })
}

// run is how a host runs a component or provider; zero: it does not.
type run struct {
	count   uint32
	image   string
	command int // the number of the command that made it so
}

func (r run) String() string {
	if r.count == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%d of %s by #%d", r.count, short(r.image), r.command)
}

// short is the last part of a reference.
func short(image string) string { return path.Base(image) }

// place is an id on a host. Commands for it that were acknowledged take effect one
// after the other.
type place struct {
	register[run]
	// pending are the commands that were acknowledged and whose outcome nobody has
	// told yet.
	pending []pending
	// most is how many calls may have been allowed at a time since the last check.
	most uint32
	// replaced: another image or other settings took over since the last check,
	// while calls on the old one ended.
	replaced bool
}

type pending struct {
	command int
	op      string // its id on the wire
	run     run    // as it would leave the place
	fails   bool
}

// expected is how the place will be if all pending commands end as they should.
func (p *place) expected() run {
	at := p.settled
	for _, c := range p.pending {
		if !c.fails {
			at = c.run
		}
	}
	return at
}

// accepted notes a command that was acknowledged.
func (p *place) accepted(c pending) {
	p.allow(c.run)
	p.pending = append(p.pending, c)
}

func (p *place) allow(r run) {
	if before := p.expected(); r.count > 0 && before.count > 0 && r.image != before.image {
		p.replaced = true
	}
	p.most = max(p.most, r.count)
}

// told notes an outcome, and reports the pending command that it is the outcome of.
func (p *place) told(command int) (c pending, known bool) {
	return p.take(func(c pending) bool { return c.command == command })
}

// take removes the first pending command that is as asked.
func (p *place) take(is func(pending) bool) (c pending, known bool) {
	i := slices.IndexFunc(p.pending, is)
	if i < 0 {
		return pending{}, false
	}
	c = p.pending[i]
	p.pending = slices.Delete(p.pending, i, i+1)
	return c, true
}

// shaken notes that outcomes may be lost: what is pending may have taken effect. It
// returns what nobody will tell of any more.
func (p *place) shaken(until time.Time) []pending {
	lost := p.pending
	for _, c := range lost {
		if !c.fails {
			p.maybe(c.run, until)
		}
	}
	p.pending = nil
	return lost
}

// timeout is when a command that is without an answer now has ended.
