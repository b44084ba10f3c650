package component

import (
	"fmt"
	"time"
)

// Reuse says what becomes of an instance when its call has ended.
type Reuse uint8

// The kinds of reuse.
const (
	// Pristine brings the instance back to the state that it had after its
	// instantiation: every call finds a fresh one. It is the default. What start
	// functions found (random numbers, the time, the environment) is part of that
	// state, and so the same for all calls on an instance.
	Pristine Reuse = iota
	// Sticky keeps the state. Which of the instances a call gets is not
	// defined.
	Sticky
	// Fresh makes a new instance for every call.
	Fresh
)

// String returns the name of r.
func (r Reuse) String() string {
	switch r {
	case Pristine:
		return "pristine"
	case Sticky:
		return "sticky"
	case Fresh:
		return "fresh"
	}
	return fmt.Sprintf("Reuse(%d)", uint8(r))
}

// PoolConfig says how a template keeps instances between calls. The zero value is
// the default, and keeps some. The memory of instances that wait is told by
// [Runtime.MemoryIdle]; where a new instance, or one that grows, does not fit the
// limit of the runtime beside them, they are closed.
type PoolConfig struct {
	Reuse Reuse
	// Min instances are made before they are needed, by the pool itself, and
	// kept. They make room for calls of others, and are made again when there is
	// room. Default: none.
	Min int
	// Max bounds the instances that wait for a call. Default: 16, or Min.
	Max int
	// Idle is how long an instance that nobody needed is kept. Default: 1
	// minute.
	Idle time.Duration
	// KeepPages is how many written pages of 4 KiB a memory keeps for the next
	// call: one that has more gives all of them back to the system. Default:
	// 4,096, which is 16 MiB.
	KeepPages int
}

// The defaults of [PoolConfig].
const (
	defaultPoolMax   = 16
	defaultPoolIdle  = time.Minute
	defaultKeepPages = 4096
)

// maxPool bounds PoolConfig.Max: each instance takes two mappings of the 65,530
// that Linux gives a process.
const maxPool = 20_000

func (c PoolConfig) withDefaults() (PoolConfig, error) {
	switch {
	case c.Reuse > Fresh:
		return c, fmt.Errorf("pool: %v is no kind of reuse", c.Reuse)
	case c.Min < 0 || c.Min > maxPool:
		return c, fmt.Errorf("pool: min is %d: want 0 to %d", c.Min, maxPool)
	case c.Max < 0 || c.Max > maxPool:
		return c, fmt.Errorf("pool: max is %d: want 0 (the default) to %d", c.Max, maxPool)
	case c.Max > 0 && c.Max < c.Min:
		return c, fmt.Errorf("pool: max is %d, less than min, which is %d", c.Max, c.Min)
	case c.Reuse == Fresh && (c.Min > 0 || c.Max > 0):
		return c, fmt.Errorf("pool: min %d and max %d mean nothing where every instance is fresh", c.Min, c.Max)
	case c.Idle < 0:
		return c, fmt.Errorf("pool: idle is %v: want a time", c.Idle)
	case c.KeepPages < 0:
		return c, fmt.Errorf("pool: keep-pages is %d: want a number of pages", c.KeepPages)
	}
	if c.Max == 0 {
		c.Max = max(defaultPoolMax, c.Min)
	}
	if c.Idle == 0 {
		c.Idle = defaultPoolIdle
	}
	if c.KeepPages == 0 {
		c.KeepPages = defaultKeepPages
	}
	return c, nil
}

// PoolStats is what a template's pool has counted so far.
type PoolStats struct {
	// Idle is how many instances wait for a call now.
	Idle int
	// Hits are the calls that found an instance, Misses those for which one
	// was made.
	Hits, Misses uint64
	// Resets is how many instances were brought back to their first state,
	// ResetTime how long that took in all, WrittenPages how many pages of 4 KiB
	// had been written.
	Resets       uint64
	ResetTime    time.Duration
	WrittenPages uint64
	// Discarded is how many instances were closed instead of kept: after a
	// trap, because the pool was full, or because they could not be reset.
	Discarded uint64
}
