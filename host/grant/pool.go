package grant

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lathhost/lath/host/component"
)

// Pool says how the instances of a component are kept between calls. Zero fields
// leave it to whoever starts the component, and then to the host.
type Pool struct {
	// Reuse is not nil where the operator has decided.
	Reuse *component.Reuse
	// Min instances are made before they are needed, Max kept at most. See
	// component.PoolConfig.
	Min, Max int
	// Idle is how long an instance that nobody needed is kept.
	Idle time.Duration
}

// MaxPool bounds what a pool is told to keep: each instance takes two mappings
// of the 65,530 that Linux gives a process.
const MaxPool = 20_000

// minIdle keeps the host from looking after idle instances all the time.
const minIdle = 100 * time.Millisecond

// ParseReuse reads what becomes of an instance after its call: "pristine",
// "sticky" or "fresh".
func ParseReuse(s string) (component.Reuse, error) {
	for _, r := range []component.Reuse{component.Pristine, component.Sticky, component.Fresh} {
		if r.String() == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%.40q: want pristine (every call finds a new state), sticky (state is kept) or fresh (a new instance for every call)", s)
}

// check refuses what contradicts itself, naming the field.
func (p *Pool) check() error {
	switch {
	case p.Reuse != nil && *p.Reuse == component.Fresh && (p.Min > 0 || p.Max > 0 || p.Idle > 0):
		return errors.New("min, max and idle mean nothing where reuse is fresh: nothing is kept")
	case p.Max > 0 && p.Min > p.Max:
		return fmt.Errorf("min is %d, more than max, which is %d", p.Min, p.Max)
	}
	return nil
}

func (r *reader) pool(v value) Pool {
	var p Pool
	r.fields(v.Node, v.key, map[string]func(value){
		"reuse": func(v value) {
			reuse, err := ParseReuse(r.text(v))
			if err != nil {
				r.fail(v, "%w", err)
			}
			p.Reuse = &reuse
		},
		"min": func(v value) { p.Min = r.count(v) },
		"max": func(v value) { p.Max = r.count(v) },
		"idle": func(v value) {
			if p.Idle = r.duration(v); p.Idle > 0 && p.Idle < minIdle {
				r.fail(v, "%v: want %v or more", p.Idle, minIdle)
			}
		},
	})
	if err := p.check(); err != nil {
		r.fail(v, "%w", err)
	}
	return p
}

// count reads a number of instances.
func (r *reader) count(v value) int {
	text := r.text(v)
	n, err := ParseInstances(text)
	if err != nil {
		r.fail(v, "%w", err)
	}
	return n
}

// ParseInstances reads a number of instances to keep: 1 to [MaxPool].
func ParseInstances(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > MaxPool {
		return 0, fmt.Errorf("%.40q: want a number of instances, 1 to %d", s, MaxPool)
	}
	return n, nil
}
